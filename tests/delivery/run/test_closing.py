"""A delivery whose send window closes while it runs: nothing is sent afterwards, and a later try sends the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.senders import Answer, ThreadedSenders
from airflow_provider_campaigns.exceptions import SendWindowClosedError
from tests.delivery.run.test_senders import Transport
from tests.delivery.world import HEADER, AcmeSend, Plan, World, new_try, phones, run_try


def closing(world: World, requests: int) -> Callable[[], float]:
    """Return the seconds to a closing that comes once the vendor has so many requests."""
    return lambda: 60.0 if len(world.requests) < requests else -1.0


def begin(world: World, plan: Plan, requests: int) -> Delivery:
    delivery = new_try(world, plan)
    delivery.closes_in = closing(world, requests)
    return delivery


@pytest.mark.parametrize("requests", [0, 1, 3, 4])
def test_nothing_leaves_after_closing_and_a_later_try_sends_the_rest(tmp_path: Path, requests: int) -> None:
    world = World()
    plan = Plan(phones(20), tmp_path, batch_size=2, max_concurrency=1)
    delivery = begin(world, plan, requests)

    with pytest.raises(SendWindowClosedError):
        delivery.deliver(HEADER)
    left = delivery.report_unsent()

    assert len(world.requests) == requests
    assert (left["accepted"], left["unsent"], left["unknown"]) == (2 * requests, 20 - 2 * requests, 0)
    receipt, outcomes = run_try(world, plan, 2)
    assert (receipt["accepted"], receipt["requests"]) == (20, 10)
    assert world.contacted == phones(20)
    assert [line["row"] for line in outcomes] == list(range(1, 21))


def test_nothing_leaves_that_was_intended_while_it_closed(tmp_path: Path) -> None:
    """A slow ledger: the window was open when the write of the intents began, and is not any more when it ends."""
    world = World()
    open_for = [60.0]
    plan = Plan(phones(20), tmp_path, batch_size=2, max_concurrency=2)
    transport = Transport()
    transport.gate.set()
    delivery = new_try(world, plan)
    delivery.closes_in = lambda: open_for[0]
    delivery.senders = ThreadedSenders(AcmeSend(), transport.make, 2, closes_in=delivery.closes_in)
    store = world.set

    def slow_once_something_was_sent(key: str, value: object) -> None:
        store(key, value)
        if transport.sent:
            open_for[0] = -1.0

    world.set = slow_once_something_was_sent  # type: ignore[method-assign]
    with pytest.raises(SendWindowClosedError):
        delivery.deliver(HEADER)
    left = delivery.report_unsent()

    assert len(transport.sent) == 1
    assert (left["unsent"], left["unknown"]) == (18, 2)


def test_closing_when_all_was_sent_is_a_success(tmp_path: Path) -> None:
    world = World()

    receipt = begin(world, Plan(phones(20), tmp_path, batch_size=2, max_concurrency=1), 10).deliver(HEADER)

    assert (receipt["accepted"], receipt["unsent"]) == (20, 0)


def test_what_is_in_flight_at_closing_gets_the_time_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor's answer is waited for without a limit: nobody is in a hurry to end the task."""
    world = World()
    delivery = new_try(world, Plan(phones(20), tmp_path, batch_size=2, max_concurrency=1))
    waits: list[float | None] = []
    collect = delivery.senders.collect
    delivery.closes_in = lambda: -1.0 if waits else 60.0

    def slow(timeout: float | None, least: int = 1) -> list[Answer]:
        waits.append(timeout)
        return collect(timeout, least) if timeout is None else []

    monkeypatch.setattr(delivery.senders, "collect", slow)
    with pytest.raises(SendWindowClosedError):
        delivery.deliver(HEADER)

    assert waits == [60.0, None]
    # In this world a request is sent when its answer is waited for, so that it was stopped in time.
    assert (world.requests, delivery.report_unsent()["unsent"]) == ([], 20)


def test_without_a_window_it_waits_for_answers_as_long_as_it_takes(tmp_path: Path) -> None:
    delivery = new_try(World(), Plan(phones(2), tmp_path))
    assert delivery.closes_in() == math.inf
