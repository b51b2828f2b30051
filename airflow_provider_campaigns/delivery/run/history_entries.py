"""Writes to the contact history, in one transaction with the ledger if both are in one database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.protocol.history import ContactEnd, ContactHistory, HeldBack

Ended = Sequence[tuple[Batch, Sequence[Outcome]]]


class HistoryEntries:
    """
    What one write of the ledger means for history.

    :param ended: batches, with their outcomes.
    :param released: intended ranges that did not arrive.
    :param tickets: what is sent next.
    """

    def __init__(
        self, history: ContactHistory, ended: Ended, released: Sequence[Rows], tickets: Sequence[Ticket] = ()
    ) -> None:
        self._history = history
        self._ended = ended
        self._released = released
        self._tickets = tickets
        self.held_back: Mapping[int, HeldBack] = {}
        """Whom it holds back of those who would be sent to, by row."""

    def store(self, intends: bool) -> None:
        """
        Store it; may be called twice.

        :param intends: what is sent next is stored, too.
        """
        for rows in self._released:
            self._history.release(*rows)
        self._history.settle(self._ends())
        self.held_back = self._reserve() if intends else {}

    def _ends(self) -> Iterator[ContactEnd]:
        """Yield what became of contacts that could be sent to."""
        for batch, lines in self._ended:
            contacts = dict(batch.contacts)
            for line in lines:
                if contact := contacts.get(line["row"]):
                    yield ContactEnd(line["row"], contact, line["status"], line["reason"], line["vendor_id"])

    def _reserve(self) -> Mapping[int, HeldBack]:
        sent = [ticket for ticket in self._tickets if ticket.looks_up_since is None]
        again = {row for ticket in sent if ticket.resent for row, _ in ticket.contacts}
        return self._history.reserve([contact for ticket in sent for contact in ticket.contacts], again)
