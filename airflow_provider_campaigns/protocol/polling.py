"""What one poll of a campaign says, and how a wait continues after it; the same for every vendor and every mode."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypedDict

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import Conversation

log = logging.getLogger(__name__)

MAX_POLL_FAILURES = 10
# The pause between two polls of a vendor that fails doubles up to so many intervals, and up to so many seconds.
STEEPEST = 4
LONGEST_PAUSE = 300.0
# Share of a pause that chance adds to it: sensors that failed together do not come back together.
PAUSE_JITTER = 0.1
# Seconds that one request of a poll waits when the vendor asks it to; for longer ones the poll ends.
LONGEST_REQUESTED_WAIT = 60.0

# What a poll may fail with, by the names that events carry.
ERRORS = {kind.__name__: kind for kind in (CallRefusedError, RequestRejectedError, VendorUnavailableError)}


@dataclass(frozen=True, slots=True)
class PollResult:
    """
    One poll of what a sensor waits for.

    :param state: ``done`` (the vendor's final success state), ``failed`` (a final failure state), else ``running``.
    :param status: the vendor's own word for it.
    :param details: JSON-safe facts for the XCom and the log: counts, ids, a report's address; no recipient.
    :param unknown: words in it that the vendor's pages do not know.
    """

    state: Literal["running", "done", "failed"]
    status: str
    details: Mapping[str, Any] = field(default_factory=dict)
    unknown: Collection[str] = ()


class WaitResult(TypedDict):
    """How a wait ended, JSON-safe: ``status`` is the last one seen, ``details`` are its facts."""

    state: Literal["done", "failed", "timeout"]
    status: str
    details: dict[str, Any]


@dataclass(slots=True)
class Poller:
    """
    One wait: judges each poll, and says how long to wait for the next.

    :param deadline: when the wait ends, seconds since the epoch; there is always a poll at or after it.
    :param max_failures: polls in a row that may fail before the wait does.
    :param failures: polls in a row that failed so far.
    :param unknown: undocumented words that were logged.
    """

    deadline: float
    max_failures: int = MAX_POLL_FAILURES
    failures: int = 0
    unknown: set[str] = field(default_factory=set)
    _asked_to_wait: float = field(default=0.0, init=False)
    _last: WaitResult = field(
        default_factory=lambda: WaitResult(state="timeout", status="not seen", details={}), init=False
    )

    def poll(self, dialect: Dialect, poll_method: str, arguments: Mapping[str, Any]) -> Conversation[Any]:
        """
        Poll once.

        The poll is not repeated by itself, for the next one does so; but it waits for a vendor that asks for a moment.

        :param poll_method: name of the dialect's conversation, e.g. one that returns a ``PollResult``.
        :param arguments: its arguments.
        """
        patient = replace(dialect, policy=RetryPolicy(retry_limit=0, max_wait=min(self.left(), LONGEST_REQUESTED_WAIT)))
        conversation: Conversation[Any] = getattr(patient, poll_method)(**arguments)
        return conversation

    def record_result(self, progress: PollResult) -> WaitResult | None:
        """Record what a poll found; return how the wait ended, None when it continues."""
        self.failures, self._asked_to_wait = 0, 0.0
        for word in set(progress.unknown) - self.unknown:
            log.warning("%r is no status that the vendor documents; it is waited for", word)
        self.unknown.update(progress.unknown)
        log.info("%s (%s)", progress.status, progress.state.replace("_", " "))
        if progress.state != "running":
            return WaitResult(state=progress.state, status=progress.status, details=dict(progress.details))
        self._last = WaitResult(state="timeout", status=progress.status, details=dict(progress.details))
        return self._timed_out()

    def failed(self, error: CampaignError) -> WaitResult | None:
        """
        Record the error that a poll ended with; return how the wait ended, None when it continues.

        :raises CampaignError: a refusal, which the next poll would meet, too, or one failure too many.
        """
        if not isinstance(error, VendorUnavailableError):
            raise error
        self.failures += 1
        if self.failures > self.max_failures:
            message = f"{self.failures} polls in a row failed, the last one: {error.message}"
            raise VendorUnavailableError(error.vendor, message, status=error.status, code=error.code) from error
        log.warning("The poll failed, %d in a row by now: %s", self.failures, error)
        self._asked_to_wait = error.retry_after or 0.0
        self._last["details"]["failure"] = str(error)
        return self._timed_out()

    def pause(self, interval: float) -> float:
        """
        Return the seconds to wait for the next poll; never beyond the deadline.

        :param interval: seconds between two polls when all is well.
        """
        pause = interval
        if self.failures:
            longest = max(interval, min(STEEPEST * interval, LONGEST_PAUSE))
            pause = min(interval * 2 ** min(self.failures - 1, STEEPEST), longest) * random.uniform(1, 1 + PAUSE_JITTER)  # noqa: S311
        return min(max(pause, self._asked_to_wait), self.left())

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return max(0.0, self.deadline - time.time())

    def _timed_out(self) -> WaitResult | None:
        return None if self.left() else self._last


def error_to_event(error: CampaignError) -> dict[str, Any]:
    """Return an error as a JSON-safe event."""
    event: dict[str, Any] = {"state": "error", "message": str(error)}
    if isinstance(error, VendorError):
        event |= {"error": type(error).__name__, "vendor": error.vendor, "message": error.message}
        event |= {"http_status": error.status, "code": error.code}
    return event


def error_from_event(event: Mapping[str, Any]) -> CampaignError:
    """Return the error that an event describes, with the vendor's details."""
    message = event.get("message") or f"the trigger sent an event that is not understood: state {event.get('state')!r}"
    kind = ERRORS.get(str(event.get("error")))
    if kind is None:
        return CampaignError(message)
    return kind(event["vendor"], message, status=event["http_status"], code=event["code"])
