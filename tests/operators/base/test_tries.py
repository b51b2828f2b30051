"""Retries and cleared tasks resume where the earlier tries ended; see also test_identity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    LedgerError,
)
from tests.delivery.world import World, phones
from tests.operators.base.acme import PEOPLE, MakeAcme, refuse, refuse_after, silence, statuses
from tests.operators.contexts import MakeContext


def test_a_cleared_task_that_was_complete_sends_nothing_and_returns_the_same_receipt(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    receipt = acme().execute(make_context(state=state))
    sent = len(world.requests)
    for number in (2, 3):
        context = make_context(number, max_tries=number - 1, state=state)

        assert acme().execute(context) == receipt

        assert context["ti"].pushed["receipt"] == receipt
        assert statuses(context["ti"].pushed["outcomes"]) == ["accepted"] * 5
    assert len(world.requests) == sent


def test_a_complete_delivery_that_was_a_failure_stays_one(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    world.answer = silence
    with pytest.raises(AirflowFailException):
        acme(max_concurrency=9).execute(make_context(state=state))
    sent = len(world.requests)

    with pytest.raises(AirflowFailException, match="5 contacts may have been sent"):
        acme().execute(make_context(2, max_tries=1, state=state))

    assert len(world.requests) == sent


def test_a_cleared_task_may_settle_what_was_unknown(world: World, acme: MakeAcme, make_context: MakeContext) -> None:
    state: dict[str, str] = {}
    world.answer = silence
    with pytest.raises(AirflowFailException):
        acme(max_concurrency=9).execute(make_context(state=state))

    assert acme(on_unknown="skip").execute(make_context(2, max_tries=1, state=state))["unknown"] == 5

    world.answer = None
    assert acme(on_unknown="resend").execute(make_context(3, max_tries=2, state=state))["accepted"] == 5
    assert sorted(world.contacted) == phones(5)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"campaign": "summer"}, "campaign"),
        ({"outcomes_path": "elsewhere"}, "outcomes_path"),
    ],
)
def test_another_delivery_in_the_same_task_instance_is_refused(
    acme: MakeAcme, make_context: MakeContext, parameters: Mapping[str, Any], field: str
) -> None:
    state: dict[str, str] = {}
    first = acme()
    first.execute(make_context(state=state))

    with pytest.raises(LedgerError, match=f"^{field}: an earlier try of this task used"):
        acme(**parameters).execute(make_context(2, max_tries=1, state=state))

    assert len(first.hook.world.requests) == 2  # type: ignore[attr-defined]


def test_other_contacts_in_the_same_task_instance_are_refused_and_no_report_replaces_the_earlier_one(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        acme(max_concurrency=1).execute(make_context(state=state))
    sent = len(world.requests)
    context = make_context(2, state=state)

    with pytest.raises(LedgerError, match="contacts: the first 5 rows are not those"):
        acme(contacts=PEOPLE[1:]).execute(context)

    assert len(world.requests) == sent
    assert context["ti"].pushed == {}


def test_a_cleared_task_whose_record_is_gone_sends_nothing(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    for number in (2, 3):
        with pytest.raises(AirflowFailException, match="the record of what its earlier tries sent is gone"):
            acme().execute(make_context(number, max_tries=number, state=state))

    assert world.requests == []
    assert acme(on_cleared="resend").execute(make_context(4, max_tries=4, state=state))["accepted"] == 5


@pytest.mark.parametrize(("retries", "lowered_to"), [(2, 2), (3, 1)])
def test_a_first_try_and_its_retries_are_not_taken_for_cleared(
    world: World, acme: MakeAcme, make_context: MakeContext, retries: int, lowered_to: int
) -> None:
    """Not even when the DAG allows fewer of them by then."""
    state: dict[str, str] = {}
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        acme(retries=retries, on_cleared="resend").execute(make_context(1, max_tries=retries, state=state))
    world.answer = None

    retry = acme(retries=lowered_to, on_cleared="resend")
    assert retry.execute(make_context(2, max_tries=retries, state=state))["accepted"] == 5

    assert world.contacted == phones(5)


@pytest.mark.parametrize("kept", ["folder", "xcom"])
def test_a_cleared_task_may_send_to_everybody_again_once(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, kept: str
) -> None:
    state: dict[str, str] = {}
    place = {"outcomes_path": str(tmp_path) if kept == "folder" else None, "max_concurrency": 1}
    acme(**place).execute(make_context(state=state))
    world.contacted.clear()
    # A cleared task with one retry: the first of its two tries ends in the middle.
    again = acme(**place, retries=1, on_cleared="resend")
    world.answer = lambda number, keys: refuse(number, keys) if number == 4 else world.accept(keys)
    with pytest.raises(CallRefusedError):
        again.execute(make_context(2, max_tries=2, state=state))
    assert world.contacted == phones(3)

    context = make_context(3, max_tries=2, state=state)
    receipt = again.execute(context)

    assert world.contacted == phones(5), "the retry continued"
    assert receipt["accepted"] == 5
    # And one that is cleared to resume after that continues with the latest, too.
    context = make_context(4, max_tries=4, state=state)
    assert acme(**place, retries=1).execute(context) == receipt
    assert world.contacted == phones(5)
    if kept == "folder":
        assert receipt["outcomes_path"] == str(tmp_path / "campaigns/manual__2026-03-01/send/resend-2")
        assert statuses(read_outcomes(receipt["outcomes_path"])) == ["accepted"] * 5
    else:
        assert statuses(context["ti"].pushed["outcomes"]) == ["accepted"] * 5


def test_mapped_task_instances_know_nothing_of_each_other(
    world: World, acme: MakeAcme, make_context: MakeContext, tmp_path: Path
) -> None:
    for index in (0, 1):
        people = PEOPLE[index * 2 : index * 2 + 2]
        receipt = acme(contacts=people, outcomes_path=str(tmp_path)).execute(make_context(map_index=index))
        assert receipt["accepted"] == 2

    assert world.contacted == phones(4)
