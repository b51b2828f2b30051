"""Reports the progress of a delivery, in the log and in Airflow's UI."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.delivery.record.outcome import STATUSES

log = logging.getLogger(__name__)

# Seconds between two lines, and between two notes.
BETWEEN = 10.0
# The share of its time that a delivery spends on notes at the most: a slow database must not slow it down.
SHARE_FOR_NOTES = 0.05

Note = dict[str, Any]
"""
What the UI shows: ``vendor`` and ``campaign``, ``contacts`` (rows of the source), ``done`` (those that have an
outcome), the counts by status, ``per_second`` (of this try), ``minutes_left`` (None when it is not known) and
``updated`` (ISO, UTC).
"""


class DeliveryProgress:
    """
    Reports how far a delivery is, at most every ten seconds.

    :param rows: rows of the source.
    :param show: shows a note in the UI; what it raises is logged and stops nothing.
    :param clock: seconds, monotonic.
    :param about: what else a note has: names of what is delivered.
    """

    def __init__(
        self,
        rows: int,
        show: Callable[[Note], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._rows = rows
        self._show = show
        self._clock = clock
        self._about = about or {}
        self._began = clock()
        self._next_line = self._next_note = self._began + BETWEEN
        self._first: int | None = None
        self._warned = False

    def __call__(self, counts: Mapping[str, int]) -> None:
        """Take the contacts by status, of all tries, and report if it is time to."""
        done = _done(counts)
        if self._first is None:
            # What earlier tries did says nothing about the rate of this one.
            self._first = done
        now = self._clock()
        if now < min(self._next_line, self._next_note):
            return
        rate = (done - self._first) / (now - self._began)
        minutes_left = (self._rows - done) / rate / 60 if rate else None
        if now >= self._next_line:
            self._next_line = now + BETWEEN
            left = "nothing was answered yet" if minutes_left is None else f"{minutes_left:.0f} min left"
            log.info("%s of %s contacts done, %.1f a second, %s", f"{done:,}", f"{self._rows:,}", rate, left)
        if now >= self._next_note:
            self._note(counts, rate, minutes_left)

    def end(self, counts: Mapping[str, Any]) -> None:
        """Take the contacts by status at the end, and show them."""
        self._note(counts)

    def _note(self, counts: Mapping[str, Any], rate: float | None = None, minutes_left: float | None = None) -> None:
        if self._show is None:
            return
        began = self._clock()
        try:
            self._show(
                {
                    **self._about,
                    "contacts": self._rows,
                    "done": _done(counts),
                    **{status: counts.get(status, 0) for status in STATUSES},
                    "per_second": rate and round(rate, 1),
                    "minutes_left": minutes_left and round(minutes_left, 1),
                    "updated": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the delivery continues
            log.log(
                logging.DEBUG if self._warned else logging.WARNING,
                "How far the delivery is cannot be shown in the UI (%s); the log has it",
                type(error).__name__,
            )
            self._warned = True
        now = self._clock()
        self._next_note = now + max(BETWEEN, (now - began) / SHARE_FOR_NOTES)


def _done(counts: Mapping[str, Any]) -> int:
    return sum(counts.get(status, 0) for status in STATUSES if status != "unsent")
