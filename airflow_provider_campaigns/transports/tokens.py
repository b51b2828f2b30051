"""Where an access token is kept between requests."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from airflow_provider_campaigns.protocol.messages import Claim, Keep, Recall, Release, Sleep

SAFETY_MARGIN = 60.0


class TokenMemory(Protocol):
    """Keeps one account's access token; all but ``recall`` may block."""

    def recall(self) -> str | None:
        """Return the token this process remembers, None when there is none or it has (nearly) ended."""

    def claim(self, stale: str, per_hour: int) -> str | Sleep | None:
        """
        Return the token that several processes share, how long to wait for one, or None: it is to be made.

        :param stale: a token that is no longer taken.
        :param per_hour: how many may be made in an hour.
        """

    def keep(self, token: str, expires_at: float) -> None:
        """
        Keep a new token.

        :param token: the access token.
        :param expires_at: when it ends, seconds since the epoch.
        """

    def release(self, *, made: bool) -> None:
        """
        End a claim of which no token came.

        :param made: there may be a new token all the same.
        """


class InMemoryTokens:
    """
    Keeps the token for as long as this process needs it; never blocks.

    :param margin: seconds before its end from which a token is no longer given out.
    :param clock: returns the time, seconds since the epoch.
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

    def claim(self, stale: str, per_hour: int) -> str | Sleep | None:
        """Return None: no other process would make a token."""

    def keep(self, token: str, expires_at: float) -> None:
        """Keep a new token in place of the old one."""
        self._kept = (token, expires_at)

    def release(self, *, made: bool) -> None:
        """Do nothing: there are no claims."""


def ask(tokens: TokenMemory, step: Recall | Claim | Keep | Release) -> str | Sleep | None:
    """Do what a step asks of the memory, and return what it is answered with."""
    match step:
        case Recall():
            return tokens.recall()
        case Claim(stale, per_hour):
            return tokens.claim(stale, per_hour)
        case Keep(token, expires_at):
            tokens.keep(token, expires_at)
        case Release(made):
            tokens.release(made=made)
    return None
