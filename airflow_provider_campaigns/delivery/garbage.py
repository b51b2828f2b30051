"""Keeps Python's garbage collector from looking at what a delivery has nothing to do with."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def spared() -> Iterator[None]:
    """
    Spare the collector what is there already.

    A task of Airflow holds a million objects; to look through them takes a quarter of a second, in which nothing is
    sent, and a million contacts make it look often. Afterwards all of it is looked at again, also what somebody else
    had spared: to ask whether there was any takes as long as a request.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
