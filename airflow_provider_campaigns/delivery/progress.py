"""A line in the log now and then, so that a long send can be watched."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from airflow_provider_campaigns.delivery.outcomes import STATUSES

log = logging.getLogger(__name__)

# Seconds between two lines.
BETWEEN_LINES = 10.0


class ProgressLog:
    """
    Logs how far a delivery is, at most every ten seconds.

    :param rows: rows of the source.
    :param clock: seconds, monotonic.
    """

    def __init__(self, rows: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._clock = clock
        self._began = self._last = clock()
        self._first: int | None = None

    def __call__(self, counts: Mapping[str, int]) -> None:
        """Take the contacts by status, of all tries, and log a line if it is time for one."""
        done = sum(counts.get(status, 0) for status in STATUSES)
        if self._first is None:
            # What earlier tries did says nothing about the rate of this one.
            self._first = done
        now = self._clock()
        if now - self._last < BETWEEN_LINES:
            return
        self._last = now
        rate = (done - self._first) / (now - self._began)
        left = f"{(self._rows - done) / rate / 60:.0f} min left" if rate else "nothing was answered yet"
        log.info("%s of %s contacts done, %.1f a second, %s", f"{done:,}", f"{self._rows:,}", rate, left)
