"""The sandbox's clock, rate windows, ids and journal."""

from __future__ import annotations

import json
import time

import pytest

from airflow_provider_campaigns.sandbox.state import Clock, Ids, Journal, RateWindow, Received

# What a slow machine may take between two readings of the clock.
SLACK = 5.0


def test_a_clock_starts_at_the_real_time() -> None:
    assert Clock().now() == pytest.approx(time.time(), abs=SLACK)


def test_a_clock_moves_forward() -> None:
    clock = Clock()
    clock.advance(3600)
    assert clock.now() == pytest.approx(time.time() + 3600, abs=SLACK)


def test_a_clock_runs_faster_from_now_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: real)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    clock = Clock()
    real += 10
    clock.set_speed(60)
    real += 10
    assert clock.now() == 10 + 600
    assert clock.to_real(600) == 10


def test_a_reset_clock_has_its_first_speed() -> None:
    clock = Clock(speed=60)
    clock.set_speed(2)
    clock.advance(1_000_000)
    clock.reset()
    assert clock.speed == 60
    assert clock.now() == pytest.approx(time.time(), abs=60 * SLACK)


def test_a_clock_neither_stops_nor_goes_back() -> None:
    with pytest.raises(ValueError, match="positive"):
        Clock(speed=0)
    with pytest.raises(ValueError, match="positive"):
        Clock().set_speed(-1)
    with pytest.raises(ValueError, match="forward only"):
        Clock().advance(-1)


def test_a_window_slides() -> None:
    clock = Clock()
    window = RateWindow(clock, 2, 60)
    assert window.take()
    clock.advance(40)
    assert window.take()
    assert (window.take(), window.remaining) == (False, 0)
    clock.advance(20)
    assert window.remaining == 1
    assert (window.take(), window.take()) == (True, False)


def test_a_window_reports_when_it_is_free_in_real_seconds() -> None:
    clock = Clock(speed=10)
    window = RateWindow(clock, 1, 600)
    assert window.retry_after == 1
    window.take()
    assert 60 - SLACK <= window.retry_after <= 60
    assert window.free_at == pytest.approx(clock.now() + 600, abs=10 * SLACK)


def test_a_window_that_is_off_lets_everything_through() -> None:
    window = RateWindow(Clock(), 1, 60, enabled=False)
    assert all(window.take() for _ in range(3))


@pytest.mark.parametrize("length", [7, 17])
def test_ids_do_not_repeat(length: int) -> None:
    ids = Ids()
    drawn = [ids.draw(length) for _ in range(10_000)]
    assert len(set(drawn)) == 10_000
    assert {len(one) for one in drawn} == {length}


def test_ids_are_not_in_counting_order() -> None:
    ids = Ids()
    first, second = ids.draw(7), ids.draw(7)
    assert sum(a == b for a, b in zip(first, second, strict=True)) <= 2


REQUEST = {"call": "send", "method": "POST", "path": "/a", "query": "", "status": 200, "fault": None}


def test_a_journal_keeps_the_order_and_counts() -> None:
    journal = Journal()
    journal.add("a", REQUEST, [Received("c", "1", "accepted", {"x": 1}), Received("c", "2", "rejected", {})])
    journal.add("b", REQUEST, [])
    journal.add("a", REQUEST, [Received("c", "1", "duplicate", {})])
    written = json.loads(journal.as_json())
    assert [(one["seq"], one["request"], one["contact"]) for one in written["contacts"]] == [
        (1, 1, "1"),
        (2, 1, "2"),
        (3, 3, "1"),
    ]
    assert written["contacts"][0] == {
        "seq": 1,
        "vendor": "a",
        "call": "send",
        "request": 1,
        "campaign": "c",
        "contact": "1",
        "outcome": "accepted",
        "fields": {"x": 1},
    }
    assert written["requests"][0] == {
        "seq": 1,
        "vendor": "a",
        **REQUEST,
        "contacts": 2,
        "contacts_received": ["1", "2"],
    }
    assert written["counts"] == {
        "a": {"accepted": 1, "duplicate": 1, "rejected": 1, "requests": 2},
        "b": {"accepted": 0, "duplicate": 0, "rejected": 0, "requests": 1},
    }


def test_a_journal_can_be_read_of_one_vendor() -> None:
    journal = Journal()
    journal.add("a", REQUEST, [Received("c", "1", "accepted", {})])
    journal.add("b", REQUEST, [])
    written = json.loads(journal.as_json("b"))
    assert (written["contacts"], [one["vendor"] for one in written["requests"]], list(written["counts"])) == (
        [],
        ["b"],
        ["b"],
    )


def test_a_cleared_journal_is_empty() -> None:
    journal = Journal()
    journal.add("a", REQUEST, [Received("c", "1", "accepted", {})])
    journal.clear()
    assert json.loads(journal.as_json()) == {"contacts": [], "requests": [], "counts": {}}
