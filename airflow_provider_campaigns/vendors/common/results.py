"""What became of a contact after a delivery, in one form for all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from airflow_provider_campaigns.identity import Kind

Result = Literal[
    "delivered",
    "answered",
    "no_answer",
    "busy",
    "failed",
    "responded",
    "opened",
    "completed",
    "bounced",
    "opted_out",
    "pending",
]
RESULTS: tuple[Result, ...] = get_args(Result)

NameKind = Kind | Literal["vendor_id"]
"""What names a contact in a vendor's list: whom it contacted, or its own id for the contact (of an outcome)."""


@dataclass(frozen=True, slots=True)
class ContactResult:
    """
    One item of a vendor's list: a call, a request, a response, a message.

    :param names: who it is about, the surest name first.
    :param result: what became of the contact.
    :param at: when, None when the vendor does not say.
    :param vendor_id: the item's id at the vendor.
    :param details: the item, as far as it may be stored.
    :param rank: of several items of a contact the highest counts, among equals the latest.
    :param unknown: a status that the vendor does not document, taken for ``pending``.
    """

    names: tuple[tuple[NameKind, str], ...]
    result: Result
    at: datetime | None
    vendor_id: str | None
    details: Mapping[str, Any]
    rank: int = 0
    unknown: str | None = None


def other_fields(item: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return an item without what stands in other columns of a result already, and without empty fields."""
    return {name: value for name, value in item.items() if name not in names and value not in (None, "", [], {})}
