"""Xebo: what a response in the export says of the respondent (/get-responses-json-format)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.vendors.common.reply_values import text
from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind, Result, other_fields

# Of the export: 0 partial, 1 complete, 2 disqualified; words of the call that inserts responses.
RESULTS: Mapping[str, Result] = {
    "0": "responded",
    "partial": "responded",
    "1": "completed",
    "complete": "completed",
    "2": "responded",
    "disqualified": "responded",
}
ALL_STATUSES = (0, 1, 2)
NAMES: Mapping[str, NameKind] = {"extUniqueId": "id", "email": "email", "mobile": "phone"}
# The export's fields are not published: these are likely ones.
STATUSES = ("response_status", "status")
TIMES = ("submitted_at", "completed_at", "end_time", "updated_at", "created_at")
IDS = ("response_id", "id", "_id")


def read_response(response: Mapping[str, Any]) -> ContactResult:
    """Return what a response says of the contact whose ``extUniqueId``, ``email`` or ``mobile`` it has."""
    status = next(filter(None, (text(response.get(name)) for name in STATUSES)), "")
    result = RESULTS.get(status.lower(), "responded")
    return ContactResult(
        names=tuple((kind, name) for field, kind in NAMES.items() if (name := text(response.get(field)))),
        result=result,
        at=next(filter(None, (_instant(response.get(name)) for name in TIMES)), None),
        vendor_id=next(filter(None, (text(response.get(name)) for name in IDS)), None),
        details=other_fields(response, *NAMES),
        rank=int(result == "completed"),
    )


def _instant(value: object) -> datetime | None:
    """Return a time of a response; one without a zone is taken for UTC, as none is published."""
    with suppress(ValueError, TypeError):
        when = datetime.fromisoformat(str(value).strip())
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return None
