"""Sets up Python's interpreter for a delivery: what its garbage collector scans, how its threads take turns."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds that a thread may compute while another waits; Python's own 0.005 are a tenth of a quick request, and the
# thread that sends waits that long each time it comes back from a socket.
TURN = 0.001


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
