"""Fixtures that every test may use."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

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


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return a function that returns all that was logged: Airflow's classes log by logging or to stdout, by version."""
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        return caplog.text + "".join(capfd.readouterr())

    return read
