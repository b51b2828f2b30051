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
    sent, and a million contacts make it look often.
    """
    frozen = gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
