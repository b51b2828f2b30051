"""An operator and its vendor."""

from __future__ import annotations

from functools import partial

import pytest

from airflow_provider_campaigns.state import variables
from tests.delivery.world import World
from tests.operators.base.acme import MakeAcme, make_acme


@pytest.fixture(autouse=True)
def airflow_variables(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Airflow's Variables, by name; none at first."""
    values: dict[str, str] = {}
    monkeypatch.setattr(variables, "read", values.get)
    monkeypatch.setattr(variables, "write", lambda name, text, description: values.update({name: text}))
    monkeypatch.setattr(variables, "delete", lambda name: values.pop(name, None))
    return values


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def acme(world: World) -> MakeAcme:
    """Return a function that makes an operator."""
    return partial(make_acme, world)
