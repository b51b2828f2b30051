"""Reads a list page by page, for the vendors whose lists carry no total and no link to the next page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from airflow_provider_campaigns.exceptions import VendorUnavailableError
from airflow_provider_campaigns.protocol.messages import Conversation, Page

MOST_PAGES = 100_000


def pages(
    vendor: str,
    fetch: Callable[[int], Conversation[Sequence[Any]]],
    size: int,
    keep: Callable[[Sequence[Any]], object] | None = None,
    enough: int | None = None,
) -> Conversation[int]:
    """
    Fetch pages until one is not full, and return how many items there were.

    :param vendor: the vendor's name, for errors.
    :param fetch: the conversation that returns the items of page 0, 1, …
    :param size: items of a full page.
    :param keep: takes each page's items; without it they are yielded as a ``Page``.
    :param enough: stop once so many items were read.
    :raises VendorUnavailableError: a page comes a second time, or there are too many: the list would never end.
    """
    seen, guard = 0, PageGuard(vendor)
    for number in count():
        items = yield from fetch(number)
        if items:
            guard.check(items)
            seen += len(items)
            if keep is None:
                yield Page(items)
            else:
                keep(items)
        if len(items) < size or (enough is not None and seen >= enough):
            return seen
    raise AssertionError("unreachable")  # pragma: no cover - for the type checker: count() does not end


class PageGuard:
    """
    Notices a list that would never end; of the pages it keeps digests only.

    :param vendor: the vendor's name, for errors.
    """

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._seen: set[bytes] = set()

    def check(self, items: Sequence[Any]) -> None:
        """
        Check that a page is new.

        :param items: those of the page, as parsed from JSON.
        :raises VendorUnavailableError: it has been there before, or it is one too many.
        """
        digest = hashlib.sha256(json.dumps(items, sort_keys=True).encode()).digest()
        number = len(self._seen) + 1
        if digest in self._seen:
            raise VendorUnavailableError(self._vendor, f"page {number:,} of the list has been there before")
        if number > MOST_PAGES:
            raise VendorUnavailableError(self._vendor, f"the list has more than {MOST_PAGES:,} pages")
        self._seen.add(digest)
