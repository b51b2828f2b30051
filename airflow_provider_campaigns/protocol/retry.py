"""
What may be repeated: one table, for every vendor and both transports.

=============================================  ==========================  ============================================
what happened                                  a read                      a write
=============================================  ==========================  ============================================
connection never made                          retry                       retry
429, or the vendor's own words for it          wait, repeat                wait, repeat: it was refused
401, or the vendor's own words for it          sign in once, repeat        sign in once, repeat: it was refused
"try again later" as the vendor documents it   retry                       retry: it was refused
other 5xx, time-out, reset, unreadable reply   retry                       unknown, unless declared safe to resend
other 4xx, a refusal in a 200 body             error                       error
=============================================  ==========================  ============================================
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from tenacity import (
    DoAttempt,
    DoSleep,
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    wait_exponential,
    wait_random,
)

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import Verdict
from airflow_provider_campaigns.protocol.messages import (
    Conversation,
    Effect,
    NoReplyError,
    NotSentError,
    Request,
    Response,
    SignIn,
    Sleep,
)

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.dialect import Dialect

log = logging.getLogger(__name__)

# Seconds. The first is also the least to wait after a refusal: a vendor that says "Retry-After: 0" is asked in vain.
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 60.0
BACKOFF_JITTER = 1.0
BACKOFF = wait_exponential(multiplier=FIRST_BACKOFF, max=LONGEST_BACKOFF) + wait_random(0, BACKOFF_JITTER)


class _AgainError(Exception):
    """The attempt may be repeated; ``error`` is what to raise when no more repeats are left."""

    def __init__(self, error: VendorError, *, refused: bool = False, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.refused = refused
        self.wait = wait


class _Exchange:
    """One request and its repeats."""

    def __init__(self, dialect: Dialect, request: Request) -> None:
        self.dialect = dialect
        self.request = request
        self.repeatable = request.effect == "read" or bool(request.safe_to_resend)
        self.token = ""
        self.failures = 0
        self.waited = 0.0
        self.unanswered = False

    def attempt(self) -> Conversation[Response]:
        """Send the request once (twice if the token had ended) and return a reply worth reading."""
        if self.dialect.signs_in:
            yield from self._sign_in()
        response = yield from self._send()
        verdict = self.dialect.verdict(response)
        if verdict is Verdict.SIGNED_OUT and self.dialect.signs_in:
            yield from self._sign_in(stale=self.token)
            response = yield from self._send()
            verdict = self.dialect.verdict(response)
        return self._judge(verdict, response)

    def _sign_in(self, stale: str = "") -> Conversation[None]:
        try:
            self.token = yield SignIn(stale)
        except OutcomeUnknownError as error:
            # What is unknown is whether there is a new token; the request itself was not sent.
            raise _recast(error, VendorUnavailableError) from None
        except RequestRejectedError as error:
            # Refused credentials refuse every request, not this one's content.
            raise _recast(error, CallRefusedError) from None

    def _send(self) -> Conversation[Response]:
        dialect = self.dialect
        try:
            response: Response = yield dialect.authorize(self.request, self.token)
        except NotSentError as error:
            raise _AgainError(VendorUnavailableError(dialect.vendor, f"no connection: {error}")) from error
        except NoReplyError as error:
            raise self._unanswered(OutcomeUnknownError(dialect.vendor, str(error))) from error
        return response

    def _judge(self, verdict: Verdict, response: Response) -> Response:
        dialect = self.dialect
        if verdict is Verdict.ANSWERED:
            return replace(response, repeated=True) if self.unanswered else response
        if verdict in {Verdict.THROTTLED, Verdict.TRY_LATER}:
            error = self._error(VendorUnavailableError, response)
            raise _AgainError(error, refused=verdict is Verdict.THROTTLED, wait=error.retry_after)
        if verdict is Verdict.BROKEN:
            raise self._unanswered(self._error(OutcomeUnknownError, response))
        if verdict is Verdict.REJECTED:
            raise dialect.error(RequestRejectedError, response)
        raise dialect.error(CallRefusedError, response)

    def _error(self, kind: type[VendorError], response: Response) -> VendorError:
        error = self.dialect.error(kind, response)
        error.retry_after = retry_after(response)
        return error

    def _unanswered(self, error: VendorError) -> Exception:
        """Return what to raise when the request may have been carried out."""
        if self.repeatable:
            self.unanswered = True
            return _AgainError(error)
        log.warning(
            "%s %s was not repeated: it may have been carried out, and repeating it could contact somebody twice (%s)",
            self.request.method,
            self.dialect.vendor,
            error,
        )
        return error

    def failed(self, state: RetryCallState, failure: _AgainError) -> None:
        """Count a failed attempt, and hand it to tenacity."""
        self.failures += not failure.refused
        state.set_exception((type(failure), failure, failure.__traceback__))

    def spent(self, state: RetryCallState) -> bool:
        """Whether the last failure was one too many (a tenacity stop condition)."""
        again = _last(state)
        if again.refused:
            return self.waited + state.upcoming_sleep > self.dialect.policy.max_wait
        return self.failures > self.dialect.policy.retry_limit or (again.wait or 0) > self.dialect.policy.max_wait

    def wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt (a tenacity wait)."""
        again = _last(state)
        return BACKOFF(state) if again.wait is None else max(again.wait, FIRST_BACKOFF)

    def give_up(self, state: RetryCallState) -> Response:
        """Raise what the repeats ended with (tenacity's callback when they are spent)."""
        raise _last(state).error

    def final(self, error: VendorError) -> VendorError:
        """Return what ``error``, met by the last attempt, means for the request."""
        if self.request.effect == "read":
            return _recast(error, VendorUnavailableError) if isinstance(error, OutcomeUnknownError) else error
        # An earlier attempt may have been carried out, whatever the last one met.
        return _recast(error, OutcomeUnknownError) if self.unanswered else error


def exchange(dialect: Dialect, request: Request) -> Conversation[Response]:
    """
    Send ``request``, repeating it as the table above allows, and return a reply whose verdict is ``ANSWERED``.

    :raises CallRefusedError: no request of this kind can succeed (also: the sign-in did not help).
    :raises RequestRejectedError: the vendor refused what this request holds.
    :raises VendorUnavailableError: never reached, refused for too long, or a read that failed every time.
    :raises OutcomeUnknownError: a write that may have been carried out.
    """
    this = _Exchange(dialect, request)
    try:
        try:
            return (yield from this.attempt())
        except _AgainError as failure:
            first = failure
        return (yield from _repeat(this, first))
    except VendorError as error:
        raise this.final(error) from None


def _repeat(this: _Exchange, failure: _AgainError) -> Conversation[Response]:
    """Repeat a request whose first attempt was a failure."""
    retrying = Retrying(
        retry=retry_if_exception_type(_AgainError),
        stop=this.spent,
        wait=this.wait,
        retry_error_callback=this.give_up,
    )
    retrying.begin()
    state = RetryCallState(retrying, fn=None, args=(), kwargs={})
    this.failed(state, failure)
    while True:
        step = retrying.iter(state)
        if isinstance(step, DoAttempt):
            try:
                state.set_result((yield from this.attempt()))
            except _AgainError as another:
                this.failed(state, another)
        elif isinstance(step, DoSleep):
            again = _last(state)
            if again.refused:
                this.waited += float(step)
            state.prepare_for_next_attempt()
            yield Sleep(float(step), str(again.error), throttled=again.refused)
        else:
            assert isinstance(step, Response)
            return step


def call(
    dialect: Dialect,
    method: str,
    path: str,
    json: Any = None,
    params: Mapping[str, str | int | None] | None = None,
) -> Conversation[Any]:
    """
    Call an endpoint that no dialect method wraps and return the parsed reply.

    GET and HEAD count as reads; everything else as a write that is not repeated when its fate is unknown.
    Raises what ``exchange`` raises.
    """
    method = method.upper()
    effect: Effect = "read" if method in {"GET", "HEAD"} else "write"
    response = yield from exchange(dialect, Request(method, path, effect, json=json, params=params or {}))
    return response.json()


def retry_after(response: Response) -> float | None:
    """Return the seconds of a ``Retry-After`` header (a number or a date), None when there is none to read."""
    value = response.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)  # "-0000": UTC, from a clock that does not know its zone
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _recast(error: VendorError, kind: type[VendorError]) -> VendorError:
    recast = kind(error.vendor, error.message, status=error.status, code=error.code)
    recast.retry_after = error.retry_after
    return recast


def _last(state: RetryCallState) -> _AgainError:
    assert state.outcome is not None
    error = state.outcome.exception()
    assert isinstance(error, _AgainError)
    return error
