"""Says what counts in coverage: what runs while its trace functions are set."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

# The trace functions of this thread, and of those that are started.
Tracers = tuple[Any, Any]
UNTRACED: Tracers = (None, None)
# Those of coverage, in a session's stash; nothing is traced unless it sets them.
TRACERS = pytest.StashKey[Tracers]()


@contextmanager
def traced_by(tracers: Tracers) -> Iterator[Tracers]:
    """
    Set the trace functions for a while, and yield what they were.

    Not by coverage's own pause: after it, threads that run on, such as the sandbox's, are not counted.
    """
    before = sys.gettrace(), threading.gettrace()
    _set_tracers(tracers)
    try:
        yield before
    finally:
        _set_tracers(before)


def _set_tracers(tracers: Tracers) -> None:
    of_main, of_threads = tracers
    sys.settrace(of_main)
    threading.settrace(of_threads)
