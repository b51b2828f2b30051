"""Exotel: what the calls of a campaign say of whom it rang ("call details of a single campaign")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.vendors.common.reply_values import items, text
from airflow_provider_campaigns.vendors.common.results import ContactResult, Result, other_fields
from airflow_provider_campaigns.vendors.exotel.status import DONE, FAILED, instant, normalise

# "Call details" lists completed, failed, busy and no-answer; the others are those of any call (error-codes).
RESULTS: Mapping[str, Result] = {
    "completed": "answered",
    "busy": "busy",
    "noanswer": "no_answer",
    "failed": "failed",
    "canceled": "failed",
    "queued": "pending",
    "ringing": "pending",
    "inprogress": "pending",
}


def read_call(call: Mapping[str, Any]) -> ContactResult:
    """Return what a call says of the number that it rang."""
    status = text(call.get("status")) or ""
    result = RESULTS.get(normalise(status))
    number = text(call.get("number"))
    return ContactResult(
        names=(("phone", number),) if number else (),
        result=result or "pending",
        at=next(filter(None, (instant(call.get(name)) for name in ("end_time", "start_time", "date_created"))), None),
        vendor_id=text(call.get("call_sid")),
        details=other_fields(call, "number", "call_sid", "end_time"),
        unknown=None if result else status,
    )


def numbers_of(campaign: Mapping[str, Any]) -> list[str]:
    """Return the numbers of a campaign in its order; none of one that rings contact lists."""
    numbers = campaign.get("from")
    if isinstance(numbers, str):
        numbers = numbers.split(",")
    return [number for number in map(text, items(numbers)) if number]


def is_over(campaign: Mapping[str, Any]) -> bool:
    """Whether a campaign makes no more calls: whom it has not rung by then counts as failed (FAQ)."""
    return normalise(text(campaign.get("status")) or "") in DONE | FAILED
