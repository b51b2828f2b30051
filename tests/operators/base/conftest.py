"""An operator and its vendor."""

from __future__ import annotations

from functools import partial

import pytest

from tests.delivery.world import World
from tests.operators.base.acme import MakeAcme, make_acme


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def acme(world: World) -> MakeAcme:
    """Return a function that makes an operator."""
    return partial(make_acme, world)


@pytest.fixture(autouse=True)
def no_choices(airflow_variables: dict[str, str]) -> None:
    """Nobody chose anything in Airflow's Variables."""
