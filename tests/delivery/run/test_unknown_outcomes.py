"""Contacts of which nobody knows whether they were sent to, in the try that sent them and in later ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    UnknownOutcomesError,
    VendorFailingError,
)
from airflow_provider_campaigns.parameters import OnUnknown
from airflow_provider_campaigns.protocol.messages import Conversation, NoReplyError, Response, Sleep
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from tests.delivery.tries import answers, ends, fail_try, refuse, statuses
from tests.delivery.world import AcmeSend, Crash, Plan, World, phones, run_try


@pytest.mark.parametrize("answer", [NoReplyError("nothing within 30 s"), refuse(500, "oops"), Response(200, b"<html>")])
@pytest.mark.parametrize("on_unknown", ["fail", "skip"])
def test_an_unanswered_request_is_unknown_and_the_rest_is_sent(
    kept: Path | None, answer: Response | Exception, on_unknown: OnUnknown
) -> None:
    world = World()
    world.answer = answers(world, r1=answer)
    plan = Plan(phones(4), kept, batch_size=2, on_unknown=on_unknown)

    receipt, outcomes = run_try(world, plan)

    assert ends(outcomes) == ["unknown"] * 2 + ["accepted"] * 2
    assert "+447700900000" not in str(outcomes[0]["reason"])
    error = plan.limits.failure(receipt)
    if on_unknown == "skip":
        assert error is None
    else:
        assert isinstance(error, UnknownOutcomesError)
        assert error.final
        assert "2 contacts may have been sent" in str(error)
    # Neither a retry nor a cleared task sends them again.
    receipt, outcomes = run_try(world, plan, 2)
    assert ends(outcomes) == ["unknown"] * 2 + ["accepted"] * 2
    assert len(world.requests) == 2


def test_resend_repeats_an_unanswered_request_within_the_try(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=NoReplyError("cut"), r2=NoReplyError("cut"))

    receipt, outcomes = run_try(world, Plan(phones(2), kept, batch_size=2, on_unknown="resend"))

    assert ends(outcomes) == ["accepted"] * 2
    assert world.requests == [phones(2)] * 3
    assert receipt["requests"] == 3


def test_resend_takes_already_there_for_accepted(kept: Path | None) -> None:
    world = World(checks_duplicates=True)

    def answer(number: int, keys: list[str]) -> Response | Exception:
        return NoReplyError(f"{world.accept(keys)} got lost") if number == 1 else world.accept(keys)

    world.answer = answer

    _, outcomes = run_try(world, Plan(phones(2), kept, on_unknown="resend"))

    assert ends(outcomes) == ["accepted"] * 2


def test_resend_gives_up_when_it_was_sent_as_often_as_allowed(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: NoReplyError("cut"))
    plan = Plan(["no number", *phones(2)], kept, on_unknown="resend")

    receipt, outcomes = run_try(world, plan)

    assert ends(outcomes) == ["invalid", "unknown", "unknown"]
    assert receipt["requests"] == 1 + plan.max_resends
    error = plan.limits.failure(receipt, most_resends=plan.max_resends)
    assert isinstance(error, UnknownOutcomesError)
    assert error.final, "a retry does not send them again"


def test_resend_sends_only_to_those_of_a_batch_that_are_unknown(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: statuses("accepted", "unknown", "rejected"))
    plan = Plan(phones(3), kept)
    run_try(world, plan)
    world.answer = None

    receipt, outcomes = run_try(world, plan.changed(on_unknown="resend"), 2)

    assert world.requests[1:] == [["+447700900001"]]
    assert ends(outcomes) == ["accepted", "accepted", "rejected"]
    assert (receipt["accepted"], receipt["rejected"], receipt["unknown"]) == (2, 1, 0)


def test_a_resend_that_is_refused_leaves_the_contact_unknown(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=NoReplyError("cut"), r2=refuse(402, "no credit"), r3=refuse(402, "no credit"))
    plan = Plan(phones(2), kept, batch_size=1, max_concurrency=1, on_unknown="resend")

    _, receipt, outcomes = fail_try(world, plan, CallRefusedError)

    assert ends(outcomes) == ["unknown", "unsent"]
    assert receipt["requests"] == 2


def test_a_resend_keeps_to_the_size_of_batches(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=NoReplyError("too large"))
    run_try(world, Plan(phones(4), kept, batch_size=4))

    run_try(world, Plan(phones(4), kept, batch_size=3, on_unknown="resend"), 2)

    assert world.requests[1:] == [phones(3), phones(1, first=3)]


@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_a_vendor_that_leaves_request_after_request_unanswered_is_left_alone(
    kept: Path | None, concurrency: int
) -> None:
    world = World(answer=lambda number, keys: NoReplyError("nothing within 30 s"))
    plan = Plan(phones(20), kept, batch_size=1, max_concurrency=concurrency)

    error, receipt, _ = fail_try(world, plan, VendorFailingError)

    assert not error.final, "a retry sends the rest"
    assert "nothing within 30 s" in str(error)
    assert concurrency < receipt["unknown"] <= 2 * concurrency
    assert receipt["unsent"] == 20 - receipt["unknown"]

    world.answer = None
    receipt, _ = run_try(world, plan, 2)

    assert (receipt["accepted"], receipt["unsent"]) == (20 - receipt["unknown"], 0)
    assert len(world.contacted) == receipt["accepted"], "those that may have been reached were left alone"


def test_an_answer_now_and_then_is_no_failing_vendor(kept: Path | None) -> None:
    world = World()
    world.answer = lambda number, keys: world.accept(keys) if number % 2 else NoReplyError("cut")

    receipt, _ = run_try(world, Plan(phones(9), kept, batch_size=1, max_concurrency=2, on_unknown="skip"))

    assert (receipt["accepted"], receipt["unknown"]) == (5, 4)


@pytest.mark.parametrize("on_unknown", ["fail", "skip"])
def test_what_is_safe_to_resend_stays_open_until_a_later_try_knows(kept: Path | None, on_unknown: OnUnknown) -> None:
    world = World(answer=lambda number, keys: refuse(500), checks_duplicates=True)
    plan = Plan(phones(2), kept, safe=True, on_unknown=on_unknown)

    error, receipt, outcomes = fail_try(world, plan, UnknownOutcomesError)

    assert not error.final, "a retry sends them again"
    assert ends(outcomes) == ["unknown"] * 2
    assert (receipt["unknown"], receipt["requests"]) == (2, 1)

    world.answer = None
    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["accepted"] * 2
    assert (receipt["unknown"], receipt["requests"]) == (0, 2)
    assert world.contacted == phones(2)


# -- a vendor that can be asked


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose vendor can be asked who was contacted."""
    world = World()

    class Asked(AcmeSend):
        def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
            yield Sleep(1, "")
            return [ContactReply("accepted" if one.key in world.contacted else "unknown") for one in contacts]

    monkeypatch.setattr("tests.delivery.world.AcmeSend", Asked)
    return world


@pytest.mark.parametrize("crash_at", [None, *range(1, 12)])
def test_who_is_found_is_not_sent_to_again_wherever_it_crashes(
    kept: Path | None, asked: World, crash_at: int | None
) -> None:
    def half(number: int, keys: list[str]) -> NoReturn:
        asked.accept(keys[:2])
        asked.die()

    plan = Plan(phones(4), kept, batch_size=4, on_unknown="resend")
    asked.answer = half
    with pytest.raises(Crash):
        run_try(asked, plan)
    asked.answer = None
    assert asked.contacted == phones(2)

    try:
        _, outcomes = run_try(asked, plan, 2, crash_at)
    except Crash:
        _, outcomes = run_try(asked, plan, 3)

    assert ends(outcomes) == ["accepted"] * 4
    assert asked.contacted == phones(4)


def test_who_is_not_found_is_unknown_unless_it_is_to_be_sent_again(kept: Path | None, asked: World) -> None:
    plan = Plan(phones(2), kept, batch_size=2)
    asked.answer = lambda number, keys: asked.die()
    with pytest.raises(Crash):
        run_try(asked, plan)
    asked.answer = None

    assert ends(run_try(asked, plan, 2)[1]) == ["unknown"] * 2
    assert ends(run_try(asked, plan.changed(on_unknown="resend"), 3)[1]) == ["accepted"] * 2
    assert asked.contacted == phones(2)
