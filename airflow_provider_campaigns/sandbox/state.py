"""What the sandbox keeps beside the vendors' own records: its clock, rate limits, ids, and what it received."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Coprime to 62, so that multiplying by it modulo a power of 62 never maps two counts to one id.
_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835


class Clock:
    """
    The time the vendors live in: it starts at the real time, may run faster and may be moved forward.

    :param speed: sandbox seconds per real second.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._first_speed = self._positive(speed)
        self.reset()

    def reset(self) -> None:
        """Return to the real time and the speed the clock was made with."""
        self.speed = self._first_speed
        self._then = time.time()
        self._mark = time.monotonic()

    def now(self) -> float:
        """Return the sandbox's time, seconds since the epoch."""
        return self._then + (time.monotonic() - self._mark) * self.speed

    def set_speed(self, speed: float) -> None:
        """Run at ``speed`` sandbox seconds per real second from now on; ValueError unless it is positive."""
        self._positive(speed)
        self.advance(0)
        self.speed = speed

    def advance(self, seconds: float) -> None:
        """Move ``seconds`` forward; ValueError if they are negative."""
        if seconds < 0:
            raise ValueError(f"the clock moves forward only, not by {seconds}")
        self._then, self._mark = self.now() + seconds, time.monotonic()

    def to_real(self, seconds: float) -> float:
        """Return how many real seconds ``seconds`` of sandbox time take."""
        return seconds / self.speed

    @staticmethod
    def _positive(speed: float) -> float:
        if speed <= 0:
            raise ValueError(f"the clock's speed must be positive, not {speed}")
        return speed


class RateWindow:
    """
    A sliding window: at most ``limit`` requests in any ``seconds`` of the sandbox's clock.

    :param enabled: False lets everything through.
    """

    def __init__(self, clock: Clock, limit: int, seconds: float, *, enabled: bool = True) -> None:
        self.limit = limit
        self._clock = clock
        self._seconds = seconds
        self._enabled = enabled
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Count one request and return True, or return False if the window is full."""
        if not self._enabled:
            return True
        if not self.remaining:
            return False
        self._taken.append(self._clock.now())
        return True

    @property
    def remaining(self) -> int:
        """How many requests would be let through now."""
        start = self._clock.now() - self._seconds
        while self._taken and self._taken[0] <= start:
            self._taken.popleft()
        return self.limit - len(self._taken)

    @property
    def free_at(self) -> float:
        """When the oldest counted request drops out of the window (sandbox time)."""
        return self._taken[0] + self._seconds if self._taken else self._clock.now()

    @property
    def retry_after(self) -> int:
        """Whole real seconds until another request would be let through, at least 1."""
        return max(1, math.ceil(self._clock.to_real(self.free_at - self._clock.now())))


class Ids:
    """Draws ids that never repeat and are not in counting order; the same ones again after a reset."""

    def __init__(self) -> None:
        self._count = 0

    def draw(self, length: int) -> str:
        """Return the next id of ``length`` letters and digits."""
        self._count += 1
        rest = self._count * _STRIDE % 62**length
        letters = []
        for _ in range(length):
            rest, letter = divmod(rest, 62)
            letters.append(_ALPHABET[letter])
        return "".join(letters)


class Received(NamedTuple):
    """
    One contact as a vendor processed it.

    :param outcome: ``accepted``, ``duplicate`` or ``rejected``.
    :param fields: what came with the contact, without credentials.
    """

    campaign: str
    contact: str
    outcome: str
    fields: Mapping[str, Any]


class Journal:
    """Everything the vendors received, in order; each line is kept as JSON text, which is a third of the objects."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._contacts: list[tuple[str, str]] = []
        self._requests: list[tuple[str, str]] = []
        self._counts: dict[str, dict[str, int]] = {}

    def add(self, vendor: str, request: Mapping[str, Any], contacts: list[Received]) -> None:
        """Write down a request and the contacts that the vendor processed in it."""
        counts = self._counts.setdefault(vendor, {"accepted": 0, "duplicate": 0, "rejected": 0, "requests": 0})
        counts["requests"] += 1
        number = len(self._requests) + 1
        line = {"seq": number, "vendor": vendor, **request, "contacts": len(contacts)}
        line["contacts_received"] = [contact.contact for contact in contacts]
        self._requests.append((vendor, json.dumps(line)))
        for contact in contacts:
            counts[contact.outcome] += 1
            line = {"seq": len(self._contacts) + 1, "vendor": vendor, "call": request["call"], "request": number}
            self._contacts.append((vendor, json.dumps(line | contact._asdict())))

    def as_json(self, vendor: str | None = None) -> str:
        """Return ``{"contacts": [...], "requests": [...], "counts": {...}}``, of one vendor if given."""
        lists = ",".join(
            f'"{name}":[{",".join(line for of, line in lines if vendor in (None, of))}]'
            for name, lines in (("contacts", self._contacts), ("requests", self._requests))
        )
        return f'{{{lists},"counts":{json.dumps(self.counts(vendor))}}}'

    def counts(self, vendor: str | None = None) -> dict[str, dict[str, int]]:
        """Return how many requests and contacts there were, by vendor; of one vendor if given."""
        return {of: counts for of, counts in self._counts.items() if vendor in (None, of)}
