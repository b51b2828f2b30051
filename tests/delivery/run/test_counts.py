"""
How often one contact is sent to again, how many may be invalid, and what is said of those not accepted.

Feared: ``on_unknown="resend"`` reaches one person as often as there are tries and repeats; crashes make it forget how
often it sent; a file that is mostly unusable ends green.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_campaigns.exceptions import DeliveryError, TooManyInvalidError
from airflow_provider_campaigns.protocol.messages import NoReplyError, Response
from tests.delivery.tries import ends, fail_try, statuses
from tests.delivery.world import Crash, Plan, World, new_try, phones, run_try


def most_sent(world: World) -> int:
    return max(Counter(key for keys in world.requests for key in keys).values())


@pytest.mark.parametrize("most", [0, 1, 3])
@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_contact_is_sent_to_again_as_often_as_allowed_over_all_tries(
    kept: Path | None, most: int, batch_size: int
) -> None:
    world = World(answer=lambda number, keys: NoReplyError(f"{world.accept(keys)} got lost"))
    plan = Plan(phones(4), kept, batch_size=batch_size, on_unknown="resend", max_resends=most, max_concurrency=9)

    for _ in range(4):
        receipt, outcomes = run_try(world, plan)

    assert ends(outcomes) == ["unknown"] * 4
    assert receipt["unknown"] == 4
    assert most_sent(world) == 1 + most
    assert new_try(world, plan).ledger.most_resends == most


@pytest.mark.parametrize("most", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_resends_are_counted_whatever_step_a_process_is_killed_at(kept: Path | None, most: int) -> None:
    for step in count(1):
        world = World()
        world.answer = lambda number, keys, world=world: NoReplyError(f"{world.accept(keys)} got lost")
        folder = kept and kept / str(step)
        plan = Plan(phones(3), folder, batch_size=2, on_unknown="resend", max_resends=most, max_concurrency=9)
        for _ in range(6):
            with suppress(Crash):
                run_try(world, plan, crash_at=step)
        crashed = world.crashes
        _, outcomes = run_try(world, plan)

        assert ends(outcomes) == ["unknown"] * 3
        assert most_sent(world) <= 1 + most
        if not crashed:
            return


def test_contacts_that_were_sent_to_too_often_do_not_hinder_others(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: NoReplyError("cut"))
    plan = Plan(phones(2), kept, batch_size=1, on_unknown="resend", max_resends=1, max_concurrency=9)
    run_try(world, plan)
    world.answer = None
    requests = len(world.requests)

    _, outcomes = run_try(world, plan.changed(rows=phones(4)))

    assert ends(outcomes) == ["unknown"] * 2 + ["accepted"] * 2
    assert world.requests[requests:] == [[phone] for phone in phones(2, first=2)]


def test_more_resends_may_be_allowed_later(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: NoReplyError("cut"))
    plan = Plan(phones(2), kept, on_unknown="resend", max_resends=1)
    run_try(world, plan)
    world.answer = None

    _, outcomes = run_try(world, plan.changed(max_resends=2))

    assert ends(outcomes) == ["accepted"] * 2
    assert most_sent(world) == 3


def test_what_is_safe_to_resend_is_not_limited_over_all_tries(kept: Path | None) -> None:
    world = World(answer=lambda number, keys: NoReplyError("cut"), checks_duplicates=True)
    plan = Plan(phones(2), kept, safe=True, max_resends=0)
    for _ in range(3):
        fail_try(world, plan, DeliveryError)
    world.answer = None

    assert ends(run_try(world, plan)[1]) == ["accepted"] * 2


# -- invalid contacts


@pytest.mark.parametrize("rows", [20, 12_000])
def test_too_many_invalid_contacts_fail_before_the_first_request_or_as_soon_as_it_is_certain(
    tmp_path: Path, rows: int
) -> None:
    world = World()
    unusable = ["no number"] * (rows * 8 // 10)
    plan = Plan([*phones(rows - len(unusable)), *unusable], tmp_path, batch_size=500, max_invalid=0.5)

    error, receipt, _ = fail_try(world, plan, TooManyInvalidError)

    assert error.final
    assert "contacts are invalid, max_invalid is 0.5" in str(error)
    assert bool(world.requests) == (rows > 10_000)
    assert receipt["contacts"] == rows


def test_a_number_of_invalid_contacts_may_be_allowed(kept: Path | None) -> None:
    plan = Plan([*phones(10), "no number"], kept)

    assert run_try(World(), plan.changed(max_invalid=1))[0]["invalid"] == 1
    with pytest.raises(TooManyInvalidError, match="1 of 11 contacts are invalid, max_invalid is 0"):
        run_try(World(), plan.changed(max_invalid=0, folder=kept and kept / "other"))


def test_opt_outs_are_not_invalid_for_the_limit(kept: Path | None) -> None:
    plan = Plan(phones(20), kept, exclude=phones(18), max_invalid=0.5)

    receipt, _ = run_try(World(), plan)

    assert (receipt["accepted"], receipt["invalid"]) == (2, 18)


# -- what is said


def test_the_first_reasons_are_said_with_counts(kept: Path | None) -> None:
    def answer(number: int, keys: list[str]) -> Response | Exception:
        return NoReplyError("nothing within 30 s") if number == 2 else statuses("accepted", "rejected")

    world = World(answer=answer)
    rows = [*phones(4), "no number", "none", "none", *(f"none {number}" for number in range(5))]
    world.start_process()
    delivery = new_try(world, Plan(rows, kept, batch_size=2, on_unknown="skip"))
    delivery.deliver(Plan([]).header)

    invalid, rejected, unknown = delivery.reasons()
    assert invalid.startswith("8 contacts are invalid: 1 x phone: expected digits, got no number; 2 x phone: ")
    assert invalid.endswith("; 2 others")
    assert rejected == "1 contacts are rejected: 1 x refused: no such number"
    assert unknown == "2 contacts are unknown: 2 x acme: outcome unknown: nothing within 30 s"


def test_nothing_is_said_when_all_were_accepted(kept: Path | None) -> None:
    world = World()
    world.start_process()
    delivery = new_try(world, Plan(phones(3), kept))
    delivery.deliver(Plan([]).header)

    assert delivery.reasons() == []
