"""What the tests of the vendors' sensors share: a sensor that is deferred, its trigger, and its way back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.providers.common.compat.module_loading import import_string
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_campaigns.sensors.base import CampaignSensor


def defer(sensor: CampaignSensor) -> dict[str, Any]:
    """Execute a sensor that has to wait, run its trigger as Airflow stores it, and return its only event's payload."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    assert deferred.value.method_name == "execute_complete"
    path, arguments = deferred.value.trigger.serialize()
    trigger = import_string(path)(**json.loads(json.dumps(arguments)))

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    (payload,) = asyncio.run(events())
    return dict(json.loads(json.dumps(payload)))
