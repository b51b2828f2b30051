"""A sandbox to watch, and the state that Airflow keeps of a watcher's trigger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from tests.triggering import rebuilt
from tests.triggers.exotel.watchers import AssetStates


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[SandboxServer]:
    """A sandbox that counts no requests per minute."""
    with SandboxServer(limits=False) as server:
        yield server


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is kept in Airflow: Variables, or the state of the asset."""
    values: dict[str, str] = {}
    monkeypatch.setattr(variables, "read", values.get)
    monkeypatch.setattr(variables, "write", lambda name, text, description: values.__setitem__(name, text))
    return values


@pytest.fixture(params=["asset", "variable"])
def watcher(request: pytest.FixtureRequest, states: dict[str, str]) -> Callable[..., Any]:
    """Return what makes the trigger again, with each kind of state that Airflow may give it."""

    def make(**options: Any) -> Any:
        one = rebuilt(ExotelCampaignFinishedTrigger(**options))
        one.asset_state_store = AssetStates(states) if request.param == "asset" else None
        return one

    return make
