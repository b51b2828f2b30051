"""Requests are sent evenly, wait when one of them is asked to, and are not sent once the delivery is stopped."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, OutcomeUnknownError, VendorUnavailableError
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import (
    Conversation,
    NoReplyError,
    Request,
    Response,
    SignIn,
    Sleep,
)
from airflow_provider_campaigns.protocol.pace import SHARE_OF_LIMIT, Pace, StoppedError, paced
from airflow_provider_campaigns.protocol.retry import exchange

WRITE = Request("POST", "/send", "write")
READ = Request("GET", "/campaign", "read")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def drive(
    conversation: Conversation[Any],
    clock: Clock,
    reply: Callable[[Request], Response] = lambda request: Response(200),
    late: Callable[[], float] = lambda: 0.0,
) -> tuple[Any, list[float]]:
    """
    Run a conversation, and return its result and when its requests left.

    :param late: seconds by which a sleep takes longer.
    """
    left: list[float] = []
    try:
        step = next(conversation)
        while True:
            try:
                answer: Any = None
                if isinstance(step, Sleep):
                    clock.now += step.seconds + late()
                elif isinstance(step, SignIn):
                    answer = "token"
                else:
                    assert isinstance(step, Request)
                    left.append(clock.now - 1000)
                    answer = reply(step)
            except Exception as failure:  # noqa: BLE001 - as a transport does
                step = conversation.throw(failure)
            else:
                step = conversation.send(answer)
    except StopIteration as end:
        return end.value, left


def several(*steps: Any) -> Conversation[list[Any]]:
    answers: list[Any] = []
    for step in steps:
        answer = yield step
        answers += [answer]
    return answers


# -- the first step


def test_a_request_is_ready_before_its_turn_comes() -> None:
    request = Request("POST", "/send", "write", json={"name": "Ané"})
    pace = Pace(60)
    pace.pause(3600)

    paced(several(request), pace)

    assert vars(request)["body"] == b'{"name": "An\\u00e9"}'


def test_a_body_that_json_does_not_know_is_reported_at_once() -> None:
    with pytest.raises(InputError, match="request body: expected values that JSON knows"):
        paced(several(Request("POST", "/send", "write", json={1j})), Pace(None))


def test_a_conversation_without_steps_has_its_result(clock: Clock) -> None:
    assert drive(paced(several(), Pace(None, clock)), clock) == ([], [])


# -- closing


def test_nothing_leaves_after_closing_not_even_what_waited_for_its_turn(clock: Clock) -> None:
    closes_at = clock.now + 2.5
    pace = Pace(60, clock, closes_in=lambda: closes_at - clock.now)

    for _ in range(3):
        assert drive(paced(several(WRITE), pace), clock)[0] == [Response(200)]
    with pytest.raises(StoppedError):
        drive(paced(several(WRITE), pace), clock)


# -- slots


def test_without_a_limit_nothing_waits(clock: Clock) -> None:
    answers, left = drive(paced(several(WRITE, WRITE), Pace(None, clock)), clock)

    assert answers == [Response(200)] * 2
    assert left == [0, 0]


def test_requests_are_spaced_evenly_from_the_first_and_for_a_little_less_than_the_limit(clock: Clock) -> None:
    pace = Pace(60, clock)
    clock.now += 5

    _, left = drive(paced(several(WRITE, READ, WRITE, WRITE), pace), clock)

    assert left == pytest.approx([5 + number / SHARE_OF_LIMIT for number in range(4)])


def test_conversations_at_a_time_share_the_slots(clock: Clock) -> None:
    pace = Pace(60, clock)

    slots = [pace.reserve() for _ in range(5)]

    assert slots == pytest.approx([1000 + number / SHARE_OF_LIMIT for number in range(5)])


def test_late_wake_ups_do_not_add_up(clock: Clock) -> None:
    _, left = drive(paced(several(*[WRITE] * 100), Pace(600, clock)), clock, late=lambda: 0.02)

    assert left[-1] == pytest.approx(99 * 0.1 / SHARE_OF_LIMIT + 0.02)


def test_a_break_is_not_made_up_for(clock: Clock) -> None:
    pace = Pace(60, clock)
    pace.reserve()
    clock.now += 3600

    _, left = drive(paced(several(WRITE, WRITE, WRITE), pace), clock)

    assert left == pytest.approx([3600 + number / SHARE_OF_LIMIT for number in range(3)])


@pytest.mark.parametrize("per_minute", [2, 5, 30, 100, 3000])
@pytest.mark.parametrize("seed", range(3))
def test_no_minute_holds_more_than_the_limit_however_late_requests_wake_up(
    clock: Clock, per_minute: int, seed: int
) -> None:
    chance = random.Random(seed)

    def late() -> float:
        return chance.choice([0, 0, 0, chance.uniform(0, 0.5), chance.uniform(0, 5)])

    _, left = drive(paced(several(*[WRITE] * 5 * per_minute), Pace(per_minute, clock)), clock, late=late)

    # From one request until as many as the limit have followed it is over a minute, with some to spare for the way.
    assert min(last - first for first, last in zip(left, left[per_minute:], strict=False)) >= 60.3


def test_of_requests_that_all_wake_up_late_one_leaves_and_the_others_queue_up_again(clock: Clock) -> None:
    pace = Pace(60, clock)
    pace.reserve()
    waiting = [paced(several(WRITE), pace) for _ in range(3)]
    for conversation in waiting:
        assert isinstance(next(conversation), Sleep)
    clock.now += 100

    steps = [conversation.send(None) for conversation in waiting]

    assert steps[0] is WRITE
    assert [step.seconds for step in steps[1:] if isinstance(step, Sleep)] == pytest.approx(
        [1 / SHARE_OF_LIMIT, 2 / SHARE_OF_LIMIT]
    )


# -- tokens


def test_a_request_waits_for_its_turn_before_it_asks_for_the_token(clock: Clock) -> None:
    pace = Pace(6, clock)
    pace.reserve()
    waiting = paced(several(SignIn(), WRITE, WRITE), pace)

    turn = next(waiting)

    assert isinstance(turn, Sleep)
    clock.now += turn.seconds
    assert waiting.send(None) == SignIn()
    assert waiting.send("token") is WRITE
    assert isinstance(waiting.send(Response(200)), Sleep), "the next one has no turn yet"


def test_a_token_that_was_refused_is_replaced_at_once(clock: Clock) -> None:
    pace = Pace(6, clock)
    waiting = paced(several(WRITE, SignIn("refused"), WRITE), pace)
    assert next(waiting) is WRITE

    assert waiting.send(Response(401)) == SignIn("refused")
    assert isinstance(waiting.send("token"), Sleep), "the repeat has a turn of its own"


def test_one_whose_turn_has_passed_until_the_token_came_waits_for_another(clock: Clock) -> None:
    pace = Pace(6, clock)
    waiting = paced(several(SignIn(), WRITE), pace)
    assert next(waiting) == SignIn()
    assert (pace.reserve() or 0) > clock.now
    clock.now += 2.5

    assert isinstance(waiting.send("token"), Sleep)


# -- pauses


def test_a_vendor_that_asks_one_request_to_wait_makes_all_wait(clock: Clock) -> None:
    pace = Pace(None, clock)
    asked = paced(several(WRITE, Sleep(30, "429", throttled=True), WRITE), pace)
    assert next(asked) is WRITE
    assert asked.send(Response(429)) == Sleep(30, "429", throttled=True)

    _, left = drive(paced(several(WRITE), pace), clock)

    assert left == [30]


def test_a_pause_that_begins_while_a_request_waits_moves_it(clock: Clock) -> None:
    pace = Pace(6, clock)
    pace.reserve()
    waiting = paced(several(WRITE), pace)
    step = next(waiting)
    assert isinstance(step, Sleep)
    clock.now += step.seconds
    pace.pause(60)

    moved = waiting.send(None)

    assert isinstance(moved, Sleep)
    assert moved.seconds == pytest.approx(60)
    clock.now += 60
    assert waiting.send(None) is WRITE


def test_a_sleep_of_one_request_alone_makes_no_other_wait(clock: Clock) -> None:
    pace = Pace(None, clock)
    drive(paced(several(Sleep(30, "no connection"), WRITE), pace), clock)

    slot = pace.reserve()
    assert slot is not None
    assert pace.until(slot) == 0


# -- stopping


def test_no_request_leaves_once_stopped(clock: Clock) -> None:
    pace = Pace(None, clock)
    pace.stopped = True

    with pytest.raises(StoppedError):
        drive(paced(several(READ, WRITE), pace), clock)


def test_a_request_that_waits_for_its_slot_does_not_leave_once_stopped(clock: Clock) -> None:
    pace = Pace(1, clock)
    pace.reserve()
    waiting = paced(several(WRITE), pace)
    assert isinstance(next(waiting), Sleep)
    pace.stopped = True

    with pytest.raises(StoppedError):
        waiting.send(None)


def test_a_read_before_the_write_sends_nothing_to_anybody(clock: Clock) -> None:
    pace = Pace(None, clock)
    conversation = paced(several(READ, WRITE), pace)
    next(conversation)
    pace.stopped = True

    with pytest.raises(StoppedError):
        conversation.send(Response(200))


@dataclass(frozen=True, kw_only=True)
class _Acme(Dialect):
    vendor = "acme"
    has_tokens: bool = False

    @property
    def signs_in(self) -> bool:
        return self.has_tokens

    def authorize(self, request: Request, token: str) -> Request:
        return request


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        pytest.param(NoReplyError("cut"), OutcomeUnknownError, id="may have arrived"),
        pytest.param(Response(429), VendorUnavailableError, id="refused"),
        pytest.param(Response(401), VendorUnavailableError, id="refused token"),
    ],
)
def test_a_repeat_that_is_stopped_is_what_the_attempt_before_it_was(
    clock: Clock, first: Response | Exception, kind: type[Exception]
) -> None:
    acme = _Acme(policy=RetryPolicy(retry_limit=2), has_tokens=first == Response(401))
    pace = Pace(None, clock)
    seen: list[Request] = []

    def reply(request: Request) -> Response:
        seen.append(request)
        pace.stopped = True
        if isinstance(first, Exception):
            raise first
        return first

    request = Request("POST", "/send", "write", safe_to_resend="the vendor checks duplicates")
    with pytest.raises(kind):
        drive(paced(exchange(acme, request), pace), clock, reply)

    assert seen == [request], "nothing left after the stop"


# -- the conversation


def test_what_a_transport_throws_reaches_the_conversation(clock: Clock) -> None:
    def careful() -> Conversation[str]:
        try:
            yield WRITE
        except NoReplyError as error:
            return f"caught {error}"
        return "no error"

    def reply(request: Request) -> Response:
        raise NoReplyError("cut")

    assert drive(paced(careful(), Pace(None, clock)), clock, reply) == ("caught cut", [0])


def test_what_a_conversation_raises_passes_through(clock: Clock) -> None:
    def failing() -> Conversation[None]:
        yield WRITE
        raise LookupError("no such campaign")

    with pytest.raises(LookupError, match="no such campaign"):
        drive(paced(failing(), Pace(None, clock)), clock)


def test_a_conversation_that_is_given_up_is_closed(clock: Clock) -> None:
    closed = []

    def open_ended() -> Conversation[None]:
        try:
            yield WRITE
        finally:
            closed.append(True)

    conversation = paced(open_ended(), Pace(None, clock))
    next(conversation)
    conversation.close()

    assert closed == [True]


# -- holding


def test_no_request_leaves_while_they_are_held_and_afterwards_they_keep_their_distance(clock: Clock) -> None:
    pace = Pace(60, clock)
    pace.held = True
    waiting = [paced(several(WRITE), pace) for _ in range(20)]
    assert all(isinstance(next(one), Sleep) for one in waiting)
    for _ in range(100):
        assert all(isinstance(one.send(None), Sleep) for one in waiting)
    pace.held = False

    left = [when for one in waiting for when in drive(one, clock)[1]]

    gaps = [after - before for before, after in itertools.pairwise(left)]
    assert all(1.0 <= gap < 1.5 for gap in gaps), gaps


def test_a_request_that_waits_for_its_slot_does_not_leave_once_they_are_held(clock: Clock) -> None:
    pace = Pace(60, clock)
    pace.reserve()
    waiting = paced(several(WRITE), pace)
    assert isinstance(next(waiting), Sleep)
    pace.held = True
    clock.now += 1

    assert isinstance(waiting.send(None), Sleep)


def test_what_is_held_ends_once_stopped(clock: Clock) -> None:
    pace = Pace(None, clock)
    pace.held = True
    waiting = paced(several(WRITE), pace)
    assert isinstance(next(waiting), Sleep)
    pace.stopped = True

    with pytest.raises(StoppedError):
        waiting.send(None)
