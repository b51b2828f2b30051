"""Hours at which contacts may be sent: when they begin and end, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.send_window import SendWindow, read_window

DAYTIME = "09:00-20:00 Asia/Kolkata"  # 03:30 to 14:30 UTC
NIGHT = "22:00-06:00 Asia/Kolkata"  # 16:30 to 00:30 UTC
WEEKDAYS = {"start": "09:00", "end": "20:00", "timezone": "Asia/Kolkata", "days": ["mon", "tue", "wed", "thu", "fri"]}
LONDON = "09:00-20:00 Europe/London"


NIGHTS = {**WEEKDAYS, "start": "22:00", "end": "06:00"}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "closes"),
    [
        (DAYTIME, "2026-11-20 03:29:59", None),
        (DAYTIME, "2026-11-20 03:30", "2026-11-20 14:30"),
        (DAYTIME, "2026-11-20 14:29:59", "2026-11-20 14:30"),
        (DAYTIME, "2026-11-20 14:30", None),
        ("09:00:30-20:00 UTC", "2026-11-20 09:00:29", None),
        ("09:00:30-20:00 UTC", "2026-11-20 09:00:30", "2026-11-20 20:00"),
        (NIGHT, "2026-11-20 16:29", None),
        (NIGHT, "2026-11-20 16:30", "2026-11-21 00:30"),
        (NIGHT, "2026-11-21 00:29", "2026-11-21 00:30"),
        (NIGHT, "2026-11-21 00:30", None),
        (WEEKDAYS, "2026-11-20 10:00", "2026-11-20 14:30"),  # a Friday
        (WEEKDAYS, "2026-11-21 10:00", None),
        (NIGHTS, "2026-11-21 00:00", "2026-11-21 00:30"),  # Friday's night
        (NIGHTS, "2026-11-23 00:00", None),  # Sunday's
        (LONDON, "2026-03-28 09:00", "2026-03-28 20:00"),
        (LONDON, "2026-03-29 08:00", "2026-03-29 19:00"),  # summer time began in the night
        # Over midnight and a change of the clock: it ends by the clock on the wall.
        ("22:00-06:00 Europe/London", "2026-03-29 04:59", "2026-03-29 05:00"),
        ("22:00-06:00 Europe/London", "2026-10-25 05:59", "2026-10-25 06:00"),
        # 01:30 comes twice: it closes at the first and opens at the second.
        ("22:00-01:30 Europe/London", "2026-10-25 00:29", "2026-10-25 00:30"),
        ("22:00-01:30 Europe/London", "2026-10-25 00:30", None),
        ("22:00-01:30 Europe/London", "2026-10-25 01:10", None),
        ("01:30-06:00 Europe/London", "2026-10-25 00:30", None),
        ("01:30-06:00 Europe/London", "2026-10-25 01:30", "2026-10-25 06:00"),
        ("01:15-01:45 Europe/London", "2026-10-25 00:30", None),
        ("01:15-01:45 Europe/London", "2026-10-25 01:30", None),
        # 01:30 is left out: the clock goes from 01:00 to 02:00.
        ("22:00-01:30 Europe/London", "2026-03-29 00:59", "2026-03-29 01:00"),
        ("22:00-01:30 Europe/London", "2026-03-29 01:00", None),
        ("01:30-06:00 Europe/London", "2026-03-29 00:59", None),
        ("01:30-06:00 Europe/London", "2026-03-29 01:00", "2026-03-29 05:00"),
        ("22:00-02:10 Australia/Lord_Howe", "2026-10-03 15:29", "2026-10-03 15:30"),  # by half an hour
    ],
)
def test_it_is_open_from_its_start_to_just_before_its_end(window: Any, now: str, closes: str | None) -> None:
    assert read_window(window).closes(at(now)) == (at(closes) if closes else None)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (DAYTIME, "2026-11-20 03:00", "2026-11-20 03:30"),
        (DAYTIME, "2026-11-20 10:00", "2026-11-20 10:00"),
        (DAYTIME, "2026-11-20 14:30", "2026-11-21 03:30"),
        (NIGHT, "2026-11-20 08:00", "2026-11-20 16:30"),
        (WEEKDAYS, "2026-11-20 15:00", "2026-11-23 03:30"),
        ({**WEEKDAYS, "days": ["Friday"]}, "2026-11-20 14:30", "2026-11-27 03:30"),
        (LONDON, "2026-10-24 21:00", "2026-10-25 09:00"),  # summer time ends in the night
        ("01:15-01:45 Europe/London", "2026-10-25 00:00", "2026-10-26 01:15"),  # a day on which it does not open
        (
            {**WEEKDAYS, "start": "01:15", "end": "01:45", "timezone": "Europe/London", "days": ["sun"]},
            "2026-10-25 00:00",
            "2026-11-01 01:15",
        ),
    ],
)
def test_when_it_next_opens(window: Any, now: str, opens: str) -> None:
    assert read_window(window).opens(at(now)) == at(opens)


@pytest.mark.parametrize(
    "value",
    [
        " 9:00 - 20:00  Asia/Kolkata ",
        {"start": "09:00", "end": "20:00", "timezone": "Asia/Kolkata"},
        {"start": time(9), "end": time(20), "timezone": "Asia/Kolkata", "days": None},
        SendWindow(time(9), time(20), "Asia/Kolkata"),
    ],
)
def test_it_is_given_as_text_or_as_a_dict(value: Any) -> None:
    assert str(read_window(value)) == DAYTIME


@pytest.mark.parametrize(
    ("days", "named"),
    [
        ("sat", "sat"),
        ("mon,tue", "mon, tue"),
        (" Mon , TUESDAY", "mon, tue"),
        (["mon-fri"], "mon, tue, wed, thu, fri"),
        ("mon-wed,sat", "mon, tue, wed, sat"),
        (["sat-mon"], "mon, sat, sun"),
        (["friday-friday"], "fri"),
        (("wed", "wed"), "wed"),
    ],
)
def test_its_text_names_the_days(days: Any, named: str) -> None:
    assert str(read_window({**WEEKDAYS, "days": days})) == f"{DAYTIME} on {named}"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("09:00-20:00", "send_window"),
        ("all day", "send_window"),
        (9, "send_window"),
        ({"start": "09:00", "end": "20:00"}, "send_window"),
        ({**WEEKDAYS, "zone": "UTC"}, "send_window"),
        ("09:00-09:00 UTC", "send_window"),
        ("09:00-25:00 UTC", "send_window.end"),
        ("09:00-20 UTC", "send_window.end"),
        ("09:00-20:00:00:00:00:00 UTC", "send_window.end"),
        ({**WEEKDAYS, "start": "nine"}, "send_window.start"),
        ("09:00-20:00 Atlantis/Capital", "send_window.timezone"),
        ("09:00-20:00 Europe", "send_window.timezone"),
        ("09:00-20:00 ../UTC", "send_window.timezone"),
        ({**WEEKDAYS, "start": "09:00+05:30"}, "send_window.start"),
        ({**WEEKDAYS, "start": time(9, tzinfo=UTC)}, "send_window.start"),
        ({**WEEKDAYS, "end": time(20, 0, 0, 1)}, "send_window.end"),
        ({**WEEKDAYS, "end": "24:00"}, "send_window.end"),
        ({**WEEKDAYS, "end": "8:00 PM"}, "send_window.end"),
        ({**WEEKDAYS, "days": ["mon", "holiday"]}, "send_window.days"),
        ({**WEEKDAYS, "days": []}, "send_window.days"),
        ({**WEEKDAYS, "days": ""}, "send_window.days"),
        ({**WEEKDAYS, "days": "None"}, "send_window.days"),
        ({**WEEKDAYS, "days": 0}, "send_window.days"),
        ({**WEEKDAYS, "days": [0, 1]}, "send_window.days"),
        ({**WEEKDAYS, "days": {"mon": True}}, "send_window.days"),
        ({**WEEKDAYS, "days": "month"}, "send_window.days"),
        ({**WEEKDAYS, "days": ["mon,tue"]}, "send_window.days"),
        ({**WEEKDAYS, "days": ["mon-wed-fri"]}, "send_window.days"),
        ({**WEEKDAYS, "days": "mon,"}, "send_window.days"),
    ],
)
def test_anything_else_is_an_error_that_names_the_field(value: Any, field: str) -> None:
    with pytest.raises(InputError) as error:
        read_window(value)
    assert str(error.value).startswith(f"{field}: ")
