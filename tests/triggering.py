"""Runs a trigger as the triggerer would: made anew from what Airflow stored of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from airflow.providers.common.compat.module_loading import import_string


def rebuilt(trigger: Any) -> Any:
    """Return the trigger after a way through JSON."""
    path, arguments = trigger.serialize()
    return import_string(path)(**json.loads(json.dumps(arguments)))


def event_of(trigger: Any) -> dict[str, Any]:
    """Return the only event of a trigger."""

    async def run() -> list[Any]:
        return [event.payload async for event in rebuilt(trigger).run()]

    (payload,) = asyncio.run(run())
    event: dict[str, Any] = json.loads(json.dumps(payload))
    return event
