"""The outcome of one row of the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.send import ContactReply

Status = Literal["accepted", "duplicate", "rejected", "invalid", "capped", "unsent", "unknown"]
STATUSES: tuple[Status, ...] = get_args(Status)


class Outcome(TypedDict):
    """
    One row's end; unused fields are None.

    ``row`` counts from 1 (the header of a CSV file is not a row); ``key`` is the contact's phone number, e-mail
    address or id; ``reason`` is ours, ``message`` the vendor's (masked).
    """

    row: int
    key: str | None
    status: Status
    reason: str | None
    vendor_id: str | None
    url: str | None
    message: str | None


def outcome(row: int, key: str | None, status: Status, reason: str | None = None) -> Outcome:
    """Return the outcome of a contact of which the vendor said nothing."""
    return {
        "row": row,
        "key": key,
        "status": status,
        "reason": reason,
        "vendor_id": None,
        "url": None,
        "message": None,
    }


def replied(row: int, key: str, reply: ContactReply) -> Outcome:
    """Return the outcome of a contact the vendor answered for."""
    return {
        "row": row,
        "key": key,
        "status": reply.status,
        "reason": reply.reason,
        "vendor_id": reply.vendor_id,
        "url": reply.url,
        "message": reply.message,
    }


def count(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how many contacts ended with each status."""
    return Counter(line["status"] for line in outcomes)
