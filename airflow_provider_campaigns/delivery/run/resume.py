"""What earlier tries of a delivery did, and what that means for each batch of this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter

from airflow_provider_campaigns.delivery.plan.batches import LEFT_OUT, Batch
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, Status, outcome
from airflow_provider_campaigns.delivery.record.outcomes import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import RowSet
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.protocol.send import LooksUp, Send

# How often ``on_unknown="resend"`` sends a batch again within one try.
RESENDS = 3

# Status and reason of contacts that were not dealt with when a try ended.
UNSENT: tuple[Status, str] = ("unsent", "the run ended first")
UNRESOLVED: tuple[Status, str] = ("unknown", "a try ended while it was being sent")


class EarlierTries:
    """
    The earlier tries, as the ledger and the outcomes tell of them.

    :param send: the vendor's send.
    :param ledger: their record.
    :param outcomes: their outcomes.
    :param resend: send again to contacts of which nobody knows whether they were sent to.
    """

    def __init__(self, send: Send, ledger: Ledger, outcomes: Outcomes, *, resend: bool) -> None:
        self._send = send
        self._resend = resend
        self._ledger = ledger
        self._others_left_out = ledger.others_left_out
        self._stored: dict[int, Outcome] = {}
        self.counts: Counter[str] = Counter({status: ledger.counts[status] for status in STATUSES})
        """Contacts by status."""
        self.settled, self.unresolved = ledger.rows()
        """The rows that are done, and those of which nobody knows more than that they were intended."""
        if self.unresolved:
            last = outcomes.last_parts()
            self._stored = {line["row"]: line for line in last if line["row"] in self.unresolved}
        if resend and ledger.began:
            unknown = RowSet((line["row"], line["row"]) for line in outcomes.read() if line["status"] == "unknown")
            self.settled.discard(unknown)
            self.unresolved.update(unknown)
            self.counts["unknown"] = 0

    @property
    def may_have_sent(self) -> bool:
        """Whether a contact may have been sent to."""
        return bool(self.unresolved or self.counts["accepted"] or self.counts["unknown"])

    def ticket(self, batch: Batch) -> Ticket:
        """Return how a batch is to be dealt with; without contacts there is nothing to be sent."""
        known = [line for line in self._stored_of(batch) if not (self._resend and line["status"] == "unknown")]
        rows = {line["row"] for line in known}
        contacts = [one for one in batch.contacts if one[0] not in rows] if rows else batch.contacts
        others = [*known, *(line for line in self._not_sent(batch) if line["row"] not in rows)]
        resends = RESENDS if self._resend else 0
        if batch.earlier and not self._send.safe_to_resend:
            if isinstance(self._send, LooksUp):
                # Also before they are sent to again: who is found was reached.
                since = self._ledger.first_intended_at(batch.rows)
                return Ticket(batch, contacts, others, resent=True, resends=resends, looks_up_since=since)
            if not self._resend:
                unknown = [outcome(row, contact.key, *UNRESOLVED) for row, contact in contacts]
                return Ticket(batch, (), [*others, *unknown])
        return Ticket(batch, contacts, others, resent=batch.earlier, resends=resends)

    def unfinished(self, batches: Iterable[Batch]) -> Iterator[Outcome]:
        """Yield the outcomes of batches that a try which ended early did not come to."""
        for batch in batches:
            status, reason = UNRESOLVED if batch.earlier else UNSENT
            lines = [outcome(row, contact.key, status, reason) for row, contact in batch.contacts]
            yield from sorted([*self._not_sent(batch), *lines], key=itemgetter("row"))

    def _not_sent(self, batch: Batch) -> Iterable[Outcome]:
        """Return the outcomes of rows that this try does not send; who opted out since may have been sent to."""
        if not batch.earlier or not self._others_left_out:
            return batch.outcomes
        return [
            outcome(line["row"], line["key"], *UNRESOLVED) if line["reason"] in LEFT_OUT else line
            for line in batch.outcomes
        ]

    def _stored_of(self, batch: Batch) -> list[Outcome]:
        """Return the outcomes of a batch that an earlier try stored, and did not settle."""
        rows = range(batch.rows.first, batch.rows.last + 1) if batch.earlier else ()
        return [self._stored[row] for row in rows if row in self._stored]
