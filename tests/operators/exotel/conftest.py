"""A connection to the sandbox's Exotel, and look-ups that do not wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_campaigns.operators._exotel import lists
from airflow_provider_campaigns.operators.base import idempotent_create
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect
from tests.operators.exotel.campaigns import TIMEOUT


@pytest.fixture(autouse=True)
def change_connection(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A connection to the sandbox; call it to change fields and extras."""

    def change(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        extras = {"timeout": TIMEOUT, "retry_limit": 0, **(extra or {})}
        connect(monkeypatch, sandbox, "exotel", extra=extras, **fields)

    change()
    return change


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the look-ups waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(idempotent_create, "sleep", waited.append)
    monkeypatch.setattr(lists, "sleep", waited.append)
    return waited


@pytest.fixture(autouse=True)
def no_choices(airflow_variables: dict[str, str]) -> None:
    """Nobody chose anything in Airflow's Variables."""
