"""
What became of requests, from the answer until it is stored: outcomes first, then settlements, in one write each.

In object storage each part is a request. There the ledger holds outcomes, settled with them in one write, until a part
is due: ``BETWEEN_PARTS`` seconds after the last one, when there are ``MOST_HELD``, and in the end. A part that is not
full is written again with the outcomes that were added, in place of itself.

======================================  =========================================================================
a crash …                               a later try …
======================================  =========================================================================
before they are held, or in a part      does not have them: the rows are intended, and nothing else
while the ledger holds them             takes them from there, and writes them to a part of its own
after the part, before the ledger       takes them from the ledger, or, if they were never held, settles the rows
forgets them                            from the part; what it writes again counts in place of the same outcome
======================================  =========================================================================
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.plan.reading import always_invalid
from airflow_provider_campaigns.delivery.record.held import MOST_CHARACTERS, MOST_HELD, pack
from airflow_provider_campaigns.delivery.record.ledger import Change, Checkpoint, Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome, Status
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.history_entries import HistoryEntries
from airflow_provider_campaigns.delivery.run.replies import without
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.delivery.run.tally import OutcomeTally
from airflow_provider_campaigns.protocol.history import ContactHistory, HeldBack

# Seconds between two parts in object storage, unless there are very many outcomes.
BETWEEN_PARTS = 5.0
# Outcomes from which on such a part is full, and another one begins.
FULL = 1_000
# Outcomes that are kept in memory before they are stored, beside those of the requests that are answered.
MOST_UNSTORED = 10_000


class WriteBuffer:
    """
    What is known and not yet stored.

    :param ledger: gets settlements, intents and counts.
    :param outcomes: gets a part for every ``store``, or when one is due.
    :param earlier: what earlier tries did; it learns what is stored here.
    :param history: of all deliveries; it is stored with the ledger, in the same transaction if it keeps that, too.
    :param clock: seconds, monotonic.
    """

    def __init__(
        self,
        ledger: Ledger,
        outcomes: Outcomes,
        earlier: EarlierTries,
        history: ContactHistory,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._history = history
        self._outcomes = outcomes
        self._earlier = earlier
        self.tally: OutcomeTally = earlier.tally
        """The outcomes of settled rows, of all tries, whether stored or not."""
        self._clock = clock
        self._next_part = clock() + BETWEEN_PARTS
        self._part: list[Outcome] = []
        self._held: list[Outcome] = []
        self._held_characters = 0
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
        """Write the outcomes, in place of a part that is not full, or that the ledger could not record."""
        if self._held or self.lines:
            lines = [*self._part, *self._held, *self.lines]
            self._outcomes.write(lines, again=self._lines_written or bool(self._part))
            self._lines_written = True
            self._earlier.settled.update(self._settled)

    def _to_hold(self) -> str | None:
        """Return the new outcomes as the ledger is to hold them; None: a part is due."""
        if not self._outcomes.holds:
            return None
        if len(self._held) + len(self.lines) >= MOST_HELD or self._clock() >= self._next_part:
            return None
        text = pack(self.lines) if self.lines else ""
        return text if self._held_characters + len(text) <= MOST_CHARACTERS else None

    def store(self, tickets: Sequence[Ticket], meanwhile: Callable[[], None] = lambda: None) -> list[Ticket]:
        """
        Store what is known, the outcomes first, and what is to be sent next.

        :param tickets: none of them may be sent before this returns.
        :param meanwhile: called once the outcomes are written: starts what may run while the ledger is.
        :return: the tickets that are sent, without contacts that history holds back; those of which it holds back all
            are settled.
        """
        held_back: Mapping[int, HeldBack] = {}
        # Those that follow one another are added as one range.
        self._settled.sort()
        hold = self._to_hold()
        if hold is None:
            self._write()
        meanwhile()
        if self._lines_written or self._settled or self._released or self._requests or tickets:
            for ticket in tickets:
                self._reach(ticket.batch)
            held_back = self._record(tickets, hold or "")
            self._earlier.settled.update(self._settled)
        # What is stored is not stored once more, whatever fails from here on.
        self._stored(hold or "")
        if tickets and self._first_intent:
            # Until now nobody on the lists of unsent contacts was sent to; from now on they may be.
            self._outcomes.forget_earlier()
            self._first_intent = False
        left = [without(ticket, held_back) for ticket in tickets]
        for ticket in left:
            if not ticket.contacts:
                self.settle(ticket.batch, ticket.others)
        return [ticket for ticket in left if ticket.contacts]

    def flush(self) -> None:
        """Write a part of the outcomes that the ledger holds."""
        if self._held:
            self._write()
            self._record()
            self._stored()

    def _stored(self, hold: str = "") -> None:
        """Begin again, after all was stored: in a part, or held by the ledger."""
        if self._lines_written:
            part = [*self._part, *self._held, *self.lines] if self._outcomes.holds else []
            self._part = part if len(part) < FULL else []
            self._held, self._held_characters = [], 0
            self._next_part = self._clock() + BETWEEN_PARTS
        else:
            self._held += self.lines
            self._held_characters += len(hold)
        self._clear()
        self._lines_written = False

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
                entries = HistoryEntries(self._history, (), self._released)
                change = Change(counts={"requests": self._requests}, released=self._released)
                self._ledger.record(change, entries.store)
            raise
        with suppress(Exception):
            self._record()

    def _record(self, tickets: Sequence[Ticket] = (), hold: str = "") -> Mapping[int, HeldBack]:
        """Store in the ledger what is known, and what comes next; return whom history holds back, by row."""
        entries = HistoryEntries(self._history, self._ended, self._released, tickets)
        self._ledger.record(
            Change(
                settled=self._settled,
                counts=self._added.counts + Counter(requests=self._requests),
                ended=self._not_accepted(),
                intended=[ticket.batch.rows for ticket in tickets if not ticket.intended],
                resent=[row for ticket in tickets if ticket.counted for row, _ in ticket.contacts],
                released=self._released,
                checkpoint=self._checkpoint,
                hold=hold,
                stored=self._lines_written,
            ),
            entries.store,
        )
        return entries.held_back

    def _not_accepted(self) -> Mapping[Status, Sequence[int]]:
        """Return the settled rows that were not accepted, by status, but for those that nobody can be sent to."""
        rows: dict[Status, list[int]] = {}
        for batch, lines in self._ended:
            found = [(line["row"], line["status"]) for line in lines if line["status"] != "accepted"]
            invalid = {line["row"] for line in batch.outcomes if always_invalid(line)} if found else ()
            for row, status in found:
                if row not in invalid:
                    rows.setdefault(status, []).append(row)
        return rows
