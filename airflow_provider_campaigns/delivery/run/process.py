"""Changes of the process while a delivery sends: signal handlers, garbage collection, thread switch interval."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

# Seconds that a thread may compute while another waits; Python's own 0.005 are a tenth of a quick request, and the
# thread that sends waits that long each time it comes back from a socket.
TURN = 0.001

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


@contextmanager
def gc_frozen() -> Iterator[None]:
    """
    Spare the garbage collector what is there already, and let threads take turns often.

    A task of Airflow holds a million objects; to scan them takes a quarter of a second, in which nothing is sent,
    and a million contacts make it scan often. Afterwards all of it is scanned again, also what others had frozen: to
    ask whether there was any takes as long as a request.
    """
    turn = sys.getswitchinterval()
    sys.setswitchinterval(min(turn, TURN))
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(turn)
