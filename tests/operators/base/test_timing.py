"""When a delivering operator sends: in its window, and not for a data interval that is long over."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.world import World, phones
from tests.operators.base.acme import MakeAcme
from tests.operators.contexts import MakeContext
from tests.operators.hours import CLOSED, OPENS, WINDOW, ago, waits_for


def test_in_its_window_a_task_sends(world: World, acme: MakeAcme, make_context: MakeContext, clock: Any) -> None:
    assert acme(send_window=WINDOW).execute(make_context())["accepted"] == 5


def test_outside_it_waits_in_the_triggerer_and_sends_when_it_opens(
    world: World, acme: MakeAcme, make_context: MakeContext, clock: Any
) -> None:
    clock.now = CLOSED
    state: dict[str, str] = {}
    task = acme(send_window=WINDOW)
    context = make_context(state=state)

    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)

    assert abs(waits_for(deferred.value) - (OPENS - CLOSED)) < timedelta(minutes=1)
    assert world.requests == []
    clock.now = OPENS
    # It has become older than it may be meanwhile: that was checked before.
    woken = acme(send_window=WINDOW, max_age=timedelta(hours=6))
    context["data_interval_end"] = ago(hours=12)
    assert getattr(woken, deferred.value.method_name)(context, event=OPENS)["accepted"] == 5


def test_outside_it_is_skipped_if_that_is_wanted(
    world: World, acme: MakeAcme, make_context: MakeContext, clock: Any
) -> None:
    clock.now = CLOSED

    with pytest.raises(AirflowSkipException, match="outside send_window"):
        acme(send_window=WINDOW, outside_window="skip").execute(make_context())

    assert world.requests == []


@pytest.mark.parametrize("outside_window", ["wait", "skip"])
def test_when_it_closes_half_way_the_rest_waits_or_is_left(
    world: World, acme: MakeAcme, make_context: MakeContext, clock: Any, outside_window: str
) -> None:
    """The time jumps here, so that some more requests may be sent before the delivery reads the clock."""
    people = [{"phone": phone} for phone in phones(30)]
    parameters = {"contacts": people, "send_window": WINDOW, "outside_window": outside_window, "max_concurrency": 1}
    state: dict[str, str] = {}
    context = make_context(state=state)
    accept = world.accept

    def close_after_two(number: int, keys: list[str]) -> Any:
        if number == 2:
            clock.now = CLOSED
        return accept(keys)

    world.answer = close_after_two
    with pytest.raises(TaskDeferred if outside_window == "wait" else AirflowSkipException):
        acme(**parameters).execute(context)

    left = context["ti"].pushed["receipt"]
    assert 2 <= left["requests"] < 10
    assert (left["accepted"], left["unsent"], left["unknown"]) == (len(world.contacted), 30 - len(world.contacted), 0)

    clock.now = OPENS
    receipt = acme(**parameters).execute_when_open(make_context(state=state), event=OPENS)

    assert receipt["accepted"] == 30
    assert world.contacted == phones(30)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"send_window": "nine to five"}, "send_window"),
        ({"send_window": WINDOW, "outside_window": "fail"}, "outside_window"),
        ({"max_age": 3600}, "max_age"),
        ({"max_age": timedelta(0)}, "max_age"),
    ],
)
def test_mistakes_are_reported_before_the_first_request(
    world: World, acme: MakeAcme, make_context: MakeContext, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        acme(**fields).execute(make_context())
    assert world.requests == []


@pytest.mark.parametrize(
    "run",
    [
        {"data_interval_end": ago(hours=25)},
        {"dag_run": SimpleNamespace(data_interval_end=None, run_after=ago(hours=25))},
        {"dag_run": SimpleNamespace(logical_date=ago(hours=25))},
    ],
    ids=["data interval", "due", "logical date"],
)
def test_a_run_that_is_too_old_is_refused_for_good(
    world: World, acme: MakeAcme, make_context: MakeContext, run: dict[str, Any]
) -> None:
    with pytest.raises(AirflowFailException, match="max_age"):
        acme(max_age=timedelta(hours=24)).execute(make_context() | run)
    assert world.requests == []


@pytest.mark.parametrize("run", [{"data_interval_end": ago(hours=23)}, {}], ids=["young", "no run"])
def test_others_are_not(world: World, acme: MakeAcme, make_context: MakeContext, run: dict[str, Any]) -> None:
    assert acme(max_age=timedelta(hours=24)).execute(make_context() | run)["accepted"] == 5


def test_an_old_run_that_came_to_its_end_returns_its_receipt(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    receipt = acme().execute(make_context(state=state))
    context = make_context(2, max_tries=1, state=state) | {"data_interval_end": ago(days=9)}

    assert acme(max_age=timedelta(hours=24)).execute(context) == receipt
