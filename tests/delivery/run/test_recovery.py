"""
A try whose ledger is gone resumes from the outcomes of those before it.

Feared: those before it were killed at any step, so that some contacts were sent to and have no outcome; or they ended
in an orderly way, and all is known.
"""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.run.recovery import Description
from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.exceptions import CallRefusedError, LedgerError
from tests.delivery.conftest import FEW_HELD
from tests.delivery.tries import answers, fail_try, refuse
from tests.delivery.world import Crash, Plan, World, new_try, phones, run_try

pytestmark = pytest.mark.usefixtures("small_parts")

ROWS = ["no number", *phones(11), phones(1)[0], *phones(4, first=11)]
PEOPLE = phones(15)


def recover(world: World, plan: Plan) -> None:
    """Lose the ledger, run a try, and check what it reports."""
    assert plan.folder
    world.values.clear()
    world.start_process()
    description = Description.read(OutcomeFolder(plan.folder))
    if description is None:
        assert not world.contacted, "nothing can have been sent before there is a description"
        return
    delivery = new_try(world, plan, recovers=description.number)
    receipt = delivery.deliver(plan.header)
    lines = list(delivery.outcomes.read())
    assert [line["row"] for line in lines] == list(range(1, len(ROWS) + 1))
    assert receipt["contacts"] == len(ROWS)
    assert (receipt["invalid"], receipt["duplicate"], receipt["unsent"]) == (1, 1, 0)
    unknown = {line["key"] for line in lines if line["status"] == "unknown"}
    assert set(world.contacted) | unknown == set(PEOPLE)
    assert world.most_often <= 1
    assert {line["key"] for line in lines if line["status"] == "accepted"} <= set(world.contacted)
    held = FEW_HELD if plan.remote else 0
    assert len(unknown) <= (AHEAD * plan.max_concurrency * 4 + held) * max(1, world.crashes)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(
    ("batch_size", "concurrency"),
    [*(pytest.param(size, most, marks=pytest.mark.slow) for size, most in [(1, 1), (1, 2), (2, 2)]), (4, 2)],
)
def test_killed_at_any_step_nobody_is_contacted_twice_and_nobody_is_lost(
    tmp_path: Path, batch_size: int, concurrency: int, remote: bool
) -> None:
    for step in count(1):
        world = World()
        plan = Plan(
            ROWS,
            tmp_path / str(step),
            remote=remote,
            batch_size=batch_size,
            max_concurrency=concurrency,
            on_unknown="skip",
        )
        with suppress(Crash):
            run_try(world, plan, crash_at=step)

        recover(world, plan)

        if not world.crashes:
            return


def test_those_who_were_on_their_way_are_not_taken_for_others(tmp_path: Path) -> None:
    """They have no outcome; only their place says who they are, and the contacts before them are others now."""
    people, refused = phones(12), 0
    for step in count(1):
        world = World()
        plan = Plan(people, tmp_path / str(step), batch_size=2, max_concurrency=1, on_unknown="skip")
        with suppress(Crash):
            run_try(world, plan, crash_at=step)
        if world.contacted:
            reached = max((line["row"] for line in OutcomeFolder(plan.folder).written()), default=0)
            others = plan.changed(rows=[*people[:reached], *phones(20, first=20), *people[reached:]])
            for one in (others, plan):
                world.values.clear()
                world.start_process()
                description = Description.read(OutcomeFolder(plan.folder))
                assert description
                try:
                    new_try(world, one, recovers=description.number).deliver(plan.header)
                except LedgerError:
                    refused += 1
                else:
                    break
            assert world.most_often == 1
        if not world.crashes:
            break
    assert refused


@pytest.mark.parametrize("seed", range(60))
def test_killed_again_and_again_with_and_without_a_ledger(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    world = World()
    remote = dice.random() < 0.5
    for _ in range(dice.randint(1, 4)):
        plan = Plan(ROWS, tmp_path, remote=remote, batch_size=dice.choice((1, 2, 4)), on_unknown="skip")
        with suppress(Crash):
            run_try(world, plan, crash_at=dice.randint(8, 30))

    recover(world, plan)


@pytest.mark.parametrize("refused_at", range(1, 6))
def test_after_an_orderly_end_everybody_is_sent_to(tmp_path: Path, refused_at: int) -> None:
    world = World()
    world.answer = answers(world, **{f"r{refused_at}": refuse(402)})
    plan = Plan(ROWS, tmp_path, max_concurrency=1)
    fail_try(world, plan, CallRefusedError)
    world.answer = None

    recover(world, plan)

    assert sorted(world.contacted) == PEOPLE


def test_a_complete_delivery_is_complete_without_its_ledger(tmp_path: Path) -> None:
    world = World()
    plan = Plan(ROWS, tmp_path)
    run_try(world, plan)
    requests = len(world.requests)

    recover(world, plan)

    assert len(world.requests) == requests
