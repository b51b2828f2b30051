"""When a request may be sent: evenly under the limit, after a pause the vendor asked for, and never after a stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from airflow_provider_campaigns.protocol.messages import Conversation, NotSentError, Request, SignIn, Sleep, Step, T

# Requests are spaced for a little less than the limit: they do not arrive as evenly as they are sent, and one too many
# in a vendor's minute is refused.
SHARE_OF_LIMIT = 0.99
# Seconds after which it is checked again whether requests that were held back may be sent.
HELD_SECONDS = 0.2
# Seconds that a late wake-up may be made up for, so that such do not add up. A minute at that share of the limit has
# 0.6 s to spare, whatever the limit; the other half is for the way to the vendor.
MADE_UP_FOR = 0.3


class StoppedError(Exception):
    """The delivery was stopped before this request left."""


def interval_of(per_minute: float) -> float:
    """Return the seconds between two requests of so many a minute."""
    return 60.0 / (per_minute * SHARE_OF_LIMIT)


class Pace:
    """
    The pace of all requests of one delivery, or of one list read page by page; used by one thread.

    :param per_minute: requests a minute, None for no limit.
    :param clock: seconds, monotonic.
    :param closes_in: seconds after which no request may be sent.
    """

    until_reserved = 0.0
    """Seconds after which to ask again for a slot, where ``reserve`` returns None."""
    longest_sleep = math.inf
    """Seconds after which a request that waits for its slot asks whether it was missed."""

    def __init__(
        self,
        per_minute: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        closes_in: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._interval = interval_of(per_minute) if per_minute else 0.0
        self._clock = clock
        self._closes_in = closes_in
        self._next = -math.inf
        self._paused_until = 0.0
        self.stopped = False
        self.held = False
        """Whether no request may be sent for the time being; may be set by another thread."""
        self.waiting = 0
        """Requests that wait for a turn."""

    @property
    def ended(self) -> bool:
        """Whether no further request may be sent."""
        return self.stopped or self._closes_in() <= 0

    def reserve(self) -> float | None:
        """Take the next slot and return when it is, by the clock; None: it is not known yet."""
        now = self._clock()
        # A longer break is not made up for.
        due = self._next if now - self._next < MADE_UP_FOR else now
        slot = max(due, self._paused_until)
        self._next = slot + self._interval
        return slot

    def until(self, slot: float) -> float:
        """Return the seconds until a slot, 0 when it has come."""
        return max(0.0, slot - self._clock())

    def missed(self, slot: float) -> bool:
        """Whether a slot may no longer be used: it is before the end of a pause, or it was long ago."""
        return slot < self._paused_until or self._clock() - slot > MADE_UP_FOR

    def pause(self, seconds: float) -> None:
        """Send no request for so long: a vendor that asks one request to wait means them all."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def close(self) -> None:
        """End what was started for it; no request is sent afterwards."""


def paced(conversation: Conversation[T], pace: Pace) -> Conversation[T]:
    """
    Run ``conversation`` at ``pace``.

    Its first step is made at once, with the body if it is a request: it is ready when its turn comes.

    :raises StoppedError: the delivery was stopped before a write of it left; afterwards its further requests fail as
        if there were no connection, and it decides what that means.
    """
    try:
        step = next(conversation)
    except StopIteration as end:
        return _ended(end.value)
    if isinstance(step, Request):
        step.body  # noqa: B018 - made when it is first asked for
    return _drive(step, conversation, _Turns(pace))


def _ended(result: T) -> Conversation[T]:
    return result
    yield


def _drive(step: Step, conversation: Conversation[T], turns: _Turns) -> Conversation[T]:
    """Perform ``step`` and what follows it, each in its turn."""
    with closing(conversation):
        try:
            while True:
                try:
                    answer = yield from turns.perform(step)
                except StoppedError:
                    raise
                except Exception as failure:  # noqa: BLE001 - whatever it is, the conversation decides
                    step = conversation.throw(failure)
                else:
                    step = conversation.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result


class _Turns:
    """The turns of one conversation's requests, one after the other."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._slot: float | None = None
        self._wrote = False

    def perform(self, step: Step) -> Conversation[Any]:
        """
        Yield ``step`` when its turn has come, and return its answer.

        :raises StoppedError: the delivery was stopped before any write of the conversation left.
        :raises NotSentError: it was stopped later, before this request left.
        """
        if isinstance(step, Request):
            if not (yield from self._turn_came()):
                raise NotSentError("the delivery was stopped before this request", stopped=True)
            self._slot = None
            self._wrote = self._wrote or step.effect == "write"
        elif step == SignIn():
            # The turn comes before the token, which may have ended by then. One that was refused is replaced at once:
            # others would try it in their turn.
            yield from self._turn_came()
        elif isinstance(step, Sleep) and step.throttled:
            self._pace.pause(step.seconds)
        return (yield step)

    def _turn_came(self) -> Conversation[bool]:
        """
        Wait for a turn; return whether it came, False if the delivery was stopped after a write left.

        A slot that was taken already is kept unless it was missed since.
        """
        pace = self._pace
        pace.waiting += 1
        try:
            yield from self._wait()
        finally:
            pace.waiting -= 1
        ended = pace.ended
        if ended and not self._wrote:
            raise StoppedError
        return not ended

    def _wait(self) -> Conversation[None]:
        pace, slot, waited = self._pace, self._slot, False
        while not pace.ended:
            if pace.held:
                yield Sleep(HELD_SECONDS, "")
                continue
            if slot is None or pace.missed(slot):
                # If it had one, it queues up behind the others again.
                slot, waited = pace.reserve(), False
            if slot is None:
                yield Sleep(pace.until_reserved, "")
                continue
            if waited or (seconds := pace.until(slot)) <= 0:
                break
            yield Sleep(min(seconds, pace.longest_sleep), "")
            waited = seconds <= pace.longest_sleep
        self._slot = slot
