"""What the garbage collector looks at while a delivery is under way."""

from __future__ import annotations

import gc

from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import Plan, World, phones, run_try


def test_the_garbage_collector_is_spared_what_was_there_while_something_is_sent() -> None:
    world = World()
    meanwhile: list[int] = []

    def look(_: int, keys: list[str]) -> Response:
        meanwhile.append(gc.get_freeze_count())
        return world.accept(keys)

    world.answer = look
    gc.collect()

    run_try(world, Plan(phones(1)))

    assert meanwhile[0] > 1000
    assert gc.get_freeze_count() == 0
