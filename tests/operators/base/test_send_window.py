from __future__ import annotations

from datetime import UTC, datetime, time

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.send_window import SendWindow, read_window

DAYTIME = "09:00-20:00 Asia/Kolkata"  # 03:30 to 14:30 UTC
NIGHT = "22:00-06:00 Asia/Kolkata"  # 16:30 to 00:30 UTC
WEEKDAYS = {"start": "09:00", "end": "20:00", "timezone": "Asia/Kolkata", "days": ["mon", "tue", "wed", "thu", "fri"]}
LONDON = "09:00-20:00 Europe/London"


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
        ({**WEEKDAYS, "start": "22:00", "end": "06:00"}, "2026-11-21 00:00", "2026-11-21 00:30"),  # Friday's night
        ({**WEEKDAYS, "start": "22:00", "end": "06:00"}, "2026-11-23 00:00", None),  # Sunday's
        (LONDON, "2026-03-28 09:00", "2026-03-28 20:00"),
        (LONDON, "2026-03-29 08:00", "2026-03-29 19:00"),  # summer time began in the night
    ],
)
def test_it_is_open_from_its_start_to_just_before_its_end(window, now, closes):
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
    ],
)
def test_it_tells_when_it_next_opens(window, now, opens):
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
def test_it_is_given_as_text_or_as_a_dict(value):
    assert str(read_window(value)) == DAYTIME


def test_its_text_names_the_days():
    assert str(read_window({**WEEKDAYS, "days": "sat"})) == f"{DAYTIME} on sat"


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
        ({**WEEKDAYS, "days": ["mon", "holiday"]}, "send_window.days"),
    ],
)
def test_anything_else_is_an_error_that_names_the_field(value, field):
    with pytest.raises(InputError) as error:
        read_window(value)
    assert str(error.value).startswith(f"{field}: ")
