"""Runs a trigger as the triggerer would: made again from what Airflow stored of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from airflow.models.trigger import Trigger
from airflow.providers.common.compat.module_loading import import_string


def stored(trigger: Any) -> tuple[str, dict[str, Any]]:
    """Return a trigger's class and arguments after their way through Airflow's own table, encryption included."""
    row = Trigger.from_object(trigger)
    return row.classpath, row.kwargs


def rebuilt(trigger: Any) -> Any:
    """Return the trigger after a way through Airflow's table."""
    path, arguments = stored(trigger)
    return import_string(path)(**arguments)


def event_of(trigger: Any) -> dict[str, Any]:
    """Return the only event of a trigger, which cleans up behind itself as in the triggerer."""

    async def run() -> list[Any]:
        new = rebuilt(trigger)
        try:
            return [event.payload async for event in new.run()]
        finally:
            await new.cleanup()

    (payload,) = asyncio.run(run())
    event: dict[str, Any] = json.loads(json.dumps(payload))
    return event
