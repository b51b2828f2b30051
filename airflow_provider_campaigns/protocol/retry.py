"""
What may be repeated: one table, for every vendor and both transports.

=============================================  ==========================  ============================================
what happened                                  a read                      a write
=============================================  ==========================  ============================================
connection never made                          retry                       retry
429, or the vendor's own words for it          wait, repeat                wait, repeat: it was refused
401, or the vendor's own words for it          sign in once, repeat        sign in once, repeat: it was refused
423, 425 (by the standard not processed)       retry                       retry: it was refused
"try again later" as the vendor documents it   retry                       retry: it was refused; but if the repeat is
                                                                           then refused for good, unknown
other 5xx, 1xx, 408, 499, 300, 302 to 306,     retry                       unknown, unless declared safe to resend
time-out, reset, unreadable reply
a reply larger than ``max_reply_bytes``        error                       unknown
301, 307, 308 (not handled here)               error: the call is refused  error: the call is refused
401 again, 402, 403, 404, 407                  error: the call is refused  error: the call is refused
other 4xx (also 409), a refusal in a 200 body  error                       error: rejected
=============================================  ==========================  ============================================

A status proves that a write was not carried out only where the HTTP standard, or the vendor's page, gives it that
meaning. A gateway's statuses do not: it may have passed the request on. What vendors' pages add:

=========== ===========================================================================================================
vendor      its own
=========== ===========================================================================================================
Collect     503: "We're temporarily offline for maintenance. Please try again later." (every operation's page)
Exotel      the ``http_code`` and ``code`` in a 2xx body count like HTTP statuses; 409 is a conflict: a creation looks
            for the campaign, a second list of a name is known
Ozonetel    its words count, whatever the HTTP status (the pages give none)
Xebo        the name or code of an error counts like an HTTP status
Xtremepush  the ``code`` of a body with ``success`` false counts like an HTTP status
=========== ===========================================================================================================
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import Verdict
from airflow_provider_campaigns.protocol.messages import (
    READS,
    Conversation,
    Effect,
    NoReplyError,
    NotSentError,
    OversizedReplyError,
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


class _AgainError(Exception):
    """
    The attempt may be repeated.

    :param error: what to raise when no repeats are left.
    :param throttled: the vendor asked to wait: does not count against ``retry_limit``.
    """

    def __init__(self, error: VendorError, *, throttled: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.throttled = throttled


class _Exchange:
    """One request and its repeats."""

    def __init__(self, dialect: Dialect, request: Request) -> None:
        self.dialect = dialect
        self.request = request
        self.repeatable = request.effect == "read" or bool(request.safe_to_resend)
        self.token = ""
        self.attempts = 0
        self.failures = 0
        self.waited = 0.0
        self.unanswered = False
        self.put_off = False

    def run(self) -> Conversation[Response]:
        """Send the request until there is a reply worth reading, or no repeat is left."""
        while True:
            self.attempts += 1
            try:
                return (yield from self._attempt())
            except _AgainError as again:
                pause, reason = self._pause(again), str(again)
                throttled = again.throttled
            yield Sleep(pause, reason, throttled=throttled)

    def _attempt(self) -> Conversation[Response]:
        """Send the request once (twice if the token had ended)."""
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
        vendor = self.dialect.vendor
        request = self.dialect.authorize(self.request, self.token)
        if self.token:
            request = replace(request, secrets=(*request.secrets, self.token))
        try:
            response: Response = yield request
        except NotSentError as error:
            raise _AgainError(VendorUnavailableError(vendor, error.what_happened)) from error
        except OversizedReplyError as error:
            raise OutcomeUnknownError(vendor, str(error)) from error
        except NoReplyError as error:
            raise self._unanswered(OutcomeUnknownError(vendor, str(error))) from error
        return replace(response, secrets=response.secrets + request.secrets) if request.secrets else response

    def _judge(self, verdict: Verdict, response: Response) -> Response:
        match verdict:
            case Verdict.ANSWERED:
                return replace(response, repeated=True) if self.unanswered or self.put_off else response
            case Verdict.THROTTLED:
                raise _AgainError(self._error(VendorUnavailableError, response), throttled=True)
            case Verdict.TRY_LATER:
                self.put_off = True
                raise _AgainError(self._error(VendorUnavailableError, response))
            case Verdict.BROKEN:
                raise self._unanswered(self._error(OutcomeUnknownError, response))
            case Verdict.REJECTED:
                raise self._error(RequestRejectedError, response)
            case _:
                raise self._error(CallRefusedError, response)

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

    def _pause(self, again: _AgainError) -> float:
        """
        Return the seconds to wait before the next attempt.

        :raises VendorError: there is none.
        """
        asked, policy = again.error.retry_after, self.dialect.policy
        pause = backoff(self.attempts) if asked is None else max(asked, FIRST_BACKOFF)
        if again.throttled:
            self.waited += pause
            spent = self.waited > policy.max_wait
        else:
            self.failures += 1
            spent = self.failures > policy.retry_limit or (asked or 0) > policy.max_wait
        if spent:
            raise again.error
        return pause

    def final(self, error: VendorError) -> VendorError:
        """Return what ``error``, met by the last attempt, means for the request."""
        if self.request.effect == "read":
            return _recast(error, VendorUnavailableError) if isinstance(error, OutcomeUnknownError) else error
        # An earlier attempt may have been carried out, whatever the last one met. One that was put off was not, says
        # the vendor; but a repeat that is refused for good may be refused because it was.
        doubtful = self.put_off and isinstance(error, (RequestRejectedError, CallRefusedError))
        return _recast(error, OutcomeUnknownError) if self.unanswered or doubtful else error


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
        return (yield from this.run())
    except VendorError as error:
        raise this.final(error) from None


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the first, second … attempt when the vendor names none."""
    return min(FIRST_BACKOFF * 2.0 ** min(attempt - 1, 30), LONGEST_BACKOFF) + random.uniform(0, BACKOFF_JITTER)  # noqa: S311


def call(
    dialect: Dialect,
    method: str,
    path: str,
    json: Any = None,
    params: Mapping[str, str | int | None] | None = None,
) -> Conversation[Any]:
    """
    Call an endpoint that no dialect method wraps and return the parsed reply.

    GET, HEAD and OPTIONS are reads; everything else is a write that is not repeated when its fate is unknown.
    Raises what ``exchange`` raises.
    """
    method = method.upper()
    effect: Effect = "read" if method in READS else "write"
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
