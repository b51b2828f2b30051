"""Reads parameters that a template may have rendered as text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from airflow_provider_campaigns.exceptions import InputError


def listed(name: str, value: Any) -> list[Any]:
    """
    Return a list, given as such or as JSON text.

    :raises InputError: it is neither.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise InputError(
            name,
            "a list, the output of an upstream task, or JSON text (`| tojson` in a template)",
            type(value).__name__,
        )
    return list(value)


def whole_number(name: str, value: int | str | None) -> int | None:
    """
    Return a whole number of at least 1, given as such or as text; None for None and empty text.

    :raises InputError: it is something else.
    """
    text = str("" if value is None else value).strip()
    if not text:
        return None
    if not text.isdecimal() or not int(text):
        raise InputError(name, "a whole number from 1", repr(value))
    return int(text)


def yes_or_no(name: str, value: bool | str) -> bool:
    """
    Return a choice, given as such or as the text of one: "False" in place of False would otherwise mean yes.

    :raises InputError: it is something else.
    """
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in {"true", "false"}:
        raise InputError(name, "True or False", repr(value))
    return word == "true"


def a_day(name: str, value: date | str) -> date:
    """
    Return a day, given as such or as ``YYYY-MM-DD``.

    :raises InputError: it is something else, also a point in time: on which day it is depends on the time zone.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value.strip())
    raise InputError(name, "a day, YYYY-MM-DD", repr(value))
