"""Exotel: the newest campaigns, read no further than need be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import VendorUnavailableError
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.vendors.exotel.dialect import Exotel
from airflow_provider_campaigns.vendors.exotel.status import created_at
from tests.vendors.conversations import Script

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
EXOTEL = Exotel(api_key="key", api_token="token", account_sid="sid", policy=RetryPolicy(retry_limit=0))


def page(*ages: float | None, total: int | None) -> tuple[int, Any]:
    """Return a page of campaigns that are so many hours old; None: without a date."""
    items = [
        {
            "code": 200,
            "status": "success",
            "data": {"id": f"c-{age}", "date_created": age is not None and (NOW - timedelta(hours=age)).isoformat()},
        }
        for age in ages
    ]
    return 200, {"http_code": 207, "response": items, **({"metadata": {"total": total}} if total is not None else {})}


def read(*replies: tuple[int, Any], hours: float) -> tuple[list[str], list[Any]]:
    """Return the ids that are found, and the offset of each request."""
    script = Script(replies)
    found = script.play(EXOTEL.recent_campaigns(NOW - timedelta(hours=hours), page_size=2))
    assert all(request.params["sort_by"] == "date_created:desc" for request in script.requests)
    return [campaign["id"] for campaign in found], [request.params["offset"] for request in script.requests]


@pytest.mark.parametrize("total", [5, None])
def test_reading_ends_with_the_first_one_that_is_too_old(total: int | None) -> None:
    pages = [page(1, 2, total=total), page(3, 4, total=total), page(5, total=total)]
    assert read(*pages, hours=3) == (["c-1", "c-2", "c-3"], [0, 2])


@pytest.mark.parametrize("total", [5, None])
def test_reading_ends_with_the_last_one(total: int | None) -> None:
    pages = [page(1, 2, total=total), page(3, 4, total=total), page(5, total=total)]
    assert read(*pages, hours=99) == (["c-1", "c-2", "c-3", "c-4", "c-5"], [0, 2, 4])


def test_one_as_old_as_asked_for_is_found() -> None:
    assert read(page(1, 3, total=2), hours=3) == (["c-1", "c-3"], [0])


def test_one_without_a_date_is_found_and_does_not_end_it() -> None:
    assert read(page(1, None, total=4), page(2, 9, total=4), hours=3) == (["c-1", "c-None", "c-2"], [0, 2])


@pytest.mark.parametrize("total", [0, 7, None])
def test_an_empty_page_ends_it(total: int | None) -> None:
    assert read(page(total=total), hours=3) == ([], [0])


def test_of_a_campaign_its_numbers_are_not_kept() -> None:
    reply = page(1, total=1)
    reply[1]["response"][0]["data"] |= {"from": ["+447700900123"] * 5_000, "status": "Completed", "custom_field": "x"}
    script = Script([reply])
    (campaign,) = script.play(EXOTEL.recent_campaigns(NOW - timedelta(hours=3)))
    assert campaign == {"id": "c-1", "status": "Completed", "date_created": (NOW - timedelta(hours=1)).isoformat()}


def test_a_page_that_comes_again_is_an_error() -> None:
    with pytest.raises(VendorUnavailableError, match="has been there before"):
        read(page(1, 2, total=9), page(1, 2, total=9), hours=3)


def test_a_page_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(VendorUnavailableError):
        read((200, {"response": "soon"}), hours=3)


@pytest.mark.parametrize("date", [None, "", 7, "2026-03-01", "2026-03-01T09:00:00"])
def test_only_a_date_with_a_time_zone_is_one(date: Any) -> None:
    assert created_at({"date_created": date}) is None
