"""Four tasks of one account, each in a process of its own: one pace for all, on each history database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate, pairwise
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import pytest

from airflow_provider_campaigns.history.account_pace import LOOK_UP_EVERY
from airflow_provider_campaigns.protocol.pace import SHARE_OF_LIMIT, interval_of
from tests.history.conftest import connection, servers

__all__ = ["connection", "servers"]

ROOT = Path(__file__).parents[2]
SENDER = Path(__file__).with_name("account_sender.py")
TASKS, LEADS = 4, 28
# Of the account: a vendor's 100 a minute, twelve times as fast.
PER_MINUTE = 1_200
INTERVAL = interval_of(PER_MINUTE)
# Seconds of a vendor's minute that are left over, whatever the limit: so much earlier than planned may a request come.
SPARE = 60 * (1 - SHARE_OF_LIMIT)
# The request that is asked to wait, and for how many seconds.
PAUSED_AT, PAUSE = 80, 5
# Requests in a row whose pace is measured, wherever it is best: a busy machine may lose some slots.
STRETCH = 20


class Vendor(BaseHTTPRequestHandler):
    """An account that notes when each request came, and asks one of them to wait."""

    protocol_version = "HTTP/1.1"
    arrivals: ClassVar[list[float]]
    lock: ClassVar[threading.Lock]

    def do_POST(self) -> None:
        with self.lock:
            self.arrivals.append(time.monotonic())
            waits = len(self.arrivals) == PAUSED_AT
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"status": "Success", "message": "SuccessFully Updated Demo Campaign"}).encode()
        self.send_response(429 if waits else 200)
        if waits:
            self.send_header("Retry-After", str(PAUSE))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def account() -> Iterator[tuple[str, list[float]]]:
    """Yield the address of an account, and when its requests came."""
    Vendor.arrivals, Vendor.lock = [], threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", 0), Vendor) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", Vendor.arrivals
        server.shutdown()


def run_tasks(folder: Path) -> None:
    """Run the tasks at once, to their end."""
    processes = []
    for number in range(TASKS):
        contacts = folder / f"{number}.csv"
        numbers = range(number * LEADS, (number + 1) * LEADS)
        contacts.write_text("\n".join(["phoneNumber", *(f"+4477009{one:05}" for one in numbers)]) + "\n")
        command = [sys.executable, str(SENDER), str(folder / f"task-{number}"), str(contacts), str(TASKS)]
        processes.append(subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}))
    try:
        assert [process.wait(120) for process in processes] == [0] * TASKS
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.slow
@pytest.mark.usefixtures("connection")
def test_tasks_share_the_pace_of_their_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with account() as (url, arrivals):
        extra = {"requests_per_minute": PER_MINUTE, "auth_mode": "basic"}
        fields = {"conn_type": "ozonetel", "host": url, "login": "me", "password": "a key", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_OZONETEL_DEFAULT", json.dumps(fields))
        run_tasks(tmp_path)

    assert len(arrivals) == TASKS * LEADS + 1
    before, after = arrivals[:PAUSED_AT], arrivals[PAUSED_AT:]
    # Together they use what the account may send.
    stretches = zip(before, before[STRETCH - 1 :], strict=False)
    assert max((STRETCH - 1) * 60 / (end - begin) for begin, end in stretches) >= 0.97 * PER_MINUTE
    # No request comes earlier than a vendor's minute allows, or one would be refused.
    for some in (before, [one for one in after if one > before[-1] + PAUSE]):
        late = [moment - number * INTERVAL for number, moment in enumerate(some)]
        assert max(latest - now for latest, now in zip(accumulate(late, max), late, strict=True)) <= SPARE
    assert median(later - earlier for earlier, later in pairwise(before)) == pytest.approx(INTERVAL, rel=0.25)
    # The pause of one is that of all, as soon as they know of it.
    began = before[-1]
    assert not [one for one in after if began + 2 * LOOK_UP_EVERY + 1 < one < began + PAUSE - 0.1]
    assert len([one for one in after if one > began + PAUSE - 0.1]) > 2 * TASKS
