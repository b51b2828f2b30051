from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Recall, Request
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
from airflow_provider_campaigns.transports.blocking import BlockingTransport
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens


@dataclass(frozen=True, kw_only=True)
class AcmeDialect(Dialect):
    """A vendor with bearer tokens that documents 503 as "try again later"."""

    vendor = "acme"
    tries_again_later = frozenset({503})
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(retry_limit=2, max_wait=30))

    @property
    def signs_in(self) -> bool:
        return True

    def authorize(self, request: Request, token: str) -> Request:
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})

    def sign_in(self, stale: str) -> Conversation[str]:
        token = yield Recall()
        if token and token != stale:
            return token
        response = yield Request("POST", "/token", "read")
        token = response.json()["token"]
        yield Keep(token, time.time() + 3600)
        return token


@dataclass
class Driver:
    """Drives conversations with one of the two transports; waits are only written down."""

    kind: str
    sleeps: list[float] = field(default_factory=list)
    tokens: InMemoryTokens = field(default_factory=InMemoryTokens)

    def __post_init__(self) -> None:
        self.tokens.keep("token-0", time.time() + 3600)

    def run(self, settings: TransportSettings, dialect: Dialect, *conversations: Generator[Any, Any, Any]) -> Any:
        """Run the conversations one after the other on the same transport, and return the last result."""
        if self.kind == "async":
            return asyncio.run(self._run(settings, dialect, conversations))
        with BlockingTransport(dialect, settings, self.tokens, sleep=self.sleeps.append) as transport:
            return [transport.run(conversation) for conversation in conversations][-1]

    async def _run(self, settings: TransportSettings, dialect: Dialect, conversations: Any) -> Any:
        async def sleep(seconds: float) -> None:
            self.sleeps.append(seconds)
            await asyncio.sleep(0)

        async with AsyncTransport(dialect, settings, self.tokens, sleep=sleep) as transport:
            return [await transport.run(conversation) for conversation in conversations][-1]


@pytest.fixture(params=["blocking", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(request.param)


@pytest.fixture
def acme() -> AcmeDialect:
    return AcmeDialect()


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
