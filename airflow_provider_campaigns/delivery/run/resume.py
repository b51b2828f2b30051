"""What earlier tries of a delivery did, and what that means for each batch of this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from operator import itemgetter

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.plan.reading import LEFT_OUT
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome, Status, outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.delivery.run.tally import OutcomeTally
from airflow_provider_campaigns.protocol.history import ContactHistory
from airflow_provider_campaigns.protocol.send import Contact, LooksUp, Send

# Status and reason of contacts that were not dealt with when a try ended.
UNSENT: tuple[Status, str] = ("unsent", "the run ended first")
UNRESOLVED: tuple[Status, str] = ("unknown", "a try ended while it was being sent")
# Of contacts that are not sent again once more.
EXHAUSTED: tuple[Status, str] = ("unknown", "sent as often as max_resends allows, without an answer")

Numbered = tuple[int, Contact]


class Way(Enum):
    """What is done with the contacts of a batch."""

    SEND = auto()
    SEND_AGAIN = auto()
    LOOK_UP = auto()
    REPORT_UNKNOWN = auto()


class EarlierTries:
    """
    The earlier tries, as the ledger and the outcomes have them.

    :param send: the vendor's send.
    :param ledger: their record.
    :param outcomes: their outcomes.
    :param limits: whether, and how often, contacts are sent to again whose outcome is unknown.
    :param history: knows whom they held back.
    :raises LedgerError: outcomes are damaged.
    """

    def __init__(self, send: Send, ledger: Ledger, outcomes: Outcomes, limits: Limits, history: ContactHistory) -> None:
        self._send = send
        self._history = history
        self._ledger = ledger
        self._resend = limits.on_unknown == "resend"
        self._max_resends = limits.max_resends
        self._others_left_out = ledger.others_left_out
        self._stored: dict[int, Outcome] = {}
        self.settled, self.unresolved = ledger.rows()
        """The rows that are done, and those of which no more is known than that they were intended."""
        if self.unresolved and outcomes.unsent_by() >= ledger.last_active:
            # Its ledger could not be reached any more, and it said there that it had not sent to them.
            unsent = (line["row"] for line in outcomes.unsent() if line["status"] == "unsent")
            self.unresolved.discard(Rows(row, row) for row in unsent)
        self.tally = OutcomeTally()
        """The outcomes of settled rows."""
        self.missing = self.settled.copy()
        """Settled rows whose outcomes are gone."""
        self.held = ledger.held
        """Outcomes of settled rows that the ledger holds, without keys; no part has to have them."""
        unknown = RowSet()
        for line in outcomes.written() if ledger.began else ():
            row = line["row"]
            if row in self.unresolved:
                self._stored[row] = line
            elif row not in self.settled or row in self.held:
                # What is held is written again: a part may have it, or an outcome from before the row was sent again.
                continue
            elif self._may_send_again(row, line["status"]):
                unknown.add(Rows(row, row))
                self.missing.remove(Rows(row, row))
            else:
                self.tally.add([line])
                self.missing.remove(Rows(row, row))
        if self._resend:
            lost = [row for rows in ledger.ended["unknown"] or () for row in range(rows.first, rows.last + 1)]
            lost += [row for row, line in self.held.items() if line["status"] == "unknown"]
            unknown.update(Rows(row, row) for row in lost if row in self.missing and self._resends_left(row) > 0)
            self.missing.discard(unknown)
            self.settled.discard(unknown)
            self.unresolved.update(unknown)

    @property
    def may_have_sent(self) -> bool:
        """Whether a contact may have been sent to."""
        return bool(self.unresolved or self.held or self.tally.counts["accepted"] or self.tally.counts["unknown"])

    def ticket(self, batch: Batch) -> Ticket:
        """Return how a batch is to be dealt with; without contacts there is nothing to be sent."""
        known = self._known(batch)
        rows = {line["row"] for line in known}
        contacts = [one for one in batch.contacts if one[0] not in rows] if rows else batch.contacts
        others = [*known, *(line for line in self._not_sent(batch) if line["row"] not in rows)]
        match self._way(batch):
            case Way.SEND:
                resends = self._max_resends if self._resend else 0
                return Ticket(batch, contacts, others, resent=batch.earlier, resends=resends)
            case Way.SEND_AGAIN:
                return self.again(Ticket(batch, contacts, others))
            case Way.LOOK_UP:
                return Ticket(
                    batch, contacts, others, resent=True, looks_up_since=self._ledger.first_intended_at(batch.rows)
                )
            case Way.REPORT_UNKNOWN:
                unknown = [outcome(row, contact.key, *UNRESOLVED) for row, contact in contacts]
                return Ticket(batch, (), [*others, *unknown])

    def again(self, ticket: Ticket) -> Ticket:
        """Return what sends a ticket again: to those of its contacts to whom it was not sent too often."""
        sendable = [one for one in ticket.contacts if self._resends_left(one[0]) > 0]
        exhausted = [outcome(row, contact.key, *EXHAUSTED) for row, contact in ticket.contacts if self._exhausted(row)]
        left = min((self._resends_left(row) for row, _ in sendable), default=0)
        return Ticket(
            ticket.batch, sendable, [*ticket.others, *exhausted], resent=True, resends=max(0, left - 1), counted=True
        )

    def may_send_again(self, contacts: Sequence[Numbered]) -> bool:
        """Whether some of these contacts, whom a look-up did not find, are to be sent to again."""
        return self._resend and any(self._resends_left(row) > 0 for row, _ in contacts)

    def unfinished(self, batches: Iterable[Batch]) -> Iterator[Outcome]:
        """Yield the outcomes of batches that a try which ended early did not reach."""
        for batch in batches:
            known = {line["row"]: line for line in self._known(batch)}
            status, reason = UNRESOLVED if batch.earlier else UNSENT
            lines = [known.get(row) or outcome(row, contact.key, status, reason) for row, contact in batch.contacts]
            yield from sorted([*self._not_sent(batch), *lines], key=itemgetter("row"))

    def _way(self, batch: Batch) -> Way:
        """Decide what is done with the contacts of a batch."""
        if not batch.earlier or self._send.safe_to_resend:
            return Way.SEND
        if isinstance(self._send, LooksUp):
            # Also before they are sent to again: who is found was reached.
            return Way.LOOK_UP
        return Way.SEND_AGAIN if self._resend else Way.REPORT_UNKNOWN

    def _resends_left(self, row: int) -> int:
        return max(0, self._max_resends - self._ledger.resends(row))

    def _exhausted(self, row: int) -> bool:
        return self._resends_left(row) == 0

    def _may_send_again(self, row: int, status: Status) -> bool:
        return self._resend and status == "unknown" and not self._exhausted(row)

    def _not_sent(self, batch: Batch) -> Iterable[Outcome]:
        """Return the outcomes of rows that this try does not send; who opted out since may have been sent to."""
        if not batch.earlier or not self._others_left_out:
            return batch.outcomes
        return [
            outcome(line["row"], line["key"], *UNRESOLVED) if line["reason"] in LEFT_OUT else line
            for line in batch.outcomes
        ]

    def _known(self, batch: Batch) -> list[Outcome]:
        """Return the outcomes of a batch that an earlier try stored, or decided, and did not settle."""
        if not batch.earlier:
            return []
        rows = range(batch.rows.first, batch.rows.last + 1) if self._stored else ()
        lines = [self._stored[row] for row in rows if row in self._stored]
        held = self._history.held_back(*batch.rows)
        lines += [
            outcome(row, contact.key, *held[row])
            for row, contact in batch.contacts
            if row in held and row not in self._stored
        ]
        sends_again = self._resend or self._send.safe_to_resend
        return [line for line in lines if not (sends_again and line["status"] == "unknown")]
