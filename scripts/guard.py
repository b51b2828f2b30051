"""
Runs commands, again when one ends, until stdin ends; then kills all that they started, whatever became of the process
at stdin's other end.

The first line of stdin is a JSON object ``{log file: command}``. What the commands start stays in the session of this
process: Airflow gives its tasks process groups of their own, but no sessions.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil

# Seconds between two checks whether all of them still run.
CHECK_INTERVAL = 1.0


def others() -> list[psutil.Process]:
    """Return the living processes of this session but this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            ours = os.getsid(process.pid) == os.getpid() != process.pid
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def start(log: str, command: list[str]) -> subprocess.Popen[bytes]:
    """Start a command, whose output goes to the end of a file."""
    with Path(log).open("ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)


def main() -> None:
    """Start, wait, kill; list the processes again each time: one may have started another one meanwhile."""
    commands = json.loads(sys.stdin.readline())
    running = {log: start(log, command) for log, command in commands.items()}
    while not select.select([sys.stdin], [], [], CHECK_INTERVAL)[0]:
        for log, process in running.items():
            # As a service manager does: 3.1's scheduler ends when a task is cleared in the moment it is scheduled.
            if process.poll() is not None:
                running[log] = start(log, commands[log])
    while left := others():
        for other in left:
            with suppress(psutil.NoSuchProcess):
                other.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    main()
