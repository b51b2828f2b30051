"""The line that says how far a delivery is."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_campaigns.delivery.progress import ProgressLog


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("airflow_provider_campaigns"), "propagate", True)
    caplog.set_level(logging.INFO, logger="airflow_provider_campaigns")
    return caplog


def test_a_line_comes_at_most_every_ten_seconds_with_rate_and_time_left(lines: pytest.LogCaptureFixture) -> None:
    progress = ProgressLog(12_000, clock=iter((100.0, 100.0, 105.0, 110.0, 112.0, 120.0)).__next__)

    for done in (0, 500, 1000, 1200, 2000):
        progress({"accepted": done - done // 10, "rejected": done // 10, "requests": 7})

    assert lines.messages == [
        "1,000 of 12,000 contacts done, 100.0 a second, 2 min left",
        "2,000 of 12,000 contacts done, 100.0 a second, 2 min left",
    ]


def test_what_earlier_tries_did_does_not_count_for_the_rate(lines: pytest.LogCaptureFixture) -> None:
    progress = ProgressLog(1_000, clock=iter((0.0, 0.0, 10.0)).__next__)

    progress({"accepted": 400})
    progress({"accepted": 500})

    assert lines.messages == ["500 of 1,000 contacts done, 10.0 a second, 1 min left"]


def test_a_vendor_that_does_not_answer_leaves_no_rate(lines: pytest.LogCaptureFixture) -> None:
    progress = ProgressLog(1_000, clock=iter((0.0, 30.0)).__next__)

    progress({})

    assert lines.messages == ["0 of 1,000 contacts done, 0.0 a second, nothing was answered yet"]
