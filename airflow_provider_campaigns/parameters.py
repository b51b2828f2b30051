"""Reads and checks parameters that a DAG author gave, and that a template may have turned into text."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any, Literal

from airflow_provider_campaigns.exceptions import InputError

OnUnknown = Literal["fail", "skip", "resend"]
"""What a delivery does about contacts that may have been sent to."""

LedgerPlace = Literal["history", "airflow"]
"""Where a delivery keeps its ledger."""

# Of parameters that operators and deliveries share.
DEFAULT_MAX_INVALID = 0.5
DEFAULT_MAX_RESENDS = 3

A_COUNTRY = "a country of two letters, e.g. IN"

_WITH_ZONE = "a date and time with a time zone, e.g. 2026-03-01T09:00:00+00:00"


def parse_list(name: str, value: Any) -> list[Any]:
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


def parse_positive_int(name: str, value: int | str | None) -> int | None:
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


def parse_count(name: str, value: int | str | None, default: int) -> int:
    """
    Return a whole number of at least 0, given as such or as text; ``default`` for None and empty text.

    :raises InputError: it is something else.
    """
    text = str("" if value is None else value).strip()
    if not text:
        return default
    if isinstance(value, bool) or not text.isdecimal():
        raise InputError(name, "a whole number from 0", repr(value))
    return int(text)


def parse_count_or_share(name: str, value: Any) -> float | None:
    """
    Return a number of contacts (int) or a share of them (float), given as such or as text; None for empty ones.

    :raises InputError: it is something else.
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = int(value) if value.strip().isdecimal() else float(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise InputError(name, "a number of contacts (int) or a share of them (float)", repr(value))
    if isinstance(value, float) and value > 1:
        raise InputError(name, "a share of the contacts from 0.0 to 1.0, or a whole number", repr(value))
    return value


def parse_bool(name: str, value: bool | str) -> bool:
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


def parse_date(name: str, value: date | str) -> date:
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


def check_id(name: str, value: object, expected: str, kinds: type | tuple[type, ...] = str) -> None:
    """
    Refuse what is no id: with none, or another one than was meant, the vendor refuses every contact.

    :param kinds: types it may have.
    :raises InputError: it is of another type, blank, or what a template makes of None.
    """
    if isinstance(value, bool) or not isinstance(value, kinds) or str(value).strip() in {"", "None"}:
        raise InputError(name, expected, repr(value) if value is not None else "nothing")


def only_one(values: Mapping[str, Any]) -> str:
    """
    Return which one of several parameters is given; an empty list or text is none.

    :param values: by the parameters' names.
    :raises InputError: none of them is given, or several.
    """
    # A table has no truth.
    given = [name for name, value in values.items() if (len(value) if hasattr(value, "__len__") else value)]
    if len(given) != 1:
        raise InputError(", ".join(values), "exactly one of them", " and ".join(given) or "none")
    return given[0]


def check_country(name: str, value: object) -> None:
    """
    Refuse what cannot be a country; whether there is one of these letters is found when the task runs.

    :raises InputError: it is no text of two letters.
    """
    if value is None or value == "":
        return
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{2}", value.strip()):
        raise InputError(name, A_COUNTRY, value)


def check_text(name: str, value: object, expected: str) -> None:
    """
    Refuse what is neither text nor None.

    :raises InputError: it is something else.
    """
    if value is not None and not isinstance(value, str):
        raise InputError(name, expected, type(value).__name__)


def parse_object(name: str, value: Any) -> dict[str, Any]:
    """
    Return an object as a dict, an empty one for None.

    :raises InputError: it is something else; text, too, which would go to the vendor as it is.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(name, "an object", "text" if isinstance(value, str) else type(value).__name__)
    return dict(value)


def refuse_overrides(taken: Collection[str], value: Any) -> None:
    """
    Refuse ``overrides`` of what other parameters set.

    :param taken: what these are.
    :raises InputError: there is one, or it is no object.
    """
    if refused := sorted(parse_object("overrides", value).keys() & taken):
        raise InputError("overrides", "fields that no other parameter sets", ", ".join(refused))


def parse_timestamp(text: str) -> datetime:
    """
    Return the point in time that ``text`` names: ISO 8601, or with ``UTC`` behind it (``2022-07-04 07:20:06 UTC``).

    :raises ValueError: no date and time, or no time zone.
    """
    when = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", text.strip()))
    if when.tzinfo is None:
        raise ValueError("no time zone")
    return when


def parse_datetime(field: str, value: object) -> datetime:
    """
    Return a point in time that an author gave, as a datetime or as text.

    :param field: the parameter, for the error.
    :raises InputError: not a date and time, or without a time zone: a guessed one would send at the wrong hour.
    """
    try:
        when = parse_timestamp(value) if isinstance(value, str) else value
    except ValueError:
        when = None
    if not isinstance(when, datetime) or when.tzinfo is None:
        raise InputError(field, _WITH_ZONE, value)
    return when


def parse_date_or_datetime(field: str, value: object) -> date | datetime:
    """
    Return a day, or a point in time, that an author gave; a day needs no time zone.

    :raises InputError: neither.
    """
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            return parse_datetime(field, value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return parse_datetime(field, value)
