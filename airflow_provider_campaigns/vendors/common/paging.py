"""Reads a list page by page, for the vendors whose lists carry no total and no link to the next page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from airflow_provider_campaigns.protocol.messages import Conversation, Page


def pages(
    fetch: Callable[[int], Conversation[Sequence[Any]]],
    size: int,
    keep: Callable[[Sequence[Any]], object] | None = None,
    enough: int | None = None,
) -> Conversation[int]:
    """
    Fetch pages until one is not full, and return how many items there were.

    A page equal to the one before it also ends the list: the vendor does not turn the page, and would never stop.

    :param fetch: the conversation that returns the items of page 0, 1, …
    :param size: items of a full page.
    :param keep: takes each page's items; without it they are yielded as a ``Page``.
    :param enough: stop once so many items were read.
    """
    seen, before = 0, None
    for number in count():
        items = yield from fetch(number)
        if items and items != before:
            seen += len(items)
            if keep is None:
                yield Page(items)
            else:
                keep(items)
        if len(items) < size or items == before or (enough is not None and seen >= enough):
            return seen
        before = items
    raise AssertionError("unreachable")  # pragma: no cover - for the type checker: count() does not end
