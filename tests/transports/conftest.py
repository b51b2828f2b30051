from __future__ import annotations

import asyncio
import datetime
import hashlib
import ipaddress
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

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
        token: str | None = yield Recall()
        if token and token != stale:
            return token
        response = yield Request("POST", "/token", "read")
        new = str(response.json()["token"])
        yield Keep(new, time.time() + 3600)
        return new


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


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate for 127.0.0.1 that no authority signed, and its key, in a folder for OpenSSL."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    # OpenSSL looks for an authority in a folder under the hash of its name.
    subject = int.from_bytes(hashlib.sha1(name.public_bytes()[2:]).digest()[:4], "little")
    pem = tmp_path_factory.mktemp("tls") / f"{subject:08x}.0"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return pem


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
