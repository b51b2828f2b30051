"""Drives a sandbox from tests: what it received, and the faults, clock and settings it should have."""

from __future__ import annotations

from typing import Any

import requests


class SandboxClient:
    """
    The control API of a running sandbox.

    :param url: the sandbox's base URL, as printed at the start or ``SandboxServer.url``; a vendor's connection has the
        host ``f"{url}/exotel"`` and so on.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def received(self, vendor: str | None = None) -> dict[str, Any]:
        """Return ``{"contacts": [...], "requests": [...], "counts": {vendor: {...}}}`` in the order received."""
        return self._call("GET", "received", params={"vendor": vendor} if vendor else None)

    def counts(self, vendor: str) -> dict[str, int]:
        """Return how many ``requests``, and contacts by outcome, a vendor received; cheap enough to be asked often."""
        found: dict[str, int] = self._call("GET", "counts", params={"vendor": vendor}).get(vendor, {})
        return {"accepted": 0, "duplicate": 0, "rejected": 0, "requests": 0, **found}

    def fault(self, fault: str, **order: Any) -> list[dict[str, Any]]:
        """
        Order a failure and return the active orders.

        :param fault: e.g. ``drop``, ``429``, ``hang-after``; the list is in the sandbox's documentation.
        :param order: ``vendor``, ``path``, ``method``, ``times``, ``skip``, ``retry_after``, ``seconds``, ``body``,
            ``status``, ``share``, ``seed``.
        """
        active: list[dict[str, Any]] = self._call("POST", "faults", json={"fault": fault, **order})["faults"]
        return active

    def clear_faults(self) -> None:
        """Drop all orders."""
        self._call("DELETE", "faults")

    def clock(self, *, advance: float | None = None, speed: float | None = None) -> float:
        """Move the clock ``advance`` seconds forward, set its speed, and return its time (epoch seconds)."""
        command = {"advance": advance, "speed": speed}
        now: float = self._call("POST", "clock", json={k: v for k, v in command.items() if v is not None})["now"]
        return now

    def latency(self, seconds: float) -> None:
        """Hold every vendor's reply back this long (real seconds)."""
        self._call("POST", "latency", json={"seconds": seconds})

    def control(self, vendor: str, **command: Any) -> dict[str, Any]:
        """Change settings of a vendor, or give it one of its commands, and return its settings."""
        return self._call("POST", f"vendors/{vendor}", json=command)

    def reset(self) -> None:
        """Forget everything received and return to the defaults."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        response = self._session.request(method, f"{self.url}/_sandbox/{path}", timeout=30, **body)
        if not response.ok:
            raise ValueError(response.json()["error"])
        parsed: dict[str, Any] = response.json()
        return parsed
