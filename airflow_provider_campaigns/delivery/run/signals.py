"""Signals that end a task are taken note of, and acted on where nothing is half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

# What Airflow ends a task with: a termination (mark failed, clear, shutdown), and the alarm of execution_timeout.
ENDING = (signal.SIGTERM, signal.SIGALRM)


class DeferredSignals:
    """
    Within ``with``, the handlers of ending signals run only when ``act`` is called.

    Airflow's handlers raise exceptions wherever the main thread happens to be: in the middle of storing an intent, or
    of a message to Airflow itself. Here the delivery first brings to an end what it began.

    :param notice: called in the handler, at any moment; only sets a flag, or wakes a thread.
    """

    def __init__(self, notice: Callable[[str], None]) -> None:
        self._notice = notice
        self._handlers: dict[int, Any] = {}
        self._arrived: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                handler = signal.getsignal(number)
                # The default action and handlers that are not Python's are left alone.
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def act(self) -> None:
        """Run Airflow's handlers for the signals that arrived; they usually raise."""
        while self._arrived:
            number = self._arrived.pop(0)
            self._handlers[number](number, None)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._arrived.append(number)
        self._notice(signal.Signals(number).name)
