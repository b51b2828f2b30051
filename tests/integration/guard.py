"""
Runs commands until stdin ends, then kills all that they started, whatever became of the process at stdin's other end.

The first line of stdin is a JSON object ``{log file: command}``. What the commands start stays in the session of this
process: Airflow gives its tasks process groups of their own, but no sessions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil


def others() -> list[psutil.Process]:
    """Return the living processes of this session but this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            ours = os.getsid(process.pid) == os.getpid() != process.pid
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def main() -> None:
    """Start, wait, kill; look again each time: a process may have started another one meanwhile."""
    for log, command in json.loads(sys.stdin.readline()).items():
        with Path(log).open("wb") as output:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    sys.stdin.read()
    while left := others():
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    main()
