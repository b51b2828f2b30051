"""A delivery that fails stores its receipt and outcomes, and says whether a retry can help."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    TooManyRejectedError,
    UnknownOutcomesError,
    VendorFailingError,
)
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import World
from tests.operators.base.acme import PEOPLE, MakeAcme, make_acme, refuse, refuse_after, silence, statuses
from tests.operators.contexts import MakeContext


@pytest.mark.parametrize("kept", ["folder", "xcom"])
def test_a_failure_leaves_receipt_and_outcomes_too(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, kept: str
) -> None:
    refuse_after(world, 1)
    context = make_context()
    operator = acme(outcomes_path=str(tmp_path) if kept == "folder" else None, max_concurrency=1)

    with pytest.raises(CallRefusedError, match="no credit"):
        operator.execute(context)

    left = context["ti"].pushed
    assert (left["receipt"]["accepted"], left["receipt"]["unsent"], left["receipt"]["contacts"]) == (3, 2, 5)
    note = context["task_state_store"].get("progress")
    assert (note["done"], note["unsent"], note["contacts"]) == (3, 2, 5)
    outcomes = read_outcomes(left["receipt"]["outcomes_path"]) if kept == "folder" else left["outcomes"]
    assert statuses(outcomes) == ["accepted"] * 3 + ["unsent"] * 2


@pytest.mark.parametrize(
    ("answer", "parameters", "cause"),
    [
        pytest.param(silence, {"max_concurrency": 9}, UnknownOutcomesError, id="unknown outcomes"),
        pytest.param(
            silence, {"on_unknown": "resend", "max_concurrency": 9}, UnknownOutcomesError, id="sent again in vain"
        ),
        pytest.param(
            lambda number, keys: Response(422, b'{"message": "no"}'), {}, TooManyRejectedError, id="all rejected"
        ),
        pytest.param(
            lambda number, keys: Response(422, b'{"message": "no"}'),
            {"max_rejected": "2"},
            TooManyRejectedError,
            id="more rejected than allowed",
        ),
        pytest.param(None, {"contacts": [{"phone": "no number"}]}, DeliveryError, id="nobody to send to"),
    ],
)
def test_failures_that_a_retry_cannot_help_are_final(
    make_context: MakeContext, answer: Any, parameters: Mapping[str, Any], cause: type[Exception]
) -> None:
    context = make_context()

    with pytest.raises(AirflowFailException) as caught:
        make_acme(World(answer=answer), **parameters).execute(context)

    assert isinstance(caught.value.__cause__, cause)
    assert context["ti"].pushed["receipt"]["accepted"] == 0
    assert len(context["ti"].pushed["outcomes"]) == context["ti"].pushed["receipt"]["contacts"]


@pytest.mark.parametrize(
    ("answer", "parameters", "kind"),
    [
        pytest.param(refuse, {}, CallRefusedError, id="refused call"),
        pytest.param(silence, {"batch_size": 1, "max_concurrency": 1}, VendorFailingError, id="failing vendor"),
    ],
)
def test_failures_that_a_retry_may_help_are_not(
    make_context: MakeContext, answer: Any, parameters: Mapping[str, Any], kind: type[Exception]
) -> None:
    world = World(answer=answer)
    parameters = {"on_unknown": "skip", **parameters}
    state: dict[str, str] = {}

    with pytest.raises(kind):
        make_acme(world, **parameters).execute(make_context(state=state))

    world.answer = None
    assert make_acme(world, **parameters).execute(make_context(2, state=state))["unsent"] == 0


def test_unknown_outcomes_can_be_left_alone(world: World, acme: MakeAcme, make_context: MakeContext) -> None:
    world.answer = silence

    assert acme(on_unknown="skip", max_concurrency=9).execute(make_context())["unknown"] == 5


def test_all_contacts_rejected_is_a_failure_also_when_the_source_repeats_one(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    def reject(number: int, keys: list[str]) -> Response:
        return Response(200, json.dumps(["rejected"] * len(keys)).encode())

    world.answer = reject
    state: dict[str, str] = {}

    with pytest.raises(AirflowFailException, match="rejected all 5 contacts"):
        acme(contacts=[*PEOPLE, PEOPLE[0]]).execute(make_context(state=state))
    with pytest.raises(AirflowFailException, match="rejected all 5 contacts"):
        acme(contacts=[*PEOPLE, PEOPLE[0]]).execute(make_context(2, 1, state=state))


class TimeoutByAirflow(BaseException):
    """As ``AirflowTaskTimeout``, which is no ``Exception``."""


def test_a_task_that_is_timed_out_leaves_receipt_and_outcomes_too(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    def answer(number: int, keys: list[str]) -> Response:
        if number == 2:
            raise TimeoutByAirflow
        return world.accept(keys)

    world.answer = answer
    context = make_context()

    with pytest.raises(TimeoutByAirflow):
        acme(batch_size=2, max_concurrency=1).execute(context)

    ended = statuses(context["ti"].pushed["outcomes"])
    assert ended[:4] == ["accepted"] * 2 + ["unknown"] * 2
    # Whether the one after it was sent by then is a matter of moments.
    assert ended[4:] in (["unsent"], ["accepted"])


def test_what_fails_while_a_failure_is_reported_does_not_hide_it(
    world: World, acme: MakeAcme, make_context: MakeContext, logs: Callable[[], str]
) -> None:
    def broken(key: str, value: Any) -> None:
        raise ConnectionError("no XCom today")

    world.answer = refuse
    context = make_context()
    context["ti"].xcom_push = broken

    with pytest.raises(CallRefusedError, match="no credit"):
        acme().execute(context)

    assert "could not be reported which contacts are unsent" in logs()


def test_a_store_that_fails_stops_the_delivery_and_its_report_says_what_was_sent(
    world: World, acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_context()
    store = context["task_state_store"]
    keep = store.set

    def write(key: str, value: Any, **options: Any) -> None:
        if len(world.requests) == 1 and key == "try-1" and value["intended"]:
            raise ConnectionError("no database today")
        keep(key, value, **options)

    monkeypatch.setattr(store, "set", write)

    with pytest.raises(ConnectionError, match="no database today"):
        acme(max_concurrency=1).execute(context)

    assert len(world.requests) == 1
    assert context["ti"].pushed["receipt"]["accepted"] == 3


def test_a_task_that_is_killed_while_its_contacts_are_looked_through_sends_nothing(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    def people() -> Iterator[Mapping[str, str]]:
        operator.on_kill()
        yield from PEOPLE

    state: dict[str, str] = {}
    context = make_context(state=state)
    operator = acme(contacts=people())

    with pytest.raises(DeliveryError, match="the task was killed"):
        operator.execute(context)

    assert world.requests == []
    assert statuses(context["ti"].pushed["outcomes"]) == ["unsent"] * 5
    assert acme().execute(make_context(2, state=state))["accepted"] == 5


def test_a_task_that_is_killed_sends_no_more(world: World, acme: MakeAcme, make_context: MakeContext) -> None:
    def answer(number: int, keys: list[str]) -> Response:
        operator.on_kill()
        return world.accept(keys)

    world.answer = answer
    operator = acme(batch_size=1, max_concurrency=1)

    with pytest.raises(DeliveryError, match="the task was killed"):
        operator.execute(make_context())

    assert world.contacted == [PEOPLE[0]["phone"]]
