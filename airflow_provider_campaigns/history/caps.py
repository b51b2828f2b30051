"""Caps: how often a person may be contacted in a period, as a DAG author writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, cast

from airflow_provider_campaigns.exceptions import InputError

Scope = Literal["", "campaign", "vendor", "channel"]

EXPECTED = 'caps such as "1 per 7 days" or "3 per 30 days per channel" (campaign, vendor, channel)'

_CAP = re.compile(r"(\d+) per (?:(\d+) )?(minute|hour|day|week)s?(?: per (campaign|vendor|channel))?", re.IGNORECASE)
_LONGEST = timedelta(days=3_660)


@dataclass(frozen=True)
class Cap:
    """
    How often a person may be contacted.

    :param most: contacts.
    :param period: in any period of this length.
    :param scope: of the same campaign, vendor or channel; empty: of whatever delivery.
    """

    most: int
    period: timedelta
    scope: Scope = ""

    def __str__(self) -> str:
        """Return the cap as a DAG author writes it."""
        scope = f" per {self.scope}" if self.scope else ""
        for unit in ("week", "day", "hour", "minute"):
            number, rest = divmod(self.period, timedelta(**{f"{unit}s": 1}))
            if not rest:
                break
        return f"{self.most} per {f'{number} {unit}s' if number > 1 else unit}{scope}"


def parse_caps(value: Any, field: str = "frequency_cap") -> tuple[Cap, ...]:
    """
    Return caps.

    :param value: a cap as text, several of them separated by commas, or a list of caps; empty: none.
    :param field: where they come from, for the error.
    :raises InputError: one of them is none.
    """
    if not value:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        raise InputError(field, EXPECTED, type(value).__name__)
    return tuple(_parse(one, field) for one in value)


def _parse(text: Any, field: str) -> Cap:
    found = _CAP.fullmatch(" ".join(text.split())) if isinstance(text, str) else None
    if not found:
        raise InputError(field, EXPECTED, repr(text))
    most, number, unit, scope = found.groups()
    try:
        period = timedelta(**{f"{unit.lower()}s": int(number or 1)})
    except OverflowError:
        period = timedelta()
    if not int(most) or not timedelta() < period <= _LONGEST:
        raise InputError(field, "caps of at least one contact, and of at most ten years", repr(text))
    return Cap(int(most), period, cast("Scope", (scope or "").lower()))
