"""The control API is for programs on this machine: no page in a browser may read it or change anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient


@pytest.fixture(scope="module")
def named() -> Iterator[str]:
    """A sandbox that may also be called by the name ``sandbox``, as in a network of containers."""
    with SandboxServer(hosts=["Sandbox"]) as server:
        yield server.url


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:1", 200),
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("[::1]:8765", 200),
        ("sandbox:8765", 200),
        ("evil.example.com", 403),
        ("localhost.example.com:8765", 403),
        ("127.0.0.1.example.com", 403),
        ("example.com@127.0.0.1.example.com", 403),
        ("192.0.2.7", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_host(named: str, host: str, status: int) -> None:
    response = requests.get(f"{named}/_sandbox/received", headers={"Host": host}, timeout=5)
    assert response.status_code == status
    assert ("error" in response.json()) == (status == 403)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("{url}", 200),
        ("https://example.com", 403),
        ("null", 403),
        ("http://127.0.0.1", 403),
        ("http://localhost:3000", 403),
        ("", 403),
    ],
)
def test_origin(named: str, origin: str, status: int) -> None:
    client = SandboxClient(named)
    client.reset()
    headers = {"Origin": origin.format(url=named), "Content-Type": "text/plain"}
    response = requests.post(f"{named}/_sandbox/latency", data='{"seconds": 0.001}', headers=headers, timeout=5)
    assert response.status_code == status
    client.reset()


@pytest.mark.parametrize("path", ["", "received", "counts", "faults", "clock", "vendors/exotel", "none"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_every_control_path_refuses_strangers(named: str, method: str, path: str) -> None:
    url = f"{named}/_sandbox/{path}"
    assert requests.request(method, url, headers={"Host": "example.com"}, timeout=5).status_code == 403


def test_the_vendors_answer_by_any_name(named: str) -> None:
    response = requests.get(f"{named}/collect/v1/team", headers={"Host": "api.example.com"}, timeout=5)
    assert response.status_code == 401


def test_without_the_name_it_is_refused(sandbox: SandboxClient) -> None:
    assert requests.get(f"{sandbox.url}/_sandbox/", headers={"Host": "sandbox"}, timeout=5).status_code == 403
