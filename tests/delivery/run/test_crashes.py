"""
Whatever step a process is killed at, nobody is contacted twice and nobody is lost.

The process is killed before and after every write to the store, every outcome part and every request the vendor gets;
then the delivery is tried again until it comes to its end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.parameters import OnUnknown
from tests.delivery.world import Crash, Plan, World, phones, run_try

pytestmark = [pytest.mark.usefixtures("small_parts"), pytest.mark.slow]

# Between those to be contacted: no number, a repeat in another spelling, an opt-out.
FEW = [*phones(2), "no number", "447700900000", *phones(3, first=2), "+447700900099", *phones(1, first=5)]
FEW_OUT = ["+44 7700 900099"]
MANY = [*phones(120), "no number", "447700900000", *phones(79, first=120), "+447700900999"]
MANY_OUT = ["+44 7700 900999"]

ON_UNKNOWN: list[tuple[OnUnknown, bool]] = [("fail", False), ("skip", False), ("resend", False), ("fail", True)]


def check(world: World, plan: Plan, receipt: Receipt, outcomes: list[Outcome]) -> None:
    """Check all that must hold once a delivery came to its end."""
    rows = len(plan.rows)
    assert [line["row"] for line in outcomes] == list(range(1, rows + 1)), "each row has exactly one outcome"
    counts = Counter(line["status"] for line in outcomes)
    assert {status: receipt[status] for status in STATUSES} == {status: counts[status] for status in STATUSES}
    assert receipt["contacts"] == rows
    assert (receipt["invalid"], receipt["duplicate"], receipt["unsent"]) == (2, 1, 0)
    accepted = {line["key"] for line in outcomes if line["status"] == "accepted"}
    assert accepted <= set(world.contacted), "what counts as accepted arrived"
    if plan.on_unknown == "resend" or plan.safe:
        assert receipt["unknown"] == 0
        assert set(world.contacted) == accepted
        if plan.safe:
            assert world.most_often == 1
    else:
        assert world.most_often <= 1, "nobody is contacted twice"
        unknown = {line["key"] for line in outcomes if line["status"] == "unknown"}
        assert set(world.contacted) <= accepted | unknown
        # Only what was in flight, and what was meant to be next.
        assert len(unknown) <= world.crashes * AHEAD * plan.max_concurrency * plan.batch_size


def deliver(world: World, plan: Plan, crashes: Callable[[int], int | None], sizes: Callable[[int], int]) -> None:
    """Try until the end; try ``n`` is killed at step ``crashes(n)`` and makes batches of ``sizes(n)``."""
    for number in count(1):
        try:
            receipt, outcomes = run_try(world, plan.changed(batch_size=sizes(number)), number, crashes(number))
        except Crash:
            assert number < 20
            continue
        check(world, plan, receipt, outcomes)
        return


def crash_everywhere(plan: Plan, folder: Path | None, retry_size: int | None = None) -> int:
    """Deliver as often as there are steps, killed at another one each time, and return how many there are."""
    later = retry_size or plan.batch_size
    for step in count(1):
        world = World(checks_duplicates=plan.safe)
        here = plan.changed(folder=folder and folder / str(step))
        deliver(world, here, {1: step}.get, lambda number: plan.batch_size if number == 1 else later)
        assert world.contacted, "after one crash there is somebody to be contacted"
        if not world.crashes:
            return step - 1
    raise AssertionError


@pytest.mark.parametrize("kept", ["folder", "remote", "store"])
@pytest.mark.parametrize(("on_unknown", "safe"), ON_UNKNOWN)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_killed_at_any_step(tmp_path: Path, batch_size: int, on_unknown: OnUnknown, safe: bool, kept: str) -> None:
    plan = Plan(FEW, remote=kept == "remote", exclude=FEW_OUT, batch_size=batch_size, on_unknown=on_unknown, safe=safe)

    steps = crash_everywhere(plan, None if kept == "store" else tmp_path)

    # Each request, and each round's part and write to the ledger, before and after.
    assert steps > 2 * 6 / batch_size + 4 * 6 / (AHEAD * plan.max_concurrency * batch_size)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize(("on_unknown", "safe"), [("fail", False), ("fail", True)])
def test_killed_at_any_step_of_large_batches(tmp_path: Path, on_unknown: OnUnknown, safe: bool, remote: bool) -> None:
    plan = Plan(MANY, remote=remote, exclude=MANY_OUT, batch_size=100, on_unknown=on_unknown, safe=safe)

    assert crash_everywhere(plan, tmp_path) > 8 * 2


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("sizes", [(1, 3), (3, 1), (3, 100), (2, 3)])
@pytest.mark.parametrize(("on_unknown", "safe"), [("fail", False), ("fail", True)])
def test_a_later_try_may_make_other_batches(
    tmp_path: Path, sizes: tuple[int, int], on_unknown: OnUnknown, safe: bool, remote: bool
) -> None:
    plan = Plan(FEW, remote=remote, exclude=FEW_OUT, batch_size=sizes[0], on_unknown=on_unknown, safe=safe)

    crash_everywhere(plan, tmp_path, retry_size=sizes[1])


@pytest.mark.parametrize("kept", ["folder", "remote", "store"])
def test_contacts_may_be_added_between_tries_that_are_killed(tmp_path: Path, kept: str) -> None:
    for step in count(1):
        world = World()
        plan = Plan(phones(3), None if kept == "store" else tmp_path / f"{step}", remote=kept == "remote")
        run_try(world, plan)
        plan = plan.changed(rows=[*phones(3), "no number"])
        with suppress(Crash):
            run_try(world, plan, 2, crash_at=step)
        plan = plan.changed(rows=[*phones(3), "no number", *phones(2, first=3)])

        receipt, outcomes = run_try(world, plan, 3)

        assert [line["row"] for line in outcomes] == list(range(1, 7))
        assert (receipt["accepted"], receipt["invalid"]) == (5, 1)
        assert world.contacted == phones(5)
        if not world.crashes:
            return


@pytest.mark.parametrize("seed", range(60))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    on_unknown, safe = chance.choice(ON_UNKNOWN)
    kept = chance.choice([tmp_path, None])
    plan = Plan(
        FEW, folder=kept, remote=chance.random() < 0.5, exclude=FEW_OUT, batch_size=5, on_unknown=on_unknown, safe=safe
    )
    world = World(checks_duplicates=safe)

    deliver(
        world,
        plan,
        lambda number: chance.randint(1, 20) if number < 8 else None,
        lambda number: chance.choice([1, 2, 3, 5]),
    )

    assert world.crashes
