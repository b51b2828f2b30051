"""What one poll of a sensor stores for the next process: a rescheduled poke, or a retry."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.protocol.polling import Poller
from airflow_provider_campaigns.state import task_state as state

log = logging.getLogger(__name__)

KEY = "watch"


class PollState:
    """
    A wait, and its place in the durable state of the task instance: the deadline, and what counts up to it.

    Airflow keeps neither XComs nor attributes from one poke to the next. A retry has the deadline of the first try, as
    Airflow promises for sensors, but may fail as often as that one did; clearing the task starts again.

    :param context: of the task; outside a task nothing is kept.
    :param retries: of the task.
    :param needed: False keeps nothing: no other process will continue the wait.
    """

    poller: Poller

    def __init__(self, context: Mapping[str, Any], *, retries: int, needed: bool) -> None:
        ti = context.get("ti")
        self._store = state.task_state(context) if needed and ti is not None else None
        self._try = ti.try_number if ti is not None else 0
        self._first_try = (ti.max_tries or 0) - retries if ti is not None else 0
        self._kept: dict[str, Any] | None = None

    def begin(self, timeout: float, max_failures: int) -> None:
        """Begin the wait, or resume the one that an earlier process of this task instance began."""
        self.poller = Poller(time.time() + timeout, max_failures)
        kept = self._store.get(KEY) if self._store else None
        if kept and kept["first_try"] == self._first_try:
            self._kept = kept
            self.poller.deadline = kept["deadline"]
            self.poller.unknown = set(kept["unknown"])
            self.poller.failures = kept["failures"] if kept["try"] == self._try else 0

    def keep(self) -> None:
        """Store what changed, or raise: a poke that found no deadline would wait for ever."""
        record = {
            "first_try": self._first_try,
            "try": self._try,
            "deadline": self.poller.deadline,
            "failures": self.poller.failures,
            "unknown": sorted(self.poller.unknown),
        }
        if self._store and record != self._kept:
            self._store.set(KEY, record)
            self._kept = record

    def forget(self) -> None:
        """Remove what was stored, for the wait is over; when that fails, it is only logged."""
        try:
            if self._store:
                self._store.delete(KEY)
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the wait is over
            log.warning("What the wait had stored could not be removed: %s", error)
