"""What the garbage collector looks at while a delivery is under way."""

from __future__ import annotations

import gc

import pytest

from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import Plan, World, phones, run_try


@pytest.mark.parametrize("frozen", [False, True])
def test_the_garbage_collector_is_spared_what_was_there_and_left_as_it_was(frozen: bool) -> None:
    world = World()
    meanwhile: list[int] = []

    def look(_: int, keys: list[str]) -> Response:
        meanwhile.append(gc.get_freeze_count())
        return world.accept(keys)

    world.answer = look
    gc.collect()
    if frozen:
        gc.freeze()
    before = gc.get_freeze_count()
    try:
        run_try(world, Plan(phones(1)))
        after = gc.get_freeze_count()
    finally:
        gc.unfreeze()

    assert meanwhile[0] > before
    assert bool(after) is frozen
