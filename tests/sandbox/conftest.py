"""A sandbox whose code counts in coverage; that of all other tests does not, which would take them twice as long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from airflow_provider_campaigns.sandbox.server import SandboxServer
from tests.tracing import TRACERS, traced_by


@pytest.fixture(scope="module")
def sandbox_server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """The five vendors' APIs on a free loopback port."""
    with counted_server(request) as server:
        yield server


@contextmanager
def counted_server(request: pytest.FixtureRequest) -> Iterator[SandboxServer]:
    """Run a sandbox whose thread counts in coverage."""
    server = SandboxServer()
    with traced_by(request.session.stash[TRACERS]):
        server.start()
    try:
        yield server
    finally:
        server.stop()
