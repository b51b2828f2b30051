"""Doing something again that failed in a way that passes by itself: an outage, a deadlock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

# Seconds between two checks whether there is to be no more waiting.
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Attempts:
    """
    How often and how long something is done again.

    :param may_pass: whether it may succeed after this error.
    :param seconds: for how long it is done again.
    :param first_wait: seconds before the second attempt, at the most; it doubles up to ``longest_wait``.
    :param ended: whether there is to be no more waiting; then there is one more attempt.
    """

    may_pass: Callable[[Exception], bool]
    seconds: float
    first_wait: float
    longest_wait: float
    ended: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep

    def again(self, do: Callable[[], T]) -> T:
        """
        Do something until it succeeds, which has just failed.

        :raises Exception: what the last attempt raised.
        """
        until, wait = self.clock() + self.seconds, self.first_wait
        while True:
            # Not all at the same moment, if there are several.
            self._wait(min(wait * random.uniform(0.5, 1.0), until - self.clock()))  # noqa: S311 - no secret
            try:
                return do()
            except Exception as error:
                if not self.may_pass(error) or self.ended() or self.clock() >= until:
                    raise
            wait = min(2 * wait, self.longest_wait)

    def _wait(self, seconds: float) -> None:
        until = self.clock() + seconds
        while not self.ended() and (left := until - self.clock()) > 0:
            self.sleep(min(left, POLL_SECONDS))
