"""Reads what tasks noted for people: receipts and progress notes, which may be anything by the time they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.delivery.record.outcome import STATUSES

LONGEST_NAME = 250
# Beyond it a count or a rate is none.
_MOST = 10**12


def parse_note(text: object) -> dict[str, Any]:
    """Return a note, empty when it is none."""
    if not isinstance(text, (str, bytes)):
        return {}
    try:
        note = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return note if isinstance(note, dict) else {}


def counts_of(note: Mapping[str, Any]) -> dict[str, int]:
    """Return contacts by status, empty when the note has none."""
    counts = {status: count_of(note, status) for status in STATUSES}
    if all(count is None for count in counts.values()):
        return {}
    return {status: count or 0 for status, count in counts.items()}


def count_of(note: Mapping[str, Any], name: str) -> int | None:
    """Return a count, None when the note has none."""
    value = note.get(name)
    return value if type(value) is int and 0 <= value < _MOST else None


def number_of(note: Mapping[str, Any], name: str) -> float | None:
    """Return a number that is at least 0, None when the note has none."""
    value: object = note.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MOST:
        return None
    return float(value)


def name_of(note: Mapping[str, Any], name: str) -> str:
    """Return a name, empty when the note has none."""
    value = note.get(name)
    return value[:LONGEST_NAME] if isinstance(value, str) else ""


def time_of(note: Mapping[str, Any], name: str) -> datetime | None:
    """Return a point in time in UTC, None when the note has none."""
    try:
        found = datetime.fromisoformat(note[name])
    except (KeyError, TypeError, ValueError):
        return None
    return in_utc(found)


def in_utc(moment: datetime) -> datetime:
    """Return a point in time in UTC; one without a zone is in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
