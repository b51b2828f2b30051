"""Fixtures for triggers that watch Exotel campaigns at the sandbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.connections import connect


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    """The connection ``exotel_default``."""
    connect(monkeypatch, sandbox, "exotel")


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientSession]:
    """The HTTP sessions that were opened, in order."""
    opened: list[aiohttp.ClientSession] = []
    real = aiohttp.ClientSession

    def session(**options: Any) -> aiohttp.ClientSession:
        opened.append(real(**options))
        return opened[-1]

    monkeypatch.setattr(aiohttp, "ClientSession", session)
    return opened


async def until(begun: Callable[[], object]) -> None:
    """Return when something has begun."""
    for _ in range(2_000):
        if begun():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


def create(name: str = "Spring", numbers: tuple[str, ...] = ("+447700900100",)) -> str:
    """Create a campaign and return its id; it is over within an hour, and Failed if its number ends in 900993."""
    campaign = CreateCampaign(name=name, caller_id="02025550100", read_via_text="Hello there", numbers=list(numbers))
    return str(ExotelHook().create_campaign(campaign)["id"])
