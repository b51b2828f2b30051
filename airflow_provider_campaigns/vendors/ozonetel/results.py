"""Ozonetel: what a call record says of the lead that was dialled ("Fetch CDR by pagination")."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_provider_campaigns.vendors.common.reply_values import text
from airflow_provider_campaigns.vendors.common.results import ContactResult, Result, other_fields
from airflow_provider_campaigns.vendors.ozonetel.dialect import INDIA

# Status, CustomerDialStatus and DialStatus of call records, and DialStatus of callbacks (callback-url-configuration).
RESULTS: Mapping[str, Result] = {
    "answered": "answered",
    "unanswered": "no_answer",
    "notanswered": "no_answer",
    "noanswer": "no_answer",
    "ring": "no_answer",
    "busy": "busy",
    "userbusy": "busy",
    "invalidnumber": "failed",
    "exception": "failed",
    "failed": "failed",
}
# The call's own status; if that is no answer, the customer's line says more of why.
STATUSES = ("CustomerDialStatus", "DialStatus", "Status")
NUMBERS = ("CallerID", "E164")


def read_call(call: Mapping[str, Any]) -> ContactResult:
    """Return what a call record says of the number that was dialled."""
    words = {name: "".join(filter(str.isalnum, (text(call.get(name)) or "").lower())) for name in STATUSES}
    if words["Status"] == "answered":
        result: Result | None = "answered"
    else:
        result = next((RESULTS[word] for word in words.values() if word in RESULTS), None)
    return ContactResult(
        names=tuple(("phone", number) for name in NUMBERS if (number := text(call.get(name)))),
        result=result or "pending",
        at=_instant(call),
        vendor_id=text(call.get("CallID")) or text(call.get("UCID")),
        # Callbacks repeat the account's key; whether records do is not documented.
        details=other_fields(call, *NUMBERS, "CallID", "Apikey", "apiKey", "ApiKey"),
        unknown=None if result else text(call.get("Status")) or "no status",
    )


def _instant(call: Mapping[str, Any]) -> datetime | None:
    """Return when a call ended, else began, in the time of India, as the records are."""
    day = (text(call.get("CallDate")) or "")[:10]
    for name in ("EndTime", "StartTime"):
        try:
            return datetime.fromisoformat(f"{day} {(text(call.get(name)) or '')[-8:]}").replace(tzinfo=INDIA)
        except ValueError:
            continue
    return None
