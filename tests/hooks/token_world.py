"""Many processes that share a token, one vendor and one database, in simulated time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Generator
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.hooks.account_tokens import SharedTokens
from airflow_provider_campaigns.protocol.messages import (
    Conversation,
    NoReplyError,
    Request,
    Response,
    SignIn,
    Sleep,
)
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.transports.tokens import ask
from airflow_provider_campaigns.vendors.ozonetel.dialect import SIGN_IN_PATH, Ozonetel

START = 1_800_000_000.0
HOUR = 3600.0
ACCOUNT = Ozonetel(user_name="example-user", api_key="example-key")

Process = Generator[float, None, None]
"""Yields the seconds after which it continues."""


def fail(*_: Any) -> Any:
    """Read no Variable, nor write one: for an Airflow that has none."""
    raise OSError("no such table: variable\n[SQL: INSERT INTO variable VALUES ('s3cret')]")


class World:
    """
    A clock that jumps from event to event, and what the processes share.

    :param seed: of all that happens by chance.
    :param lag: most seconds between reading a Variable and writing it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seed: int, lag: float) -> None:
        self.now = START
        self.chance = Random(seed)
        self.vendor = Vendor(self)
        self.errors: list[CampaignError] = []
        self._lag = lag
        self._seen_at = START
        self._written: list[tuple[float, str]] = []
        self._order = count()
        self._events: list[tuple[float, int, Process]] = []
        monkeypatch.setattr(
            "airflow_provider_campaigns.vendors.ozonetel.dialect.time", SimpleNamespace(time=self.clock)
        )
        monkeypatch.setattr("airflow_provider_campaigns.hooks.account_tokens.random", self.chance)
        monkeypatch.setattr(variables, "read", self._read)
        monkeypatch.setattr(variables, "write", self._write)

    def clock(self) -> float:
        return self.now

    def start(self, process: Process, after: float = 0.0) -> None:
        heapq.heappush(self._events, (self.now + after, next(self._order), process))

    def run(self, seconds: float) -> None:
        """Let the processes run."""
        end = self.now + seconds
        while self._events and self._events[0][0] < end:
            self.now, _, process = heapq.heappop(self._events)
            for pause in process:
                self.start(process, pause)
                break
        self.now = end

    def worker(self, pause: float, dies: Callable[[], bool] = lambda: False) -> Process:
        """Call the vendor again and again, about every ``pause`` seconds, in a process that may die and start again."""
        tokens = self.tokens()
        while True:
            yield self.chance.uniform(0, 2 * pause)
            try:
                yield from self.drive(ACCOUNT.campaign_status("Demo"), tokens, dies)
            except CampaignError as error:
                self.errors.append(error)
            except ProcessKilled:
                tokens = self.tokens()

    def tokens(self) -> SharedTokens:
        return SharedTokens("campaigns_example_token", claim_lifetime=45, clock=self.clock)

    def drive(
        self, conversation: Conversation[Any], tokens: SharedTokens, dies: Callable[[], bool] = lambda: False
    ) -> Generator[float, None, Any]:
        """Do the part of a transport."""
        go_on, answer = conversation.send, None
        try:
            while True:
                step = go_on(answer)
                if dies():
                    raise ProcessKilled
                try:
                    answer = yield from self._perform(step, tokens, dies)
                    go_on = conversation.send
                except Exception as error:
                    if isinstance(error, ProcessKilled):
                        raise
                    answer, go_on = error, conversation.throw
        except StopIteration as end:
            return end.value

    def _perform(self, step: Any, tokens: SharedTokens, dies: Callable[[], bool]) -> Generator[float, None, Any]:
        if isinstance(step, Request):
            yield self.chance.uniform(0.02, 0.2)
            answer = self.vendor.answer(step)
            yield self.chance.uniform(0.02, 0.2)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if isinstance(step, SignIn):
            return (yield from self.drive(ACCOUNT.sign_in(step.stale), tokens, dies))
        if isinstance(step, Sleep):
            return (yield step.seconds)
        asked_at = self.now
        yield self.chance.uniform(0, self._lag)
        self._seen_at = asked_at
        return ask(tokens, step)

    def _read(self, name: str) -> str | None:
        """Return what was there when the process began to ask."""
        return next((text for at, text in reversed(self._written) if at <= self._seen_at), None)

    def _write(self, name: str, text: str, description: str) -> None:
        self._written.append((self.now, text))
        self._seen_at = self.now


class ProcessKilled(Exception):  # noqa: N818
    """What ends a worker at any point; the conversation sees nothing of it."""


class Vendor:
    """
    "Generate Token": valid 60 minutes, at most 10 an hour, and each new one ends all earlier ones.

    ``loses_replies`` makes tokens and does not tell.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._token = ""
        self._ends_at = START
        self.minted: list[float] = []
        self.refused: list[float] = []
        self.loses_replies = False

    def renew(self) -> str:
        """Make a new token, also for a program that is none of the world's processes."""
        self._token = f"token-{self._world.chance.random()}"
        self._ends_at = self._world.now + HOUR
        return self._token

    def answer(self, request: Request) -> Response | Exception:
        if request.path == SIGN_IN_PATH:
            self.minted.append(self._world.now)
            token = self.renew()
            return NoReplyError("time-out") if self.loses_replies else _reply({"token": token, "message": ""})
        if request.headers["Authorization"] != f"Bearer {self._token}" or self._world.now > self._ends_at:
            self.refused.append(self._world.now)
            return _reply({"status": "false", "message": "Invalid Token"})
        return _reply({"status": "success", "message": [{"CampaignName": "Demo", "Position": "READY"}]})

    @property
    def most_in_an_hour(self) -> int:
        """The most tokens that were asked for in any one hour."""
        return max((sum(start <= at < start + HOUR for at in self.minted) for start in self.minted), default=0)


def _reply(body: Any) -> Response:
    return Response(200, json.dumps(body).encode())
