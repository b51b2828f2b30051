"""The retry decisions themselves, played by hand: no socket, no clock."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy, Verdict, json_object
from airflow_provider_campaigns.protocol.messages import (
    NoReplyError,
    NotSentError,
    Request,
    Response,
    SignIn,
    Sleep,
)
from airflow_provider_campaigns.protocol.retry import call, exchange, retry_after

READ = Request("GET", "/things", "read")
WRITE = Request("POST", "/things", "write", json={"n": 1})
SAFE = replace(WRITE, safe_to_resend="the vendor drops duplicates")

OK = Response(200, b'{"done": true}')
BROKEN = Response(500, b'{"message": "oops"}')
ENDED = Response(401, b'{"message": "Token Expired"}')
REJECTED = Response(400, b'{"message": "bad number"}')


def throttled(seconds: object) -> Response:
    return Response(429, b'{"message": "slow down"}', {"retry-after": str(seconds)})


@dataclass(frozen=True, kw_only=True)
class HandDialect(Dialect):
    """Says "Max limit exceeded" with HTTP 200 when there were too many requests."""

    vendor = "hand"
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(retry_limit=2, max_wait=30))
    signs_in: bool = False

    def authorize(self, request: Request, token: str) -> Request:
        return replace(request, headers={"Token": token})

    def verdict(self, response: Response) -> Verdict:
        if json_object(response).get("message") == "Max limit exceeded":
            return Verdict.THROTTLED
        return super().verdict(response)


@dataclass
class Played:
    """What a conversation yielded, and what came of it."""

    steps: list[Any] = field(default_factory=list)
    result: Any = None
    error: VendorError | None = None

    @property
    def requests(self) -> list[Request]:
        return [step for step in self.steps if isinstance(step, Request)]

    @property
    def sleeps(self) -> list[Sleep]:
        return [step for step in self.steps if isinstance(step, Sleep)]


def play(conversation: Generator[Any, Any, Any], *answers: Any) -> Played:
    """Drive a conversation by hand: ``answers`` to its requests and sign-ins in order, exceptions thrown."""
    played, left = Played(), list(answers)
    answer: Any = None
    try:
        while True:
            throw = isinstance(answer, Exception)
            step = conversation.throw(answer) if throw else conversation.send(answer)
            played.steps.append(step)
            answer = None if isinstance(step, Sleep) else left.pop(0)
    except StopIteration as end:
        played.result = end.value
    except VendorError as error:
        played.error = error
    assert not left, "the conversation ended early"
    return played


@pytest.fixture
def dialect() -> HandDialect:
    return HandDialect()


def test_an_answer_is_returned_after_one_request(dialect: HandDialect) -> None:
    played = play(exchange(dialect, WRITE), OK)
    assert played.result == OK
    assert played.steps == [replace(WRITE, headers={"Token": ""})]


def test_the_token_is_asked_for_before_each_attempt() -> None:
    played = play(exchange(HandDialect(signs_in=True), WRITE), "one", throttled(1), "two", OK)
    assert [type(step) for step in played.steps] == [SignIn, Request, Sleep, SignIn, Request]
    assert [request.headers["Token"] for request in played.requests] == ["one", "two"]


def test_an_ended_token_is_named_stale_and_replaced_once() -> None:
    played = play(exchange(HandDialect(signs_in=True), WRITE), "old", ENDED, "new", ENDED)
    assert [step.stale for step in played.steps if isinstance(step, SignIn)] == ["", "old"]
    assert isinstance(played.error, CallRefusedError)


def test_without_tokens_a_401_refuses_the_call(dialect: HandDialect) -> None:
    played = play(exchange(dialect, WRITE), ENDED)
    assert str(played.error) == "hand: call refused (HTTP 401): Token Expired"


def test_a_refusal_in_the_vendors_own_words_is_repeated(dialect: HandDialect) -> None:
    played = play(exchange(dialect, WRITE), Response(200, b'{"message": "Max limit exceeded"}'), OK)
    assert played.result == OK
    assert len(played.sleeps) == 1


def test_a_wait_says_why_and_whether_all_should_wait(dialect: HandDialect) -> None:
    refused = play(exchange(dialect, WRITE), throttled(3), OK)
    failed = play(exchange(dialect, READ), NotSentError("refused"), OK)
    assert refused.sleeps == [Sleep(3.0, "hand: unavailable (HTTP 429): slow down", throttled=True)]
    assert failed.sleeps[0].reason == "hand: unavailable: no connection: refused"
    assert not failed.sleeps[0].throttled


def test_the_back_off_doubles_up_to_a_minute(dialect: HandDialect) -> None:
    patient = replace(dialect, policy=RetryPolicy(retry_limit=9))
    played = play(exchange(patient, READ), *[BROKEN] * 10)
    for sleep, least in zip(played.sleeps, [0.5, 1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert least <= sleep.seconds <= least + 1


def test_no_repeats_may_be_asked_for(dialect: HandDialect) -> None:
    impatient = replace(dialect, policy=RetryPolicy(retry_limit=0, max_wait=0))
    for answer in (NotSentError("refused"), BROKEN, throttled(1)):
        played = play(exchange(impatient, READ), answer)
        assert isinstance(played.error, VendorUnavailableError)
        assert played.sleeps == []


def test_waits_after_refusals_may_fill_max_wait_but_not_pass_it(dialect: HandDialect) -> None:
    played = play(exchange(dialect, WRITE), throttled(10), throttled(20), throttled(1))
    assert [sleep.seconds for sleep in played.sleeps] == [10, 20]
    assert str(played.error) == "hand: unavailable (HTTP 429): slow down"


@pytest.mark.parametrize(
    ("policy", "answer"),
    [
        (RetryPolicy(retry_limit=2, max_wait=30), throttled(31)),
        (RetryPolicy(retry_limit=0, max_wait=60), Response(503, b'{"message": "soon"}', {"retry-after": "31"})),
    ],
)
def test_an_error_says_when_the_vendor_wants_to_be_asked_again(policy: Any, answer: Any) -> None:
    played = play(exchange(HandDialect(policy=policy), READ), answer)
    assert isinstance(played.error, VendorUnavailableError)
    assert played.error.retry_after == 31


def test_an_error_says_nothing_where_the_vendor_said_nothing(dialect: HandDialect) -> None:
    error = play(exchange(dialect, WRITE), BROKEN).error
    assert error is not None
    assert error.retry_after is None


def test_refusals_and_failures_are_counted_apart(dialect: HandDialect) -> None:
    answers = [NotSentError("a"), throttled(9), NotSentError("b"), throttled(9), throttled(9), OK]
    assert play(exchange(dialect, WRITE), *answers).result == OK


@pytest.mark.parametrize("request_", [READ, WRITE, SAFE], ids=["read", "write", "safe write"])
def test_a_request_that_never_left_ends_as_unavailable(dialect: HandDialect, request_: Any) -> None:
    played = play(exchange(dialect, request_), *[NotSentError("refused")] * 3)
    assert type(played.error) is VendorUnavailableError
    assert len(played.requests) == 3


@pytest.mark.parametrize("failure", [BROKEN, NoReplyError("reset"), Response(200, b"<html>")])
def test_an_unanswered_write_is_not_repeated(dialect: HandDialect, failure: Any) -> None:
    played = play(exchange(dialect, WRITE), failure)
    assert type(played.error) is OutcomeUnknownError
    assert len(played.requests) == 1


@pytest.mark.parametrize("failure", [BROKEN, NoReplyError("reset"), Response(200, b"<html>")])
def test_an_unanswered_read_is_repeated_and_ends_as_unavailable(dialect: HandDialect, failure: Any) -> None:
    played = play(exchange(dialect, READ), failure, failure, failure)
    assert type(played.error) is VendorUnavailableError


@pytest.mark.parametrize(
    "last",
    [[BROKEN] * 2, [NotSentError("refused")] * 2, [throttled(31)], [REJECTED], [ENDED], [Response(403, b"{}")]],
    ids=["500", "not sent", "429", "400", "401", "403"],
)
def test_a_write_once_unanswered_stays_unknown_whatever_comes_last(dialect: HandDialect, last: Any) -> None:
    played = play(exchange(dialect, SAFE), NoReplyError("reset"), *last)
    assert type(played.error) is OutcomeUnknownError


def test_a_read_once_unanswered_ends_as_it_ends(dialect: HandDialect) -> None:
    assert type(play(exchange(dialect, READ), BROKEN, REJECTED).error) is RequestRejectedError


def test_an_answer_says_whether_an_earlier_attempt_may_have_been_carried_out(dialect: HandDialect) -> None:
    assert play(exchange(dialect, SAFE), NoReplyError("reset"), OK).result.repeated
    assert not play(exchange(dialect, SAFE), NotSentError("refused"), OK).result.repeated
    assert not play(exchange(dialect, SAFE), throttled(1), OK).result.repeated
    assert play(exchange(dialect, WRITE), Response(425), OK).result.repeated
    assert not play(exchange(dialect, SAFE), OK).result.repeated


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (OutcomeUnknownError("hand", "reset"), VendorUnavailableError),
        (VendorUnavailableError("hand", "refused"), VendorUnavailableError),
        (RequestRejectedError("hand", "wrong password", status=400), CallRefusedError),
        (CallRefusedError("hand", "locked"), CallRefusedError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_a_failed_sign_in_says_nothing_of_the_write_that_waits_for_it(failure: Any, kind: Any) -> None:
    played = play(exchange(HandDialect(signs_in=True), WRITE), failure)
    assert type(played.error) is kind
    assert failure.message in str(played.error)
    assert played.requests == []


def test_a_failed_sign_in_after_an_unanswered_write_leaves_it_unknown() -> None:
    failure = VendorUnavailableError("hand", "refused")
    played = play(exchange(HandDialect(signs_in=True), SAFE), "token", NoReplyError("reset"), failure)
    assert type(played.error) is OutcomeUnknownError


@pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), ValueError("y")], ids=repr)
def test_other_exceptions_go_on_unchanged(dialect: HandDialect, error: Any) -> None:
    conversation = exchange(dialect, SAFE)
    next(conversation)
    with pytest.raises(type(error)) as caught:
        conversation.throw(error)
    assert caught.value is error


@pytest.mark.parametrize("answers", [[], [throttled(1)]], ids=["in a request", "in a wait"])
def test_a_closed_conversation_asks_for_nothing_more(dialect: HandDialect, answers: Any) -> None:
    conversation = exchange(dialect, SAFE)
    next(conversation)
    for answer in answers:
        conversation.send(answer)
    conversation.close()
    with pytest.raises(StopIteration):
        next(conversation)


def test_two_exchanges_at_a_time_count_apart(dialect: HandDialect) -> None:
    first, second = exchange(dialect, READ), exchange(dialect, READ)
    for conversation in (first, second):
        next(conversation)
        conversation.send(BROKEN)
    for conversation in (first, second):
        next(conversation)
        conversation.send(BROKEN)
    for conversation in (first, second):
        next(conversation)
        with pytest.raises(VendorUnavailableError):
            conversation.send(BROKEN)


@pytest.mark.parametrize(
    ("method", "effect"), [("get", "read"), ("HEAD", "read"), ("options", "read"), ("post", "write"), ("Put", "write")]
)
def test_a_call_is_a_read_only_where_http_says_so(dialect: HandDialect, method: Any, effect: Any) -> None:
    played = play(call(dialect, method, "/any", json=[1], params={"a": 1}), OK)
    assert played.result == {"done": True}
    (request,) = played.requests
    assert (request.method, request.effect, request.path) == (method.upper(), effect, "/any")
    assert (request.json, request.params, request.safe_to_resend) == ([1], {"a": 1}, "")


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("120", 120, 120),
        (" 1.5 ", 1.5, 1.5),
        ("0", 0, 0),
        ("-5", 0, 0),
        ("nan", 0, 0),
        ("inf", float("inf"), float("inf")),
    ],
)
def test_retry_after_is_read_as_seconds(value: Any, least: Any, most: Any) -> None:
    seconds = retry_after(Response(429, headers={"retry-after": value}))
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize("zone", ["GMT", "-0000"])
@pytest.mark.parametrize(("later", "least", "most"), [(3600, 3500, 3600), (-60, 0, 0)])
def test_retry_after_is_read_as_a_date(zone: Any, later: Any, least: Any, most: Any) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=later), usegmt=True).replace("GMT", zone)
    seconds = retry_after(Response(429, headers={"retry-after": date}))
    assert seconds is not None
    assert least <= seconds <= most


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "soon"},
        {"retry-after": "Wed, 99 Foo 2026"},
        {"retry-after": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"},
        {"retry-after": "Wed, 21 Oct 2026 07:28:00 +9999"},
    ],
)
def test_a_retry_after_that_cannot_be_read_is_none(headers: Any) -> None:
    assert retry_after(Response(429, headers=headers)) is None
