"""Xtremepush: what a row of ``list/push-devices`` says of whom a message was for (reference/push-list-device)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.vendors.common.opt_outs import SubscriptionChange
from airflow_provider_campaigns.vendors.common.reply_values import text
from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind, Result, other_fields

# The page documents device_id; the others name a target where a row has them.
NAMES: Mapping[str, NameKind] = {
    "user_id": "id",
    "external_id": "id",
    "email": "email",
    "token": "id",
    "device_id": "id",
}
# A user may have several devices: the one that was reached counts.
RANKS: Mapping[Result, int] = {"failed": 0, "bounced": 0, "opted_out": 1, "delivered": 2, "opened": 3}
_NO = frozenset({"", "0", "false", "none"})
# No list of messages is published; the samples are "Not personalized" and "DEVICE_UNREGISTERED".
_WORDS: Mapping[str, Result] = {"bounce": "bounced", "unsubscribed": "opted_out", "opted out": "opted_out"}


def read_push(row: Mapping[str, Any]) -> ContactResult:
    """
    Return what a row says: ``delivered`` when it has no error, which is all that the page promises.

    ``open`` and ``click``, which public code reads from another list, count where a row has them.
    """
    result = _result(row)
    return ContactResult(
        names=tuple((kind, name) for field, kind in NAMES.items() if (name := text(row.get(field)))),
        result=result,
        at=sent_at(row),
        vendor_id=text(row.get("id")) or text(row.get("action_id")),
        # A push token is the device's address.
        details=other_fields(row, "token", "email"),
        rank=RANKS[result],
    )


def read_subscription(row: Mapping[str, Any]) -> SubscriptionChange:
    """Return what a row of ``list/profile-subscription`` says; any other status than 1 counts as opted out."""
    return SubscriptionChange(row, (text(row.get("status")) or "").lower() in {"1", "true"})


def sent_at(row: Mapping[str, Any]) -> datetime | None:
    """Return when a message was sent: seconds since the epoch or text, which is UTC unless it says otherwise."""
    value = row.get("create_time")
    with suppress(ValueError, TypeError, OverflowError, OSError):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        when = datetime.fromisoformat(str(value).strip())
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None


def _result(row: Mapping[str, Any]) -> Result:
    if _is_set(row.get("error")):
        said = (text(row.get("error_message")) or "").lower()
        return next((result for word, result in _WORDS.items() if word in said), "failed")
    return "opened" if _is_set(row.get("open")) or _is_set(row.get("click")) else "delivered"


def _is_set(value: object) -> bool:
    return str(value).lower() not in _NO
