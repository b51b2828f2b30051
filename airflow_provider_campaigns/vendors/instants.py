"""Reads points in time: what vendors write, and what authors give."""

from __future__ import annotations

import re
from datetime import date, datetime

from airflow_provider_campaigns.exceptions import InputError

_WITH_ZONE = "a date and time with a time zone, e.g. 2026-03-01T09:00:00+00:00"


def parse_instant(text: str) -> datetime:
    """
    Return the point in time that ``text`` names: ISO 8601, or with ``UTC`` behind it (``2022-07-04 07:20:06 UTC``).

    :raises ValueError: no date and time, or no time zone.
    """
    when = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", text.strip()))
    if when.tzinfo is None:
        raise ValueError("no time zone")
    return when


def instant(field: str, value: object) -> datetime:
    """
    Return a point in time that an author gave, as a datetime or as text.

    :param field: the parameter, for the error.
    :raises InputError: not a date and time, or without a time zone: a guessed one would send at the wrong hour.
    """
    try:
        when = parse_instant(value) if isinstance(value, str) else value
    except ValueError:
        when = None
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise InputError(field, _WITH_ZONE, value)
    return when


def day_or_instant(field: str, value: object) -> date | datetime:
    """
    Return a day, or a point in time, that an author gave; a day needs no time zone.

    :raises InputError: neither.
    """
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            return instant(field, value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return instant(field, value)
