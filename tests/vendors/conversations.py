"""Drives a conversation with scripted replies and records what it asked for; no socket, no real wait."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Conversation,
    Keep,
    Page,
    Recall,
    Release,
    Request,
    Response,
    SignIn,
    Sleep,
    T,
)

Reply = Response | Exception | tuple[int, Any]
"""A whole response, an exception to throw into the conversation, or a status and a body to send as JSON."""


@dataclass
class Script:
    """
    Plays the transport's part in one conversation or several.

    :param replies: what comes back, one for each request, in order.
    :param token: what ``SignIn`` is answered with.
    :param stored: what ``Recall`` is answered with.
    :param shared: what ``Claim`` is answered with, in order; afterwards it may make a token.
    """

    replies: Sequence[Reply] = ()
    token: str = "token"
    stored: str | None = None
    shared: Sequence[str | Sleep | None] = ()
    requests: list[Request] = field(default_factory=list)
    sleeps: list[Sleep] = field(default_factory=list)
    sign_ins: list[SignIn] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    kept: list[Keep] = field(default_factory=list)
    released: list[Release] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def play(self, conversation: Conversation[T]) -> T:
        """Drive ``conversation`` to its end and return its result, or let through what it raises."""
        try:
            step = next(conversation)
            while True:
                answer = self._answer(step)
                step = conversation.throw(answer) if isinstance(answer, Exception) else conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    @property
    def items(self) -> list[Any]:
        """All items of all pages, in order."""
        return [item for page in self.pages for item in page.items]

    def _answer(self, step: Any) -> Any:
        if isinstance(step, Request):
            self.requests.append(step)
            assert len(self.requests) <= len(self.replies), f"no reply is scripted for request {len(self.requests)}"
            return as_response(self.replies[len(self.requests) - 1])
        if isinstance(step, SignIn):
            self.sign_ins.append(step)
            return self.token
        if isinstance(step, Recall):
            return self.stored
        if isinstance(step, Claim):
            self.claims.append(step)
            return self.shared[len(self.claims) - 1] if len(self.claims) <= len(self.shared) else None
        records: dict[type, list[Any]] = {
            Sleep: self.sleeps,
            Keep: self.kept,
            Release: self.released,
            Page: self.pages,
        }
        records[type(step)].append(step)
        return None


def as_response(reply: Reply) -> Response | Exception:
    """Return ``reply`` as what a transport would send back or throw."""
    if isinstance(reply, tuple):
        status, body = reply
        return Response(status, json.dumps(body).encode())
    return reply


def drive(
    conversation: Conversation[T], *replies: Reply, token: str = "token", stored: str | None = None
) -> tuple[T, list[Request]]:
    """
    Drive ``conversation`` and return its result and the requests it sent.

    Every scripted reply must be used. When the conversation raises, or its sleeps, pages or kept tokens matter,
    make a ``Script`` and look at it afterwards.
    """
    script = Script(replies, token=token, stored=stored)
    result = script.play(conversation)
    assert len(script.requests) == len(replies), f"{len(replies) - len(script.requests)} replies were not used"
    return result, script.requests
