"""A line in the log and a note in the UI say how far a delivery is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.run.progress import DeliveryProgress


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("airflow_provider_campaigns"), "propagate", True)
    caplog.set_level(logging.INFO, logger="airflow_provider_campaigns")
    return caplog


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_line_comes_at_most_every_ten_seconds_with_rate_and_time_left(lines: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = DeliveryProgress(12_000, clock=clock)

    for seconds, done in ((0, 0), (5, 500), (10, 1000), (12, 1200), (20, 2000)):
        clock.now = 1000.0 + seconds
        progress({"accepted": done - done // 10, "rejected": done // 10, "requests": 7})

    assert lines.messages == [
        "1,000 of 12,000 contacts done, 100.0 a second, 2 min left",
        "2,000 of 12,000 contacts done, 100.0 a second, 2 min left",
    ]


def test_what_earlier_tries_did_does_not_count_for_the_rate(lines: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = DeliveryProgress(1_000, clock=clock)

    progress({"accepted": 400})
    clock.now += 10
    progress({"accepted": 500})

    assert lines.messages == ["500 of 1,000 contacts done, 10.0 a second, 1 min left"]


def test_a_vendor_that_does_not_answer_leaves_no_rate(lines: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = DeliveryProgress(1_000, clock=clock)

    clock.now += 30
    progress({})

    assert lines.messages == ["0 of 1,000 contacts done, 0.0 a second, nothing was answered yet"]


# -- notes


def test_a_note_has_what_the_line_does_and_the_counts() -> None:
    clock, notes = Clock(), list[dict[str, Any]]()
    about = {"vendor": "acme", "campaign": "autumn"}
    progress = DeliveryProgress(1_200, notes.append, clock, about)

    for seconds, accepted in ((0, 0), (9, 800), (10, 990), (19, 1100)):
        clock.now = 1000.0 + seconds
        progress({"accepted": accepted, "rejected": 10, "requests": 7})

    (note,) = notes
    updated = datetime.fromisoformat(note.pop("updated"))
    assert (datetime.now(UTC) - updated).total_seconds() < 3600
    assert note == {
        **about,
        "contacts": 1_200,
        "done": 1_000,
        "accepted": 990,
        "duplicate": 0,
        "rejected": 10,
        "invalid": 0,
        "capped": 0,
        "unsent": 0,
        "unknown": 0,
        "per_second": 99.0,
        "minutes_left": 0.0,
    }


def test_the_last_note_comes_at_once_and_what_was_not_sent_is_not_done() -> None:
    notes: list[dict[str, Any]] = []

    DeliveryProgress(100, notes.append, Clock()).end({"vendor": "acme", "accepted": 60, "unsent": 40})

    (note,) = notes
    assert (note["done"], note["unsent"], note["per_second"], note["minutes_left"]) == (60, 40, None, None)


def test_a_note_that_fails_stops_nothing_is_logged_once_and_tried_again(lines: pytest.LogCaptureFixture) -> None:
    clock, tries = Clock(), list[float]()

    def fail(note: dict[str, Any]) -> None:
        tries.append(clock.now)
        raise ConnectionError("postgresql://jo:hunter2@db")

    progress = DeliveryProgress(100, fail, clock)

    for _ in range(5):
        progress({"accepted": 1})
        clock.now += 5
    progress.end({"accepted": 1})

    assert tries == [1010, 1020, 1025]
    assert [message for message in lines.messages if "shown" in message] == [
        "How far the delivery is cannot be shown in the UI (ConnectionError); the log has it"
    ]


def test_notes_that_take_long_become_rare() -> None:
    clock, notes = Clock(), list[float]()

    def slow(note: dict[str, Any]) -> None:
        notes.append(clock.now)
        clock.now += 2

    progress = DeliveryProgress(100, slow, clock)

    while clock.now < 1100:
        progress({"accepted": 1})
        clock.now += 1

    assert notes == [1010, 1052, 1094]


def test_what_ends_the_task_is_not_taken_for_a_note_that_fails() -> None:
    class TaskTimeout(BaseException):
        pass

    def time_out(note: dict[str, Any]) -> None:
        raise TaskTimeout

    with pytest.raises(TaskTimeout):
        DeliveryProgress(100, time_out, Clock()).end({})
