"""What a delivery asks of the contact history of all deliveries: whom it may not contact, and to note whom it did."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from airflow_provider_campaigns.protocol.send import Contact

SUPPRESSED = "on the suppression list"
MAYBE_SUPPRESSED = (
    # As in exclude.
    "may be somebody on the suppression list: without + and country code the number may be one of several countries"
)


class HeldBack(NamedTuple):
    """Why a contact is not sent to: ``capped``, or ``invalid`` for who is on the suppression list."""

    status: Literal["capped", "invalid"]
    reason: str


class ContactEnd(NamedTuple):
    """What became of one contact of a delivery."""

    row: int
    contact: Contact
    status: str
    reason: str | None
    vendor_id: str | None


class ContactHistory(Protocol):
    """Notes who is contacted, and holds back who may not be; all of it is repeatable: a second time changes nothing."""

    def reserve(self, contacts: Sequence[tuple[int, Contact]], again: Collection[int] = ()) -> Mapping[int, HeldBack]:
        """
        Note contacts that are about to be sent to, and return those that must not be, by row.

        :param contacts: each with its row number; one that this delivery reserved before is its own.
        :param again: rows that may have been sent before: what was noted of them stands when they are held back.
        """

    def settle(self, ends: Iterable[ContactEnd]) -> None:
        """Note what became of contacts; who was not reached counts for no cap any more."""

    def release(self, first: int, last: int) -> None:
        """Give back what rows from first to last reserved: their request did not arrive."""

    def settle_intended(self, status: str, vendor_id: str | None = None, check: Callable[[], object] = bool) -> None:
        """
        Note the same of all contacts that were reserved, and of which nothing else is noted.

        :param check: is asked while they are locked, and raises if that must not be noted.
        """

    def held_back(self, first: int, last: int) -> Mapping[int, HeldBack]:
        """Return the rows from first to last that an earlier try of this delivery held back."""

    def end(self, state: Literal["complete", "incomplete"], counts: Mapping[str, Any]) -> None:
        """Note how a try ended, given its receipt."""


class NoHistory:
    """The history of a delivery that keeps none."""

    def reserve(self, contacts: Sequence[tuple[int, Contact]], again: Collection[int] = ()) -> Mapping[int, HeldBack]:
        """Hold nobody back."""
        return {}

    def settle(self, ends: Iterable[ContactEnd]) -> None:
        """Note nothing."""

    def release(self, first: int, last: int) -> None:
        """Note nothing."""

    def settle_intended(self, status: str, vendor_id: str | None = None, check: Callable[[], object] = bool) -> None:
        """Note nothing."""

    def held_back(self, first: int, last: int) -> Mapping[int, HeldBack]:
        """Return nobody."""
        return {}

    def end(self, state: Literal["complete", "incomplete"], counts: Mapping[str, Any]) -> None:
        """Note nothing."""
