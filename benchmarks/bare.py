"""
Other ways of sending the same contacts: no validation, no ledger, no outcomes, each in a process of its own.

``python -m benchmarks.bare NAME JOB``, where JOB is a ``Job`` as JSON: prints the seconds it took.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import aiohttp
import requests

from benchmarks.jobs import Job

ROOT = Path(__file__).parents[1]
AIOHTTP, SESSION, THREADS = "bare aiohttp loop", "requests.Session in a loop", "thread pool with requests"


def aiohttp_loop(job: Job) -> None:
    """Send with nothing but aiohttp: the limit."""
    todo = job.requests()

    async def worker(session: aiohttp.ClientSession) -> None:
        for url, body in todo:
            async with session.post(url, json=body) as reply:
                reply.raise_for_status()
                await reply.json()

    async def main() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(*(worker(session) for _ in range(job.concurrency)))

    asyncio.run(main())


def session_loop(job: Job) -> None:
    """Send one after the other."""
    with requests.Session() as session:
        for url, body in job.requests():
            reply = session.post(url, json=body, timeout=30)
            reply.raise_for_status()
            reply.json()


def thread_pool(job: Job) -> None:
    """Send through a session in each of ``concurrency`` threads."""
    todo = job.requests()
    turn = threading.Lock()

    def worker(_: int) -> None:
        with requests.Session() as session:
            while True:
                with turn:
                    url, body = next(todo, ("", {}))
                if not url:
                    return
                reply = session.post(url, json=body, timeout=30)
                reply.raise_for_status()
                reply.json()

    with ThreadPoolExecutor(job.concurrency) as pool:
        list(pool.map(worker, range(job.concurrency)))


CONTESTANTS: dict[str, Callable[[Job], None]] = {
    AIOHTTP: aiohttp_loop,
    SESSION: session_loop,
    THREADS: thread_pool,
}


def seconds(name: str, job: Job) -> float:
    """Run a contestant in a process of its own, and return how long it took."""
    command = [sys.executable, "-m", "benchmarks.bare", name, json.dumps(asdict(job))]
    run = subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    return float(run.stdout)


if __name__ == "__main__":
    started = time.perf_counter()
    CONTESTANTS[sys.argv[1]](Job(**json.loads(sys.argv[2])))
    print(time.perf_counter() - started)
