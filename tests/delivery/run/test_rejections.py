"""How many rejected contacts make a delivery fail (``max_rejected``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    TooManyRejectedError,
)
from airflow_provider_campaigns.protocol.messages import NoReplyError
from tests.delivery.tries import answers, fail_try, refuse, statuses
from tests.delivery.world import Plan, Reaction, World, phones, run_try


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
