"""Contacts that are left out by a later try, and were not by an earlier one: they opted out in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError
from airflow_provider_campaigns.parameters import OnUnknown
from tests.delivery.tries import answers, ends, fail_try, refuse
from tests.delivery.world import Crash, Plan, World, phones, run_try

UNKNOWN, ACCEPTED = ("unknown", "a try ended while it was being sent"), ("accepted", None)


def killed(plan: Plan) -> World:
    """Return a world in which a first try was killed while the vendor had taken its request."""
    world = World()
    world.answer = world.accept_and_die
    with pytest.raises(Crash):
        run_try(world, plan)
    world.answer = None
    return world


@pytest.mark.parametrize("on_unknown", ["fail", "resend"])
@pytest.mark.parametrize("safe", [True, False])
def test_who_may_have_been_sent_to_before_the_opt_out_is_unknown_and_not_sent_to(
    kept: Path | None, on_unknown: OnUnknown, safe: bool
) -> None:
    plan = Plan(phones(3), kept, batch_size=3, on_unknown=on_unknown, safe=safe)
    world = killed(plan)

    _, outcomes = run_try(world, plan.changed(exclude=phones(1)), 2)

    others = ACCEPTED if safe or on_unknown == "resend" else UNKNOWN
    assert [(line["status"], line["reason"]) for line in outcomes] == [UNKNOWN, others, others]
    assert world.contacted.count(phones(1)[0]) == 1


def test_the_same_opt_outs_in_another_order_are_none_in_between(kept: Path | None) -> None:
    plan = Plan(phones(4), kept, batch_size=4, exclude=phones(2), safe=True)
    world = killed(plan)

    _, outcomes = run_try(world, plan.changed(exclude=[*reversed(phones(2)), phones(1)[0]]), 2)

    assert ends(outcomes) == ["invalid", "invalid", "accepted", "accepted"]


def test_an_opt_out_in_between_is_reported_by_a_try_that_ends_early_too(kept: Path | None) -> None:
    plan = Plan(phones(4), kept, batch_size=2, max_concurrency=1)
    world = killed(plan)
    world.answer = answers(world, r2=refuse(402, "no credit"))

    _, _, outcomes = fail_try(world, plan.changed(exclude=[phones(1)[0], phones(4)[3]]), CallRefusedError, 2)

    assert ends(outcomes) == ["unknown", "unknown", "unsent", "invalid"]


def test_a_row_of_somebody_who_was_sent_to_before_the_opt_out_is_still_a_repeat(kept: Path | None) -> None:
    rows = [
        {"phone": "+447700900001", "name": "one"},
        {"phone": "+447700900002"},
        {"phone": "+447700900001", "name": "another"},
    ]
    world = World()
    world.answer = answers(world, r2=refuse(402, "no credit"))
    plan = Plan(rows, kept, batch_size=1, max_concurrency=1)
    fail_try(world, plan, CallRefusedError)
    world.answer = None

    _, outcomes = run_try(world, plan.changed(exclude=["+447700900001"]), 2)

    assert ends(outcomes) == ["accepted", "accepted", "duplicate"]
    assert world.most_often == 1
