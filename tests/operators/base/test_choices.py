"""What a person chooses for one task instance without editing the DAG: it is applied once, and to nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from tests.delivery.world import World, phones
from tests.operators.base.acme import A, B, MakeAcme, people, refuse, silence
from tests.operators.contexts import MakeContext

TASK = {"dag_id": "campaigns", "run_id": "manual__2026-03-01", "task_id": "send"}


def choose(variables: dict[str, str], *entries: Mapping[str, Any]) -> None:
    variables["campaigns_override"] = json.dumps([{**TASK, **entry} for entry in entries])


def test_a_person_sends_to_everybody_again_once(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    state: dict[str, str] = {}
    acme().execute(make_context(state=state))
    choose(airflow_variables, {"on_cleared": "resend"})

    acme().execute(make_context(2, max_tries=1, state=state))
    assert len(world.contacted) == 10
    assert airflow_variables == {}, "it is used up"
    acme().execute(make_context(3, max_tries=2, state=state))
    assert len(world.contacted) == 10

    choose(airflow_variables, {"on_cleared": "resend"})
    acme().execute(make_context(4, max_tries=3, state=state))
    assert len(world.contacted) == 15, "and may be chosen again"


@pytest.mark.parametrize("entries", [[{}, {"task_id": "another"}], [{"map_index": 3}, {"map_index": 4}]])
def test_an_entry_that_stays_is_applied_once(
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    airflow_variables: dict[str, str],
    entries: list[dict[str, Any]],
) -> None:
    """A list is not rewritten: that could bring back an entry that another task has used."""
    state: dict[str, str] = {}
    index = {"map_index": entries[0].get("map_index", -1)}
    acme().execute(make_context(state=state, **index))
    choose(airflow_variables, *({**entry, "on_cleared": "resend"} for entry in entries))

    for number in (2, 3, 4):
        acme().execute(make_context(number, max_tries=number - 1, state=state, **index))

    assert len(world.contacted) == 10
    noted = [{**entry, "on_cleared": "resend", "note": "once more"} for entry in entries]
    choose(airflow_variables, *noted)
    acme().execute(make_context(5, max_tries=4, state=state, **index))
    assert len(world.contacted) == 15


def test_an_entry_that_stays_is_applied_once_without_a_ledger(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    """Airflow 3.4 discards it each time that the task is cleared; the folder of outcomes stays."""
    acme(outcomes_path=str(tmp_path)).execute(make_context(state={}))
    choose(airflow_variables, {"on_cleared": "resend"}, {"task_id": "another", "on_cleared": "resend"})

    for number in (2, 3, 4):
        receipt = acme(outcomes_path=str(tmp_path)).execute(make_context(number, max_tries=number - 1, state={}))
        assert (receipt["accepted"], len(world.contacted)) == (5, 10)

    noted = {"on_cleared": "resend", "note": "once more"}
    choose(airflow_variables, noted, {"task_id": "another", "on_cleared": "resend"})
    acme(outcomes_path=str(tmp_path)).execute(make_context(5, max_tries=4, state={}))
    assert len(world.contacted) == 15


def test_a_choice_is_used_up_by_a_try_that_fails(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    state: dict[str, str] = {}
    acme().execute(make_context(state=state))
    choose(airflow_variables, {"on_cleared": "resend"})
    world.answer = lambda number, keys: refuse(number, keys) if number == 4 else world.accept(keys)
    with pytest.raises(CallRefusedError):
        acme(retries=1, max_concurrency=1).execute(make_context(2, max_tries=2, state=state))
    world.answer = None

    receipt = acme(retries=1).execute(make_context(3, max_tries=2, state=state))

    assert (receipt["accepted"], len(world.contacted)) == (5, 10), "its retry resumes"


def test_a_person_chooses_for_all_map_indexes(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    states: list[dict[str, str]] = [{}, {}]
    for index, contacts in enumerate((A, B)):
        acme(contacts=contacts).execute(make_context(state=states[index], map_index=index))
    choose(airflow_variables, {"on_cleared": "resend"})

    for number in (2, 3):
        for index, contacts in enumerate((A, B)):
            context = make_context(number, max_tries=number - 1, state=states[index], map_index=index)
            acme(contacts=contacts).execute(context)

    assert sorted(world.contacted) == sorted(2 * phones(2))


@pytest.mark.parametrize(("choice", "accepted", "unknown"), [("skip", 0, 5), ("resend", 5, 0)])
def test_a_person_settles_what_is_unknown(
    *,
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    airflow_variables: dict[str, str],
    choice: str,
    accepted: int,
    unknown: int,
) -> None:
    state: dict[str, str] = {}
    world.answer = silence
    with pytest.raises(AirflowFailException, match='"on_unknown": "resend"') as caught:
        acme(max_concurrency=9).execute(make_context(state=state))
    assert "clear the task with on_unknown='resend'" in str(caught.value)
    world.answer = None
    choose(airflow_variables, {"on_unknown": choice})

    receipt = acme().execute(make_context(2, max_tries=1, state=state))

    assert (receipt["accepted"], receipt["unknown"]) == (accepted, unknown)


def test_a_choice_for_another_task_run_or_index_changes_nothing(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    state: dict[str, str] = {}
    acme().execute(make_context(state=state))
    others: list[dict[str, Any]] = [{"dag_id": "x"}, {"run_id": "x"}, {"task_id": "x"}, {"map_index": 0}]
    choose(airflow_variables, *({**other, "on_cleared": "resend"} for other in others))

    acme().execute(make_context(2, max_tries=1, state=state))

    assert len(world.contacted) == 5


def test_a_choice_is_not_read_by_a_task_that_was_not_cleared(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str]
) -> None:
    airflow_variables["campaigns_override"] = "no JSON"

    assert acme().execute(make_context())["accepted"] == 5


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "17",
        '["send"]',
        json.dumps([{"dag_id": "campaigns", "on_cleared": "resend"}]),
        json.dumps([{**TASK, "on_cleared": "again"}]),
        json.dumps([{**TASK, "on_clear": "resend"}]),
        json.dumps([TASK]),
        "[" * 100_000,
    ],
)
def test_a_choice_that_is_none_is_an_error_before_the_first_request(
    world: World, acme: MakeAcme, make_context: MakeContext, airflow_variables: dict[str, str], text: str
) -> None:
    state: dict[str, str] = {}
    acme().execute(make_context(state=state))
    sent = len(world.requests)
    airflow_variables["campaigns_override"] = text

    with pytest.raises(InputError, match=r"^Airflow Variable campaigns_override: expected a JSON list of objects"):
        acme(contacts=people(8)).execute(make_context(2, max_tries=1, state=state))

    assert len(world.requests) == sent
