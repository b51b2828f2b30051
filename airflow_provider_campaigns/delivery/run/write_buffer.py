"""What became of requests, from the answer until it is stored: outcomes first, then settlements, in one write each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import itemgetter

from airflow_provider_campaigns.delivery.plan.batches import REPEATED
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.senders import Ticket


class WriteBuffer:
    """
    What is known and not yet stored.

    :param ledger: gets settlements, intents and counts.
    :param outcomes: gets a part for every ``store``.
    :param past: what earlier tries did; it learns what is stored here.
    """

    def __init__(self, ledger: Ledger, outcomes: Outcomes, past: EarlierTries) -> None:
        self._ledger = ledger
        self._outcomes = outcomes
        self._earlier = past
        self._stored: Counter[str] = past.counts
        self._lines_written = False
        self._clear()

    def _clear(self) -> None:
        self.lines: list[Outcome] = []
        self._counts: Counter[str] = Counter()
        self._settled: list[Rows] = []
        self._released: list[Rows] = []
        self._requests = 0

    @property
    def counts(self) -> Counter[str]:
        """Contacts by status, of all tries, whether stored or not."""
        return self._stored + self._counts if self.lines else self._stored

    def request(self) -> None:
        """Count a request that took contacts to the vendor."""
        self._requests += 1

    def settle(self, rows: Rows, lines: Sequence[Outcome]) -> None:
        """Take the outcomes of a range."""
        self.lines += lines
        self._counts.update(map(itemgetter("status"), lines))
        self._settled.append(rows)

    def release(self, rows: Rows) -> None:
        """Take note that an intended range surely did not arrive."""
        self._released.append(rows)

    def _write(self) -> None:
        """Write the outcomes, in place of those that were written when the ledger could not be."""
        if self.lines:
            self._outcomes.write(self.lines, again=self._lines_written)
            self._lines_written = True
            self._earlier.settled.update(self._settled)

    def store(self, tickets: Sequence[Ticket], meanwhile: Callable[[], None] = lambda: None) -> None:
        """
        Store what is known, the outcomes first, and what is to be sent next.

        :param tickets: nothing of them may leave before this returns.
        :param meanwhile: called once the outcomes are written: starts what may go on while the ledger is.
        """
        self._write()
        meanwhile()
        if self._settled or self._released or self._requests or tickets:
            checkpoint = (tickets[-1].batch.rows.last, tickets[-1].batch.fingerprint) if tickets else None
            intended = [ticket.batch.rows for ticket in tickets]
            self._ledger.record(self._settled, self._added(), intended, self._released, checkpoint)
            self._stored.update(self._counts)
        self._clear()
        self._lines_written = False

    def rescue(self, tickets: Sequence[Ticket]) -> None:
        """
        Store what can be, after a failure to store.

        :param tickets: perhaps intended, and surely not sent.
        """
        # Unless it can be stored, nobody will know what became of them.
        self._earlier.unresolved.update(self._settled)
        released = [*self._released, *(ticket.batch.rows for ticket in tickets)]
        try:
            self._write()
        except Exception:
            with suppress(Exception):
                self._ledger.record(counts={"requests": self._requests}, released=released)
            raise
        with suppress(Exception):
            self._ledger.record(self._settled, self._added(), released=released)

    def _added(self) -> Counter[str]:
        """Return what the ledger is to add up."""
        repeated = sum(line["reason"] == REPEATED for line in self.lines)
        return self._counts + Counter(requests=self._requests, repeated=repeated)
