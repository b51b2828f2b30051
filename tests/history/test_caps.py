"""Caps as a DAG author writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history.caps import Cap, parse_caps


@pytest.mark.parametrize(
    ("value", "caps"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("1 per 7 days", [Cap(1, timedelta(days=7))]),
        (" 2  per  day ", [Cap(2, timedelta(days=1))]),
        ("1 per hour, 3 per 30 days per channel", [Cap(1, timedelta(hours=1)), Cap(3, timedelta(days=30), "channel")]),
        (["1 per 2 Weeks Per Campaign"], [Cap(1, timedelta(weeks=2), "campaign")]),
        (("10 per 90 minutes per vendor",), [Cap(10, timedelta(minutes=90), "vendor")]),
    ],
)
def test_caps_are_read(value: Any, caps: list[Cap]) -> None:
    assert list(parse_caps(value)) == caps


@pytest.mark.parametrize(
    "value",
    [
        7,
        "once a week",
        "0 per day",
        "1 per 0 days",
        "1 per 1 month",
        "-1 per day",
        [1],
        "1 per 99999999999 weeks",
        "1 per 600 weeks",
    ],
)
def test_what_is_no_cap_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="frequency_cap: expected caps"):
        parse_caps(value)


@pytest.mark.parametrize("text", ["1 per 7 days", "1 per week", "3 per 36 hours per vendor", "2 per day per channel"])
def test_a_cap_is_written_as_it_is_read(text: str) -> None:
    assert parse_caps(str(*parse_caps(text))) == parse_caps(text)
