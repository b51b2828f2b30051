"""Collect: what a request in the list of a campaign's requests says of its contact."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_campaigns.vendors.collect.dialect import parse_date
from airflow_provider_campaigns.vendors.common.reply_values import mapping, text
from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind, Result

# "waiting": all was handed in, and a user has to check it. Cancelled and archived requests are never completed.
RESULTS: Mapping[str, Result] = {
    "completed": "completed",
    "waiting": "responded",
    "pending": "pending",
    "due": "pending",
    "error": "failed",
    "cancelled": "failed",
    "canceled": "failed",
    "archived": "failed",
}
# The list leaves these out unless they are asked for.
HIDDEN = ("cancelled", "archived")
# What of a request may be stored: not its documents, whose addresses are signed.
SHOWN = ("status", "createdAt", "dueDate", "assignedTo")


def read_request(request: Mapping[str, Any], since: datetime | None = None) -> ContactResult:
    """
    Return what a request says of its contact.

    :param since: when the delivery began, None if that is not known; a request that may be older is only that of the
        outcome which has its id.
    """
    status, vendor_id = text(request.get("status")) or "", text(request.get("_id"))
    result = RESULTS.get(status)
    names: list[tuple[NameKind, str]] = [("vendor_id", vendor_id)] if vendor_id else []
    created = parse_date(request.get("createdAt"))
    if since is not None and created is not None and created >= since.replace(microsecond=0):
        contact = mapping(request.get("contact"))
        email, contact_id = text(contact.get("email")), text(contact.get("_id")) or text(request.get("contact"))
        names += [("email", email)] if email else []
        names += [("id", contact_id)] if contact_id else []
    return ContactResult(
        names=tuple(names),
        result=result or "pending",
        # When a request was completed is in no documented field.
        at=None,
        vendor_id=vendor_id,
        details={name: request[name] for name in SHOWN if request.get(name) is not None},
        # A status of the account's own is no end.
        unknown=None if result else status,
    )
