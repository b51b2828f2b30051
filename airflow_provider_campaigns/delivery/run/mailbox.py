"""Passes answers and callbacks from the thread of the senders to the main thread."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from airflow_provider_campaigns.protocol.messages import T

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """
    A queue whose reader sleeps until enough has come.

    Two threads that take turns for every single item spend more time on the turns than on the items.
    """

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._wakeups: SimpleQueue[_Callback | _Wakeup] = SimpleQueue()
        self._least = 1

    def put(self, item: Item) -> None:
        """Hand over an item; only one thread may."""
        self._items.append(item)
        if len(self._items) == self._least:
            self._wakeups.put(_Wakeup.ENOUGH)

    def wake(self) -> None:
        """Let the reader return with what there is; may be called from a signal handler."""
        self._wakeups.put(_Wakeup.RETURN)

    def ask(self, do: Callable[[], T]) -> T:
        """Run ``do`` in the thread of the reader, wait for it, and return or raise what it does."""
        callback = _Callback(do)
        self._wakeups.put(callback)
        result: T = callback.done.result()
        return result

    def collect(self, timeout: float | None, least: int = 1) -> list[Item]:
        """
        Return the items there are, and meanwhile run what was asked for.

        :param timeout: seconds to wait for ``least`` items, None for as long as it takes. It returns earlier, perhaps
            with none, when it was woken or had a callback to run.
        """
        self._least = least
        until = math.inf if timeout is None else time.monotonic() + timeout
        # What came before the new number was set is counted here; what comes later wakes. A wake-up may be an old one.
        while len(self._items) < least and (left := until - time.monotonic()) > 0:
            if self._wait(left) is not _Wakeup.ENOUGH:
                break
        while self._wait(0):
            pass
        return [self._items.popleft() for _ in range(len(self._items))]

    def _wait(self, seconds: float) -> _Callback | _Wakeup | None:
        """Wait so long for a wake-up, run it if it is a callback, and return it; None when there was none."""
        try:
            wakeup = self._wakeups.get(seconds > 0, None if seconds == math.inf else seconds)
        except Empty:
            return None
        if isinstance(wakeup, _Callback):
            wakeup.run()
        return wakeup


class _Wakeup(Enum):
    ENOUGH = 1
    RETURN = 2


class _Callback:
    """Something to be done in the thread of the reader."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do
        self.done: Future[Any] = Future()

    def run(self) -> None:
        """Do it, and hand the result or the error to whoever waits."""
        try:
            self.done.set_result(self._do())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self.done.set_exception(error)
