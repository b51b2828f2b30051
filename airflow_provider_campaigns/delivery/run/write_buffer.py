"""What became of requests, from the answer until it is stored: outcomes first, then settlements, in one write each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.record.ledger import Change, Checkpoint, Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.replies import without
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.delivery.run.tally import OutcomeTally
from airflow_provider_campaigns.protocol.history import ContactEnd, ContactHistory, HeldBack


class WriteBuffer:
    """
    What is known and not yet stored.

    :param ledger: gets settlements, intents and counts.
    :param outcomes: gets a part for every ``store``.
    :param earlier: what earlier tries did; it learns what is stored here.
    :param history: of all deliveries; it is stored with the ledger, in the same transaction if it keeps that, too.
    """

    def __init__(self, ledger: Ledger, outcomes: Outcomes, earlier: EarlierTries, history: ContactHistory) -> None:
        self._ledger = ledger
        self._history = history
        self._outcomes = outcomes
        self._earlier = earlier
        self.tally: OutcomeTally = earlier.tally
        """The outcomes of settled rows, of all tries, whether stored or not."""
        self._lines_written = False
        self._first_intent = True
        self._clear()

    def _clear(self) -> None:
        self.lines: list[Outcome] = []
        self._added = OutcomeTally()
        self._settled: list[Rows] = []
        self._ended: list[tuple[Batch, Sequence[Outcome]]] = []
        self._released: list[Rows] = []
        self._checkpoint: Checkpoint | None = None
        self._requests = 0

    @property
    def counts(self) -> Counter[str]:
        """Contacts by status, of all tries, whether stored or not."""
        return self.tally.counts

    def request(self) -> None:
        """Count a request that took contacts to the vendor."""
        self._requests += 1

    def settle(self, batch: Batch, lines: Sequence[Outcome]) -> None:
        """Take the outcomes of a batch."""
        self.lines += lines
        self._added.add(lines)
        self.tally.add(lines)
        self._settled.append(batch.rows)
        self._ended.append((batch, lines))
        self._reach(batch)

    def release(self, rows: Rows) -> None:
        """Take note that an intended range did not arrive."""
        self._released.append(rows)

    def _reach(self, batch: Batch) -> None:
        checkpoint = Checkpoint(batch.rows.last, batch.fingerprint)
        self._checkpoint = max(self._checkpoint or checkpoint, checkpoint)

    def _write(self) -> None:
        """Write the outcomes, in place of those that were written when the ledger could not be."""
        if self.lines:
            self._outcomes.write(self.lines, again=self._lines_written)
            self._lines_written = True
            self._earlier.settled.update(self._settled)

    def store(self, tickets: Sequence[Ticket], meanwhile: Callable[[], None] = lambda: None) -> list[Ticket]:
        """
        Store what is known, the outcomes first, and what is to be sent next.

        :param tickets: none of them may be sent before this returns.
        :param meanwhile: called once the outcomes are written: starts what may run while the ledger is.
        :return: the tickets that are sent, without contacts that history holds back; those of which it holds back all
            are settled.
        """
        held: Mapping[int, HeldBack] = {}
        self._write()
        meanwhile()
        if self._settled or self._released or self._requests or tickets:
            for ticket in tickets:
                self._reach(ticket.batch)
            held = self._record(tickets)
        if tickets and self._first_intent:
            # Until now nobody on the lists of unsent contacts was sent to; from now on they may be.
            self._outcomes.forget_earlier()
            self._first_intent = False
        self._clear()
        self._lines_written = False
        left = [without(ticket, held) for ticket in tickets] if held else tickets
        for ticket in left:
            if not ticket.contacts:
                self.settle(ticket.batch, ticket.others)
        return [ticket for ticket in left if ticket.contacts]

    def rescue(self, tickets: Sequence[Ticket]) -> None:
        """
        Store what can be, after a failure to store.

        :param tickets: perhaps intended, and not sent.
        """
        # Unless it can be stored, it will not be known what became of them.
        self._earlier.unresolved.update(self._settled)
        self._released += [ticket.batch.rows for ticket in tickets if not ticket.intended]
        try:
            self._write()
        except Exception:
            self.tally.subtract(self._added)
            with suppress(Exception):
                change = Change(counts={"requests": self._requests}, released=self._released)
                self._ledger.record(change, lambda _: self._release())
            raise
        with suppress(Exception):
            self._record()

    def _record(self, tickets: Sequence[Ticket] = ()) -> Mapping[int, HeldBack]:
        """Store in the ledger what is known, and what comes next; return whom history holds back, by row."""
        held: Mapping[int, HeldBack] = {}

        def along(intends: bool) -> None:
            nonlocal held
            self._release()
            self._history.settle(self._ends())
            held = self._reserve(tickets) if intends else {}

        self._ledger.record(
            Change(
                settled=self._settled,
                counts=self._added.counts + Counter(requests=self._requests),
                unknown=[line["row"] for line in self.lines if line["status"] == "unknown"],
                intended=[ticket.batch.rows for ticket in tickets if not ticket.intended],
                resent=[row for ticket in tickets if ticket.counted for row, _ in ticket.contacts],
                released=self._released,
                checkpoint=self._checkpoint,
            ),
            along,
        )
        return held

    # --- history

    def _release(self) -> None:
        for rows in self._released:
            self._history.release(*rows)

    def _ends(self) -> Iterator[ContactEnd]:
        """Yield what became of contacts that could be sent to."""
        for batch, lines in self._ended:
            contacts = dict(batch.contacts)
            for line in lines:
                if contact := contacts.get(line["row"]):
                    yield ContactEnd(line["row"], contact, line["status"], line["reason"], line["vendor_id"])

    def _reserve(self, tickets: Sequence[Ticket]) -> Mapping[int, HeldBack]:
        sent = [ticket for ticket in tickets if ticket.looks_up_since is None]
        again = {row for ticket in sent if ticket.resent for row, _ in ticket.contacts}
        return self._history.reserve([contact for ticket in sent for contact in ticket.contacts], again)
