"""Connections to the sandbox, as Airflow reads them from the environment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.run import senders
from airflow_provider_campaigns.hooks import account_tokens, base
from airflow_provider_campaigns.protocol.pace import Pace
from airflow_provider_campaigns.sandbox import collect, exotel, ozonetel, xebo, xtremepush
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import variables

CREDENTIALS: dict[str, dict[str, Any]] = {
    "xebo": {"login": xebo.EMAIL, "password": xebo.PASSWORD},
    "collect": {"password": collect.API_KEY},
    "xtremepush": {"password": xtremepush.APP_TOKEN},
    "ozonetel": {"login": ozonetel.USER, "password": ozonetel.API_KEY},
    "exotel": {"login": exotel.API_KEY, "password": exotel.API_TOKEN},
}
# Nobody waits for the pace that the vendors' pages ask for: the sandbox is ours.
QUICK = {"requests_per_minute": 600_000}
EXTRAS: dict[str, dict[str, Any]] = {"exotel": {"account_sid": exotel.ACCOUNT_SID, **QUICK}, "ozonetel": QUICK}


def connect(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, vendor: str, **changes: Any) -> None:
    """Set ``<vendor>_default``; ``changes`` are fields of the connection, ``extra`` a dict."""
    host = f"{sandbox.url}/{vendor}"
    fields: dict[str, Any] = {"conn_type": vendor, "host": host, "extra": {}, **CREDENTIALS[vendor], **changes}
    extras = {"login_url": host} if vendor == "xebo" else EXTRAS.get(vendor, {})
    fields["extra"] = {**extras, **fields["extra"]}
    monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", json.dumps(fields))


def keep_tokens_in_memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Keep the tokens that tasks share in a dict instead of Airflow Variables, and make them at once; return it."""
    values: dict[str, str] = {}
    monkeypatch.setattr(variables, "read", values.get)
    monkeypatch.setattr(variables, "write", lambda name, text, description: values.__setitem__(name, text))
    monkeypatch.setattr(account_tokens, "CLAIM_DELAY", 0)
    monkeypatch.setattr(account_tokens, "CLAIM_JITTER", 0)
    return values


def keep_no_pace(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Let all requests be sent at once, and return the list that gets the requests a minute they would have kept to."""
    paces: list[float | None] = []

    def make(per_minute: float | None = None, **_: object) -> Pace:
        paces.append(per_minute)
        return Pace()

    monkeypatch.setattr(base, "Pace", make)
    monkeypatch.setattr(senders, "Pace", make)
    return paces


def calls(sandbox: SandboxClient, vendor: str) -> list[str]:
    """Return the names of the calls a vendor received, in order, without sign-ins."""
    return [request["call"] for request in sandbox.received(vendor)["requests"] if request["call"] != "token"]


def contacted(sandbox: SandboxClient, vendor: str) -> list[str]:
    """Return the contacts a vendor processed, in order, as often as it did."""
    return [contact["contact"] for contact in sandbox.received(vendor)["contacts"]]
