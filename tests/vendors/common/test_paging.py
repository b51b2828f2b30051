"""A list ends where the vendor ends it, and never goes round in circles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import VendorUnavailableError
from airflow_provider_campaigns.protocol.messages import Conversation, Page
from airflow_provider_campaigns.vendors.common import paging
from airflow_provider_campaigns.vendors.common.paging import pages


def read(*listed: Sequence[Any], size: int = 2, **options: Any) -> tuple[int, list[Any], int]:
    """Return what ``pages`` returns, the items that it yields, and how many pages it asked for."""
    asked: list[int] = []

    def fetch(number: int) -> Conversation[Sequence[Any]]:
        asked.append(number)
        return listed[number]
        yield

    items: list[Any] = []
    conversation = pages("acme", fetch, size, **options)
    try:
        while True:
            step = next(conversation)
            assert isinstance(step, Page)
            items += step.items
    except StopIteration as end:
        return end.value, items, len(asked)


@pytest.mark.parametrize(
    ("listed", "number"),
    [
        ([[]], 0),
        ([[1]], 1),
        ([[1, 2], []], 2),
        ([[1, 2], [3]], 3),
        ([[1, 2], [1, 3], [1]], 5),
        ([[{"a": 1}, {"b": 2}], [{"a": 2}, {"b": 1}], []], 4),
    ],
)
def test_a_list_ends_at_a_page_that_is_not_full(listed: list[list[Any]], number: int) -> None:
    assert read(*listed) == (number, [item for page in listed for item in page], len(listed))


@pytest.mark.parametrize("listed", [[[1, 2], [1, 2]], [[1, 2], [3, 4], [1, 2]], [[1, 2], [3, 4], [5, 6], [3, 4]]])
def test_a_page_that_comes_again_ends_it_with_an_error(listed: list[list[int]]) -> None:
    with pytest.raises(VendorUnavailableError, match=f"page {len(listed)} of the list has been there before"):
        read(*listed)


def test_a_list_without_end_is_left_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", 3)
    with pytest.raises(VendorUnavailableError, match="more than 3 pages"):
        read(*[[number, number] for number in range(9)])


def test_items_may_be_kept_and_reading_may_end_early() -> None:
    kept: list[int] = []
    assert read([1, 2], [3, 4], [5, 6], keep=kept.extend, enough=3) == (4, [], 2)
    assert kept == [1, 2, 3, 4]
