"""What becomes of contacts when the vendor refuses, fails, stays silent or answers nonsense; see also test_crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.outcomes import Outcome
from airflow_provider_campaigns.delivery.receipt import Receipt
from airflow_provider_campaigns.delivery.verdicts import Limits, OnUnknown
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InputError,
    TooManyRejectedError,
    UnknownOutcomesError,
    VendorFailingError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import NoReplyError, NotSentError, Response
from tests.delivery.world import Crash, Plan, Reaction, World, new_try, phones, run_try

pytestmark = pytest.mark.usefixtures("no_fsync")


def refuse(status: int, message: str = "sorry") -> Response:
    return Response(status, json.dumps({"message": message}).encode())


def statuses(*words: str) -> Response:
    return Response(200, json.dumps(words).encode())


def answers(world: World, **special: Response | Exception) -> Reaction:
    """Accept every request but those named ``r<number>``."""
    return lambda number, keys: special.get(f"r{number}") or world.accept(keys)


def fail_try(world: World, plan: Plan, kind: type[Exception], number: int = 1) -> tuple[Any, Receipt, list[Outcome]]:
    """Run one try that ends early, and return its error, the receipt it leaves and all outcomes."""
    world.start_process()
    delivery = new_try(world, plan, number)
    with pytest.raises(kind) as caught:
        delivery.deliver(plan.header)
    assert delivery.begun
    receipt = delivery.leave()
    outcomes = list(delivery.outcomes.read())
    assert [line["row"] for line in outcomes] == list(range(1, receipt["contacts"] + 1))
    return caught.value, receipt, outcomes


def ends(outcomes: list[Outcome]) -> list[str]:
    return [line["status"] for line in outcomes]


@pytest.fixture(params=["folder", "store"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "outcomes" if request.param == "folder" else None


def test_each_row_ends_as_what_became_of_it(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: statuses("accepted", "duplicate", "rejected"))
    rows = ["+447700900000", "no number", "+447700900001", "447700900000", "+447700900009", "+447700900002"]

    receipt, outcomes = run_try(world, Plan(rows, kept, exclude=["+447700900009"]))

    assert [(line["key"], line["status"], line["reason"]) for line in outcomes] == [
        ("+447700900000", "accepted", None),
        (None, "invalid", "phone: expected digits, got no number"),
        ("+447700900001", "duplicate", None),
        ("447700900000", "duplicate", "the contacts have it more than once"),
        ("+447700900009", "invalid", "in exclude"),
        ("+447700900002", "rejected", "refused"),
    ]
    assert receipt == Receipt(
        vendor="acme",
        campaign="spring",
        contacts=6,
        accepted=1,
        duplicate=2,
        rejected=1,
        invalid=2,
        unsent=0,
        unknown=0,
        requests=1,
        outcomes_path=kept and str(kept),
    )


@pytest.mark.parametrize(("batch_size", "requests"), [(1, 7), (3, 3), (500, 1)])
def test_contacts_go_out_in_order_in_batches(kept: Path | None, batch_size: int, requests: int) -> None:
    world = World()

    receipt, _ = run_try(world, Plan(phones(7), kept, batch_size=batch_size))

    assert sorted(world.contacted) == phones(7)
    assert all(keys == sorted(keys) and len(keys) <= batch_size for keys in world.requests)
    assert (len(world.requests), receipt["requests"]) == (requests, requests)


# -- the call is refused, or never arrives


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(refuse(402, "no credit"), CallRefusedError, id="payment"),
        pytest.param(refuse(404, "no such campaign"), CallRefusedError, id="campaign"),
        pytest.param(NotSentError("refused"), VendorUnavailableError, id="no connection"),
    ],
)
def test_a_refused_call_leaves_the_rest_unsent_and_a_retry_sends_it(
    kept: Path | None, answer: Response | Exception, kind: type[Exception]
) -> None:
    world = World()
    world.answer = answers(world, r2=answer)
    rows = [*phones(5), "no number", *phones(3, first=5)]
    plan = Plan(rows, kept, batch_size=3, max_concurrency=1)

    _, receipt, outcomes = fail_try(world, plan, kind)

    assert ends(outcomes) == ["accepted"] * 3 + ["unsent"] * 2 + ["invalid"] + ["unsent"] * 3
    assert receipt["unsent"] == 5
    assert receipt["requests"] == 1, "a refused call took nobody to the vendor"

    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["accepted"] * 5 + ["invalid"] + ["accepted"] * 3
    assert sorted(world.contacted) == phones(8)
    assert receipt["requests"] == 3


def test_the_unsent_of_an_earlier_try_are_not_told_while_a_later_one_may_send_them(tmp_path: Path) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(402))
    fail_try(world, Plan(phones(3), tmp_path), CallRefusedError)
    world.start_process()
    seen: list[list[Outcome]] = []
    delivery = new_try(world, Plan(phones(3), tmp_path), 2)
    world.answer = lambda number, keys: seen.append(list(delivery.outcomes.read())) or world.accept(keys)

    delivery.deliver(Plan([]).header)

    assert seen == [[]]


def test_what_was_only_released_binds_no_later_try(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(404, "no such campaign"))
    fail_try(world, Plan(phones(3), kept, header={"campaign": "sprnig"}), CallRefusedError)

    receipt, _ = run_try(world, Plan(phones(4), kept, header={"campaign": "spring"}), 2)

    assert receipt["accepted"] == 4


def test_a_request_that_cannot_even_be_made_was_not_sent(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r2=InputError("request body", "values that JSON knows", "NaN"))
    plan = Plan(phones(3), kept, batch_size=1, max_concurrency=1)

    _, _, outcomes = fail_try(world, plan, InputError)

    assert ends(outcomes) == ["accepted", "unsent", "unsent"]
    assert run_try(world, plan, 2)[0]["accepted"] == 3


def test_a_resend_after_a_crash_that_is_refused_may_still_have_been_sent_before(kept: Path | None) -> None:
    world = World(checks_duplicates=True)
    plan = Plan(phones(3), kept, safe=True)
    world.answer = world.accept_and_die
    with pytest.raises(Crash):
        run_try(world, plan)
    world.answer = answers(world, r2=refuse(402))

    _, _, outcomes = fail_try(world, plan, CallRefusedError, 2)

    assert ends(outcomes) == ["unknown"] * 3
    receipt, _ = run_try(world, plan, 3)
    assert receipt["accepted"] == 3
    assert world.contacted == phones(3)


# -- one request is refused, or the reply is nonsense


def test_a_request_refused_for_what_it_holds_rejects_its_contacts(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=refuse(422, "bad phone +447700900001"))

    receipt, outcomes = run_try(world, Plan(phones(4), kept, batch_size=3))

    assert ends(outcomes) == ["rejected"] * 3 + ["accepted"]
    assert (outcomes[0]["reason"], outcomes[0]["message"]) == ("the vendor refused the request", "bad phone +44***01")
    assert receipt["requests"] == 2


@pytest.mark.parametrize("words", [["accepted"], ["accepted"] * 3, []])
def test_a_reply_of_the_wrong_length_is_unknown(kept: Path | None, words: list[str]) -> None:
    world = World()
    world.answer = answers(world, r1=statuses(*words))

    _, outcomes = run_try(world, Plan(phones(4), kept, batch_size=2))

    assert ends(outcomes) == ["unknown"] * 2 + ["accepted"] * 2
    assert outcomes[0]["reason"] == "the reply was not understood"


def test_an_unforeseen_error_after_the_request_is_unknown(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r2=RuntimeError("+447700900001 is odd"))
    plan = Plan(phones(3), kept, batch_size=1, max_concurrency=1)

    _, _, outcomes = fail_try(world, plan, RuntimeError)

    assert ends(outcomes) == ["accepted", "unknown", "unsent"]
    assert outcomes[1]["reason"] == "interrupted by RuntimeError"

    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["accepted", "unknown", "accepted"]
    assert receipt["requests"] == 3


# -- outcomes that are unknown


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


def test_resend_gives_up_for_this_try_and_a_later_one_goes_on(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: NoReplyError("cut"))
    plan = Plan(["no number", *phones(2)], kept, on_unknown="resend")

    receipt, outcomes = run_try(world, plan)

    assert ends(outcomes) == ["invalid", "unknown", "unknown"]
    error = plan.limits.failure(receipt)
    assert isinstance(error, UnknownOutcomesError)
    assert not error.final, "a retry sends them again"
    sent = len(world.requests)

    world.answer = None
    receipt, outcomes = run_try(world, plan, 2)

    assert ends(outcomes) == ["invalid", "accepted", "accepted"]
    assert receipt["requests"] == sent + 1


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
    assert receipt["requests"] == 1


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


# -- too many rejected


def reject(share: Callable[[int], bool]) -> Reaction:
    return lambda number, keys: statuses(*("rejected" if share(int(key[-3:])) else "accepted" for key in keys))


@pytest.mark.parametrize(
    ("max_rejected", "rows", "fails"),
    [
        pytest.param(None, 20, False, id="no limit"),
        pytest.param(10, 20, False, id="as many as allowed"),
        pytest.param(9, 20, True, id="one more than allowed"),
        pytest.param(0, 20, True, id="none allowed"),
        pytest.param(0.5, 20, False, id="half"),
        pytest.param(0.4, 20, True, id="more than the share"),
        pytest.param(0.0, 20, True, id="no share allowed"),
    ],
)
def test_more_rejected_than_allowed_is_a_failure(
    kept: Path | None, max_rejected: float | None, rows: int, fails: bool
) -> None:
    world = World(answer=reject(lambda number: number % 2 == 0))
    plan = Plan(phones(rows), kept, batch_size=5, max_rejected=max_rejected)

    try:
        receipt, _ = run_try(world, plan)
        error = plan.limits.failure(receipt)
    except DeliveryError as stopped:
        error = stopped

    assert (error is not None) == fails
    if error:
        assert isinstance(error, TooManyRejectedError)
        assert error.final
        assert f"max_rejected is {max_rejected}" in str(error)


def test_a_number_is_looked_at_after_each_request(kept: Path | None) -> None:
    world = World(answer=reject(lambda number: True))

    error, receipt, _ = fail_try(world, Plan(phones(50), kept, batch_size=2, max_rejected=4), TooManyRejectedError)

    assert 4 < receipt["rejected"] <= 4 + 2 * 2 * 2, "what was in flight still came in"
    assert receipt["unsent"] == 50 - receipt["rejected"]
    assert "the first one: refused: no such number" in str(error)


def test_a_share_is_looked_at_from_the_hundredth_contact_on(kept: Path | None) -> None:
    world = World(answer=reject(lambda number: number < 50))
    plan = Plan(phones(200), kept, batch_size=1, max_rejected=0.5)

    receipt, _ = run_try(world, plan)

    assert (receipt["rejected"], receipt["accepted"]) == (50, 150)


def test_what_earlier_tries_saw_rejected_counts(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=statuses("rejected", "rejected"), r2=refuse(402))
    plan = Plan(phones(6), kept, batch_size=2, max_concurrency=1, max_rejected=2)
    fail_try(world, plan, CallRefusedError)
    world.answer = lambda number, keys: statuses(*["rejected"] * len(keys))

    _, receipt, _ = fail_try(world, plan, TooManyRejectedError, 2)

    assert (receipt["rejected"], receipt["unsent"]) == (4, 2)


def test_a_share_counts_what_is_sent_again_once(kept: Path | None) -> None:
    world = World()
    world.answer = answers(world, r1=NoReplyError("cut"))
    plan = Plan(phones(150), kept, batch_size=50, max_concurrency=1)
    run_try(world, plan)
    world.answer = reject(lambda number: number < 26)

    receipt, _ = run_try(world, plan.changed(on_unknown="resend", max_rejected=0.18), 2)

    assert (receipt["rejected"], receipt["accepted"], receipt["unknown"]) == (26, 124, 0)


def test_invalid_contacts_do_not_count(kept: Path | None) -> None:
    receipt, _ = run_try(World(), Plan([*["no number"] * 9, *phones(1)], kept, max_rejected=0))

    assert Limits("fail", 0).failure(receipt) is None


def test_a_delivery_of_which_everything_was_rejected_fails(kept: Path | None) -> None:
    world = World(answer=reject(lambda number: True))

    receipt, _ = run_try(world, Plan([*phones(3), "no number"], kept))

    error = Limits().failure(receipt)
    assert isinstance(error, TooManyRejectedError)
    assert error.final
    assert "rejected all 3" in str(error)


# -- nobody to send to


def test_contacts_of_which_not_one_can_be_sent_fail_before_anything_is_sent(kept: Path | None) -> None:
    world = World()
    plan = Plan(["no number", "+447700900009", "none either"], kept, exclude=["+447700900009"])

    error, receipt, outcomes = fail_try(world, plan, DeliveryError)

    assert error.final
    assert "phone: expected digits, got no number" in str(error)
    assert ends(outcomes) == ["invalid"] * 3
    assert (receipt["invalid"], receipt["requests"]) == (3, 0)
    # Corrected, they can be sent without more ado.
    assert run_try(world, plan.changed(rows=phones(3)), 2)[0]["accepted"] == 3


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(phones(3), exclude=phones(3)), id="exclude"),
        pytest.param(Plan(phones(3), only_recipients=["+999*"]), id="only_recipients"),
    ],
)
def test_contacts_that_are_all_left_out_on_purpose_are_a_success(kept: Path | None, plan: Plan) -> None:
    receipt, outcomes = run_try(World(), plan.changed(folder=kept))

    assert ends(outcomes) == ["invalid"] * 3
    assert Limits().failure(receipt) is None


def test_contacts_behind_thousands_that_are_left_out_are_sent(tmp_path: Path) -> None:
    rows = [*phones(12_000), "+15550100"]

    receipt, _ = run_try(World(), Plan(rows, folder=tmp_path, only_recipients=["+1*"]))

    assert (receipt["contacts"], receipt["invalid"], receipt["accepted"]) == (12_001, 12_000, 1)


# -- the folder


def test_outcomes_that_cannot_be_written_are_told_before_the_first_request(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    world = World()
    world.start_process()
    delivery = new_try(world, Plan(phones(3), tmp_path / "file"))

    with pytest.raises(InputError, match="outcomes_path: expected a folder"):
        delivery.deliver(Plan([]).header)

    assert not delivery.begun
    assert world.requests == []


def test_a_disk_that_fills_up_after_a_request_leaves_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    plan = Plan(phones(3), tmp_path, batch_size=1, max_concurrency=1)
    world.start_process()
    delivery = new_try(world, plan)
    write = delivery.outcomes.write

    def full(*part: Any, **how: Any) -> None:
        if len(world.requests) == 2:
            raise OSError("No space left on device")
        write(*part, **how)

    monkeypatch.setattr(delivery.outcomes, "write", full)
    with pytest.raises(OSError, match="No space left"):
        delivery.deliver(plan.header)

    receipt = delivery.leave()

    assert ends(list(delivery.outcomes.read())) == ["accepted", "unknown", "unsent"]
    assert (receipt["contacts"], receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (3, 1, 1, 1)
    # And so says the ledger to a later try.
    assert ends(run_try(world, plan, 2)[1]) == ["accepted", "unknown", "accepted"]
