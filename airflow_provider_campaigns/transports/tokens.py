"""Where an access token is kept between requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

SAFETY_MARGIN = 60.0


class TokenMemory(Protocol):
    """Keeps one account's access token; calls may block."""

    def recall(self) -> str | None:
        """Return the token, None when there is none or it has (nearly) ended."""

    def keep(self, token: str, expires_at: float) -> None:
        """
        Keep a new token.

        :param token: the access token.
        :param expires_at: when it ends, seconds since the epoch.
        """


class InMemoryTokens:
    """
    Keeps the token for as long as this process needs it; never blocks.

    :param margin: seconds before its end from which a token is no longer given out.
    :param clock: tells the time, seconds since the epoch.
    """

    def __init__(self, margin: float = SAFETY_MARGIN, clock: Callable[[], float] = time.time) -> None:
        self._margin = margin
        self._clock = clock
        self._kept: tuple[str, float] | None = None

    def recall(self) -> str | None:
        """Return the token, None when there is none or it ends within the margin."""
        if self._kept is None:
            return None
        token, expires_at = self._kept
        return token if self._clock() < expires_at - self._margin else None

    def keep(self, token: str, expires_at: float) -> None:
        """Keep a new token in place of the old one."""
        self._kept = (token, expires_at)
