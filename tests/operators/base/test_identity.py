"""
What identifies a delivery: its contacts, its account and its campaign, not the slot that a task instance is.

Feared, each between two tries of one task instance: the contacts are others, in another order, or more; a parameter is
corrected, or another one; a key is rotated; nothing was sent, so nothing binds. For shards see test_shards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, LedgerError
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import World, phones
from tests.operators.base.acme import MakeAcme, people, refuse, refuse_after, silence
from tests.operators.contexts import MakeContext

REJECTED = Response(422, b'{"message": "no such field"}')


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
