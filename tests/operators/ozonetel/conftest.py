"""A connection to the sandbox's Ozonetel."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, keep_tokens_in_memory


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel")
