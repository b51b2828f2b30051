"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[SandboxServer]:
    """The five vendors' APIs on a free loopback port."""
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxClient:
    """A sandbox that has received nothing, with the default settings."""
    client = SandboxClient(sandbox_server.url)
    client.reset()
    return client
