"""What is newly over: every campaign that ends is reported once, whatever the order of polls, ends and restarts."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.triggers._exotel import finished
from airflow_provider_campaigns.triggers._exotel.finished import OVERLAP, Mark, SeenCampaign

NOW = 1_795_000_000.0
DAY = 86_400.0


def written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def seen(identifier: str, status: str = "Completed", created: float = NOW) -> SeenCampaign:
    return SeenCampaign.read(
        {"id": identifier, "name": "Spring", "status": status, "date_created": written(created)}, NOW
    )


def news(mark: Mark, *campaigns: SeenCampaign) -> list[str]:
    return [one.id for one in mark.news(campaigns)]


# -- one campaign


def test_an_event_says_what_became_of_it_and_counts() -> None:
    campaign = {
        "id": "c-1",
        "name": "Renewals 1a2b3c4d",
        "status": "Completed",
        "date_created": written(NOW),
        "from": ["+447700900100"],
        "stats": {"completed": 7, "failed-dnd": 1, "in-progress": None},
        "summary": {"call_completed": 7},
    }
    assert SeenCampaign.read(campaign, NOW).event() == {
        "campaign_id": "c-1",
        "name": "Renewals 1a2b3c4d",
        "status": "Completed",
        "state": "done",
        "counts": {"completed": 7, "failed-dnd": 1},
    }


def test_an_event_says_why_it_failed() -> None:
    campaign = {"id": "c-1", "status": "Paused", "schedule": {"end_at": "2020-01-01T00:00:00+05:30"}}
    assert SeenCampaign.read(campaign, NOW).event() == {
        "campaign_id": "c-1",
        "name": "",
        "status": "Paused",
        "state": "failed",
        "counts": {},
        "reason": "paused when its end_at came",
    }


@pytest.mark.parametrize("date", [None, "", "yesterday", "2026-01-01T00:00:00"])
def test_one_without_a_date_counts_as_new(date: Any) -> None:
    assert SeenCampaign.read({"id": "c-1", "status": "Created", "date_created": date}, NOW).created == NOW


# -- the mark


def test_one_that_was_open_is_reported_when_it_ends_and_then_never_again() -> None:
    mark = Mark.after([seen("a", "InProgress"), seen("b", "Completed")], None)
    assert news(mark, seen("a", "InProgress"), seen("b")) == []
    assert news(mark, seen("a"), seen("b")) == ["a"]
    mark = Mark.after([seen("a"), seen("b")], mark)
    assert news(mark, seen("a"), seen("b")) == []
    assert news(mark, seen("a", "Archived"), seen("b", "Archived")) == []


def test_one_that_began_and_ended_since_the_last_poll_is_reported() -> None:
    mark = Mark.after([seen("a")], None)
    assert news(mark, seen("a"), seen("b", created=NOW + 5)) == ["b"]


def test_one_of_an_empty_account_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finished, "_now", lambda: NOW)
    mark = Mark.after([], None)
    assert Mark.after([], mark) == mark
    assert news(mark, seen("a", created=NOW - 10)) == ["a"]


def test_one_that_is_listed_late_is_reported() -> None:
    mark = Mark.after([seen("a")], None)
    assert news(mark, seen("a"), seen("late", created=NOW - OVERLAP + 1)) == ["late"]


def test_one_that_was_over_before_the_first_poll_is_never_reported() -> None:
    mark = Mark.after([seen("a"), seen("old", created=NOW - 30 * DAY)], None)
    assert news(mark, seen("a"), seen("old", "Archived", created=NOW - 30 * DAY)) == []


def test_an_old_one_that_was_open_is_reported() -> None:
    mark = Mark.after([seen("a"), seen("old", "Paused", created=NOW - 30 * DAY)], None)
    assert news(mark, seen("a"), seen("old", "Failed", created=NOW - 30 * DAY)) == ["old"]


def test_they_are_reported_in_the_order_they_were_created() -> None:
    mark = Mark.after([], Mark(NOW - DAY, frozenset(), frozenset()))
    assert news(mark, seen("c", created=NOW + 2), seen("a", created=NOW), seen("b", created=NOW + 1)) == ["a", "b", "c"]


def test_it_goes_through_json() -> None:
    mark = Mark.after([seen("a"), seen("b", "Created")], None)
    assert Mark.load(json.loads(json.dumps(mark.dump()))) == mark
    assert Mark.load(None) is None


def test_it_stays_small() -> None:
    account = [seen(f"c-{number:032}", created=NOW - number * 600) for number in range(10_000)]
    assert len(json.dumps(Mark.after(account, None).dump())) < 1_000


# -- all of it, by chance

CAMPAIGN = st.tuples(st.floats(0, 50 * DAY), st.floats(60, 9 * DAY), st.sampled_from(["Completed", "Failed"]))
LOOK = st.tuples(st.floats(60, 2 * DAY), st.booleans())


@settings(max_examples=60, deadline=None)
@given(campaigns=st.lists(CAMPAIGN, max_size=12), steps=st.lists(LOOK, min_size=1, max_size=60))
def test_whatever_happens_each_end_is_reported_once(
    campaigns: list[tuple[float, float, str]], steps: list[tuple[float, bool]]
) -> None:
    """Campaigns are created and end at any time; polls come at any time, some of them after a restart."""
    now = NOW

    def account(since: datetime) -> list[dict[str, Any]]:
        return [
            {
                "id": f"c-{number}",
                "status": status if now >= NOW + begins + lasts else "InProgress",
                "date_created": written(NOW + begins),
            }
            for number, (begins, lasts, status) in enumerate(campaigns)
            if now >= NOW + begins and datetime.fromtimestamp(NOW + begins, UTC).replace(microsecond=0) >= since
        ]

    events: Counter[str] = Counter()
    stored: Any = None
    over_before: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finished, "_now", lambda: now)
        watched = finished._Account(lookback_days=60)
        for pause, restarts in [(0.0, False), *steps]:
            now += pause
            if restarts:
                watched = finished._Account(lookback_days=60)
            poll = watched.read(account(watched.unread.replace(microsecond=0)))
            before = Mark.load(stored)
            if before is None:
                over_before = {one.id for one in poll.campaigns if one.over}
            events.update(one.id for one in (before.news(poll.campaigns) if before else []))
            stored = json.loads(json.dumps(poll.after.dump()))

    ended = {
        f"c-{number}"
        for number, (begins, lasts, _) in enumerate(campaigns)
        if now >= NOW + begins + lasts and now >= NOW + begins
    }
    assert events == Counter(ended - over_before)
