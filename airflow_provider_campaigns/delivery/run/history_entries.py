"""Writes to the contact history, in one transaction with the ledger if both are in one database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.senders import Ticket
from airflow_provider_campaigns.protocol.history import ContactEnd, ContactHistory, HeldBack, NoHistory

Ended = Sequence[tuple[Batch, Sequence[Outcome]]]

# Statuses of contacts that were reached, or may have been.
REACHED = ("accepted", "unknown")


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

    def store(self, intends: bool, is_latest: Callable[[], bool]) -> None:
        """
        Store it; may be called twice.

        :param intends: what is sent next is stored, too.
        :param is_latest: whether this is the latest try. If not, the latest may be sending to whom this one did not
            reach, or may have reached them: then it says so.
        """
        if isinstance(self._history, NoHistory):
            return
        released, ends = self._released, list(self._ends())
        if (released or any(end.status not in REACHED for end in ends)) and not is_latest():
            released, ends = (), [end for end in ends if end.status in REACHED]
        for rows in released:
            self._history.release(*rows)
        self._history.settle(ends)
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
