"""Runs a watcher's trigger as a triggerer does, one poll after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from airflow_provider_campaigns.triggers._exotel import finished

HOUR = 3600.0


class Polls:
    """Holds the pauses between the polls, so that the test says when the next one is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self._asleep, self._wake = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(finished, "asyncio", self)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def next(self, times: int = 1) -> None:
        """Return when the next poll is over and its events have fired."""
        for _ in range(times):
            if self.pauses:
                self._asleep.clear()
                self._wake.set()
            await asyncio.wait_for(self._asleep.wait(), 10)
            for _ in range(200):
                await asyncio.sleep(0)


class AssetStates:
    """Airflow's asset state store for one asset, over a dict that outlives the trigger."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    async def aget(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


@asynccontextmanager
async def fired(one: Any) -> AsyncIterator[list[dict[str, Any]]]:
    """Run a trigger as a triggerer does, and yield the list that its payloads go to; cancel it at the end."""
    payloads: list[dict[str, Any]] = []

    async def run() -> None:
        async for event in one.run():
            payloads.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401 - one after the other

    task = asyncio.create_task(run())
    try:
        yield payloads
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await one.cleanup()
