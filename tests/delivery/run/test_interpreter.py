"""While something is sent, the garbage collector has less to look at and threads take turns sooner; not afterwards."""

from __future__ import annotations

import gc
import sys

import pytest

from airflow_provider_campaigns.delivery.run import process
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import Crash, Plan, World, phones, run_try


@pytest.fixture(autouse=True)
def _garbage_is_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what tests/conftest.py does."""
    monkeypatch.setattr(process, "gc", gc)


def test_the_interpreter_is_set_up_while_something_is_sent() -> None:
    world = World()
    meanwhile: list[tuple[int, float]] = []

    def look(_: int, keys: list[str]) -> Response:
        meanwhile.append((gc.get_freeze_count(), sys.getswitchinterval()))
        return world.accept(keys)

    world.answer = look
    before = sys.getswitchinterval()

    run_try(world, Plan(phones(1)))

    ((frozen, turn),) = meanwhile
    assert frozen > 1000
    assert turn == pytest.approx(0.001)
    assert (gc.get_freeze_count(), sys.getswitchinterval()) == (0, before)


def test_the_interpreter_is_as_before_when_a_delivery_fails() -> None:
    before = sys.getswitchinterval()
    world = World()
    world.answer = world.accept_and_die

    with pytest.raises(Crash):
        run_try(world, Plan(phones(1)))

    assert (gc.get_freeze_count(), sys.getswitchinterval()) == (0, before)
