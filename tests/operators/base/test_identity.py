"""
What identifies a delivery: its contacts, its account and its campaign, not the slot that a task instance is.

Feared, each between two tries of one task instance: the contacts are others, in another order, or more; shards move to
other map indexes; a parameter is corrected, or another one; a key is rotated; nothing was sent, so nothing binds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.delivery import shard_contacts
from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, LedgerError
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import World, phones
from tests.operators.base.acme import MakeAcme, refuse, refuse_after, silence
from tests.operators.contexts import MakeContext

A, B, C = ([{"phone": phone}] for phone in phones(3))
REJECTED = Response(422, b'{"message": "no such field"}')


def people(*numbers: int) -> list[dict[str, str]]:
    return [{"phone": phones(1, first=number)[0]} for number in numbers]


# -- the contacts of a finished delivery


@pytest.mark.parametrize("kept", ["folder", "xcom"])
def test_rows_added_to_a_finished_delivery_are_sent_and_the_receipt_counts_all(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, kept: str
) -> None:
    state: dict[str, str] = {}
    place = {"outcomes_path": str(tmp_path) if kept == "folder" else None}
    acme(contacts=people(0, 1, 2), **place).execute(make_context(state=state))

    more = people(0, 1, 2, 3, 4)
    receipt = acme(contacts=more, **place).execute(make_context(2, max_tries=1, state=state))

    assert world.contacted == phones(5)
    assert (receipt["contacts"], receipt["accepted"]) == (5, 5)
    again = acme(contacts=more, **place).execute(make_context(3, max_tries=2, state=state))
    assert again == receipt
    assert world.contacted == phones(5)


@pytest.mark.parametrize(
    "contacts",
    [
        pytest.param(people(0, 1), id="fewer"),
        pytest.param(people(1, 0, 2), id="another order"),
        pytest.param(people(0, 1, 3), id="one replaced"),
        pytest.param(people(3, 4, 5), id="another list"),
        pytest.param(people(9, 0, 1, 2), id="one added in front"),
        pytest.param([*people(0, 1, 2)[:2], {"phone": "no number"}], id="one invalid now"),
    ],
)
def test_another_list_after_a_finished_delivery_is_an_error_that_says_what_to_do(
    world: World, acme: MakeAcme, make_context: MakeContext, contacts: Sequence[Mapping[str, str]]
) -> None:
    state: dict[str, str] = {}
    acme(contacts=people(0, 1, 2)).execute(make_context(state=state))
    context = make_context(2, max_tries=1, state=state)

    with pytest.raises(LedgerError, match="the first 3 rows are not those of an earlier try") as caught:
        acme(contacts=contacts).execute(context)

    assert len(world.requests) == 1
    assert "receipt" not in context["ti"].pushed
    assert "clear the task with on_cleared='resend'" in str(caught.value)
    assert 'campaigns_override to [{"dag_id": "campaigns", "run_id": "manual__2026-03-01"' in str(caught.value)


def test_contacts_that_are_gone_are_an_error_after_a_finished_delivery(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    acme().execute(make_context(state=state))
    sent = len(world.requests)

    with pytest.raises(InputError, match="a file that can be read"):
        acme(contacts="gone.csv").execute(make_context(2, max_tries=1, state=state))

    assert len(world.requests) == sent


# -- parameters that change


@pytest.mark.parametrize(
    "change",
    [
        {"campaign": "summer"},
        {"contacts": people(5, 6, 7)},
        {"columns": {"phone": "mobile"}, "contacts": [{"phone": "x", "mobile": phone} for phone in phones(3)]},
        {"outcomes_path": "elsewhere"},
    ],
)
@pytest.mark.parametrize("answer", [refuse, lambda number, keys: REJECTED])
def test_a_corrected_task_starts_over_when_nobody_was_reached(
    *,
    tmp_path: Path,
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    answer: Any,
    change: Mapping[str, Any],
) -> None:
    change = {**change, **({"outcomes_path": str(tmp_path / "elsewhere")} if "outcomes_path" in change else {})}
    state: dict[str, str] = {}
    first = {"contacts": people(0, 1, 2), "outcomes_path": str(tmp_path / "first")}
    world.answer = answer
    with pytest.raises((CallRefusedError, AirflowFailException)):
        acme(**first).execute(make_context(state=state))
    world.answer = None

    receipt = acme(**{**first, **change}).execute(make_context(2, max_tries=1, state=state))

    assert (receipt["contacts"], receipt["accepted"], len(world.contacted)) == (3, 3, 3)


def test_rejected_contacts_stay_rejected_when_nothing_was_corrected(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    world.answer = lambda number, keys: REJECTED
    for number in (1, 2):
        with pytest.raises(AirflowFailException, match="rejected all 5"):
            acme().execute(make_context(number, max_tries=number - 1, state=state))

    assert len(world.requests) == 2


def test_columns_may_change_as_long_as_the_contacts_are_the_same(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    contacts = [{"phone": phone, "first": "Jo"} for phone in phones(6)]
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        acme(contacts=contacts, columns={"phone": "phone"}).execute(make_context(state=state))
    world.answer = None

    columns = {"phone": "phone", "name": "first"}
    receipt = acme(contacts=contacts, columns=columns).execute(make_context(2, state=state))

    assert (receipt["accepted"], world.contacted) == (6, phones(6))


@pytest.mark.parametrize("answer", ["accepted", "unknown"])
def test_another_campaign_is_an_error_when_somebody_may_have_been_reached(
    world: World, acme: MakeAcme, make_context: MakeContext, answer: str
) -> None:
    state: dict[str, str] = {}
    world.answer = silence if answer == "unknown" else None
    if answer == "unknown":
        with pytest.raises(AirflowFailException):
            acme(max_concurrency=9).execute(make_context(state=state))
    else:
        acme().execute(make_context(state=state))
    sent = len(world.requests)

    with pytest.raises(LedgerError, match=r"^campaign: an earlier try of this task used 'spring', this one 'summer'"):
        acme(campaign="summer").execute(make_context(2, max_tries=1, state=state))

    assert len(world.requests) == sent


# -- shards


class Mapped:
    """The task instances of a mapped task, each with a state of its own."""

    def __init__(self, world: World, acme: MakeAcme, make_context: MakeContext, folder: Path | None = None) -> None:
        self.world, self.acme, self.make_context = world, acme, make_context
        self.place = {"outcomes_path": str(folder) if folder else None}
        self.states: dict[int, dict[str, str]] = {}
        self.tries: dict[int, int] = {}
        self.run = SimpleNamespace(clear_number=0, start_date=datetime.now(UTC))

    def clear(self) -> None:
        self.run.clear_number += 1

    def execute(self, index: int, contacts: Any, **parameters: Any) -> Any:
        number = self.tries[index] = self.tries.get(index, 0) + 1
        state = self.states.setdefault(index, {})
        context = self.make_context(number, max_tries=number - 1, state=state, map_index=index)
        context["dag_run"] = self.run
        return self.acme(contacts=contacts, **self.place, **parameters).execute(context)


@pytest.fixture(params=["folder", "xcom"])
def mapped(
    request: pytest.FixtureRequest, tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> Mapped:
    return Mapped(world, acme, make_context, tmp_path if request.param == "folder" else None)


def fail(mapped: Mapped, index: int, contacts: Any, **parameters: Any) -> None:
    """Run a task instance whose vendor refuses every call."""
    mapped.world.answer = refuse
    with pytest.raises(CallRefusedError):
        mapped.execute(index, contacts, **parameters)
    mapped.world.answer = None


def test_swapped_shards_of_which_one_was_sent_are_never_green_with_somebody_missing(mapped: Mapped) -> None:
    fail(mapped, 0, A)
    mapped.execute(1, B)
    mapped.clear()

    with pytest.raises(LedgerError, match="map index 1 of this task sends, or sent, these contacts"):
        mapped.execute(0, B)
    with pytest.raises(LedgerError, match="the first 1 rows are not those of an earlier try"):
        mapped.execute(1, A)

    assert mapped.world.contacted == [B[0]["phone"]]
    # Put right, both end.
    mapped.execute(0, A)
    mapped.execute(1, B)
    assert sorted(mapped.world.contacted) == phones(2)


def test_shards_that_are_cut_again_from_a_shuffled_source_that_grew_resume(mapped: Mapped, tmp_path: Path) -> None:
    people = [{"phone": phone} for phone in phones(40)]

    def cut(rows: Any) -> list[str]:
        return shard_contacts(rows, shards=3, folder=tmp_path / "shards", key="phone")

    first, *others = cut(people[:30])
    for index, shard in enumerate(others, 1):
        mapped.execute(index, shard)
    refuse_after(mapped.world, len(mapped.world.requests) + 1)
    with pytest.raises(CallRefusedError):
        mapped.execute(0, first)
    mapped.world.answer = None
    mapped.clear()

    receipts = [mapped.execute(index, shard) for index, shard in enumerate(cut(people[::-1]))]

    assert sorted(mapped.world.contacted) == sorted(phones(40))
    assert sum(receipt["accepted"] for receipt in receipts) == 40


def test_the_same_contacts_are_sent_to_each_campaign_that_they_are_mapped_over(mapped: Mapped) -> None:
    fail(mapped, 0, A, campaign="spring")
    mapped.execute(1, A, campaign="summer")

    assert mapped.execute(0, A, campaign="spring")["accepted"] == 1

    assert mapped.world.contacted == 2 * [A[0]["phone"]]


def test_campaigns_that_are_mapped_in_another_order_stop(mapped: Mapped) -> None:
    fail(mapped, 0, A, campaign="spring")
    mapped.execute(1, A, campaign="summer")
    mapped.clear()

    with pytest.raises(LedgerError, match="map index 1 of this task sends, or sent, these contacts"):
        mapped.execute(0, A, campaign="summer")
    with pytest.raises(LedgerError, match="campaign: an earlier try of this task used 'summer'"):
        mapped.execute(1, A, campaign="spring")

    assert mapped.world.contacted == [A[0]["phone"]]


def test_swapped_shards_of_which_both_were_sent_stop(mapped: Mapped) -> None:
    mapped.execute(0, A)
    mapped.execute(1, B)
    mapped.clear()

    for index, contacts in ((0, B), (1, A)):
        with pytest.raises(LedgerError):
            mapped.execute(index, contacts)

    assert mapped.world.contacted == phones(2)


def test_swapped_shards_of_which_nobody_was_reached_are_sent(mapped: Mapped) -> None:
    fail(mapped, 0, A)
    fail(mapped, 1, B)
    mapped.clear()

    mapped.execute(0, B)
    mapped.execute(1, A)

    assert sorted(mapped.world.contacted) == phones(2)


def test_a_new_map_index_does_not_send_the_shard_of_another_one(mapped: Mapped) -> None:
    mapped.execute(0, A)
    mapped.execute(1, B)
    mapped.clear()

    with pytest.raises(LedgerError, match="map index 1 of this task"):
        mapped.execute(2, B)

    assert mapped.world.contacted == phones(2)


def test_a_shard_that_grew_is_sent_to_the_added_ones(mapped: Mapped) -> None:
    mapped.execute(0, A)
    mapped.execute(1, B)
    mapped.clear()

    assert mapped.execute(1, [*B, *C])["accepted"] == 2

    assert mapped.world.contacted == phones(3)


def test_a_person_may_send_a_moved_shard_all_the_same(mapped: Mapped) -> None:
    mapped.execute(1, B)
    mapped.clear()

    mapped.execute(0, A)
    assert mapped.execute(0, B, on_cleared="resend")["accepted"] == 1

    assert mapped.world.contacted == [B[0]["phone"], A[0]["phone"], B[0]["phone"]]


def test_a_run_that_takes_the_id_of_a_deleted_one_is_not_bound_by_its_shards(mapped: Mapped) -> None:
    mapped.execute(0, A)
    mapped.execute(1, B)
    mapped.states, mapped.tries = {}, {}
    mapped.run = SimpleNamespace(clear_number=0, start_date=datetime.now(UTC) + timedelta(hours=1))

    fail(mapped, 0, B)
    mapped.execute(0, B)
    mapped.execute(1, A)

    assert mapped.world.contacted == [*phones(2), *reversed(phones(2))]


def test_a_damaged_register_is_an_error(mapped: Mapped, airflow_variables: dict[str, str]) -> None:
    fail(mapped, 0, A)
    mapped.execute(1, B)
    mapped.clear()
    for name in airflow_variables:
        airflow_variables[name] = "{}"

    with pytest.raises(LedgerError, match=r"campaigns_shard_.* is damaged"):
        mapped.execute(0, B)


# -- what a person chooses without editing the DAG

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
