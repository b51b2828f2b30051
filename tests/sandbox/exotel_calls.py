"""Calls to the sandbox's Exotel, for the tests of it."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_campaigns.sandbox.testing import SandboxClient

AUTH = ("exotel-sandbox-key", "exotel-sandbox-token")
GOOD, BUSY, NO_ANSWER, FAILING = "+447700900001", "+447700900991", "+447700900992", "+447700900993"
BASE = {"name": "Reminders", "from": [GOOD], "caller_id": "+447700900100", "url": "http://example.com/flow"}
# A campaign starts a minute after send_at, and calls a number a second.
START = 60
MINUTE, DAY = 60, 86_400


def call(
    sandbox: SandboxClient, method: str, path: str, body: Any = None, auth: Any = AUTH, **query: Any
) -> requests.Response:
    url = f"{sandbox.url}/exotel/v2/accounts/sandbox1{path}"
    return requests.request(method, url, json=body, params=query, auth=auth, timeout=5)


def create(sandbox: SandboxClient, **fields: Any) -> dict[str, Any]:
    """Create a campaign and return its item of the reply."""
    given = {name: value for name, value in {**BASE, **fields}.items() if value is not None}
    response = call(sandbox, "POST", "/campaigns", {"campaigns": [given]})
    assert response.status_code == 207
    (item,) = response.json()["response"]
    return dict(item)


def created(sandbox: SandboxClient, **fields: Any) -> str:
    identifier: str = create(sandbox, **fields)["data"]["id"]
    return identifier


def read(sandbox: SandboxClient, identifier: str) -> dict[str, Any]:
    (item,) = call(sandbox, "GET", f"/campaigns/{identifier}").json()["response"]
    return dict(item)


def status(sandbox: SandboxClient, identifier: str) -> str:
    return str(read(sandbox, identifier)["data"]["status"])


def act(sandbox: SandboxClient, identifier: str, **fields: Any) -> dict[str, Any]:
    (item,) = call(sandbox, "PUT", f"/campaigns/{identifier}", {"campaigns": [fields]}).json()["response"]
    return dict(item)


def outcomes(sandbox: SandboxClient) -> list[tuple[str, str]]:
    return [(contact["contact"], contact["outcome"]) for contact in sandbox.received("exotel")["contacts"]]
