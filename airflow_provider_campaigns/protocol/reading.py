"""Lets a conversation read, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response, T


class WriteRefusedError(CampaignError):
    """A conversation that may only read was about to write; the request was not sent."""


class Seen(NamedTuple):
    """
    A reply, and when it came.

    :param asked: seconds since the epoch.
    :param answered: seconds since the epoch.
    """

    reply: Response
    asked: float
    answered: float


def read_only(conversation: Conversation[T], note: Callable[[Seen], object] | None = None) -> Conversation[T]:
    """
    Go through a conversation as it is, but for requests that write: the first of them ends it.

    A sign-in is no request of the conversation: a vendor's new token contacts nobody.

    :param note: is given each reply.
    :raises WriteRefusedError: it was about to write.
    """
    with closing(conversation):
        try:
            step = next(conversation)
            while True:
                if isinstance(step, Request) and step.effect != "read":
                    raise WriteRefusedError(f"{step!r} would change something, and was not sent")
                asked = time.time()
                try:
                    answer: Any = yield step
                except Exception as failure:  # noqa: BLE001 - whatever it is, the conversation decides
                    step = conversation.throw(failure)
                    continue
                if note and isinstance(answer, Response):
                    note(Seen(answer, asked, time.time()))
                step = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
