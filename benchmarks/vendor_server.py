"""
The vendors' sending calls as fast as a local server can answer them: what the benchmarks send to.

``python -m benchmarks.vendor_server``: prints its port and serves until its input ends. It neither checks nor
remembers what it gets (the package's sandbox does), but for the number of requests, how many it refused for a limit,
and the seconds from the first to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import deque
from pathlib import Path
from typing import Any, Self

import httptools
import uvloop

ROOT = Path(__file__).parents[1]

REPLIES = {
    "/ca_apis/AddCampaignData": {"status": "Success", "message": "SuccessFully Updated demo Campaign"},
    "/api/external/execute/campaign": {"success": True, "code": 200, "message": "Campaign queued"},
}
COUNTS = "/counts"
WINDOW = 60.0


class Limit:
    """
    At most so many requests in any 60 seconds.

    :param per_minute: None for no limit.
    """

    def __init__(self, per_minute: int | None) -> None:
        self.per_minute = per_minute
        self.taken: deque[float] = deque()
        self.first = 0.0
        self.counts: dict[str, float] = {"requests": 0, "refused": 0, "seconds": 0.0}

    def allows(self) -> bool:
        """Count a request, and return whether it is within the limit."""
        now = time.monotonic()
        self.first = self.first or now
        self.counts["requests"] += 1
        self.counts["seconds"] = now - self.first
        if self.per_minute is None:
            return True
        while self.taken and self.taken[0] <= now - WINDOW:
            self.taken.popleft()
        if len(self.taken) >= self.per_minute:
            self.counts["refused"] += 1
            return False
        self.taken.append(now)
        return True


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests come one at a time."""

    def __init__(self, latency: float, limit: Limit) -> None:
        self._latency = latency
        self._limit = limit
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._path = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url.decode()

    def on_message_complete(self) -> None:
        if self._path == COUNTS:
            self._answer(200, self._limit.counts)
        elif not self._limit.allows():
            self._answer(429, {"message": "Max limit exceeded"})
        elif self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._answer, 200, REPLIES[self._path])
        else:
            self._answer(200, REPLIES[self._path])

    def _answer(self, status: int, reply: object) -> None:
        body = json.dumps(reply).encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


class VendorServer:
    """
    The server in a process of its own, within ``with``.

    :param latency: seconds it takes to answer.
    :param per_minute: requests it takes in any 60 seconds, None for no limit.
    """

    def __init__(self, latency: float = 0.0, per_minute: int | None = None) -> None:
        self._command = [sys.executable, "-m", "benchmarks.vendor_server", f"--latency={latency}"]
        if per_minute:
            self._command.append(f"--per-minute={per_minute}")
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def counts(self) -> dict[str, float]:
        """Return the ``requests`` it got so far, those it ``refused``, and the ``seconds`` from first to last."""
        with urllib.request.urlopen(self.url + COUNTS) as reply:
            counts: dict[str, float] = json.load(reply)
            return counts


async def serve(latency: float, per_minute: int | None) -> None:
    loop = asyncio.get_running_loop()
    limit = Limit(per_minute)
    server = await loop.create_server(lambda: Connection(latency, limit), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--latency", type=float, default=0.0)
    arguments.add_argument("--per-minute", type=int)
    given = arguments.parse_args()
    uvloop.run(serve(given.latency, given.per_minute))
