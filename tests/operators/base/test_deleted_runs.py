"""A run that was deleted, and run again under the same id: its state is gone, its outcomes are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.exceptions import CallRefusedError
from tests.delivery.world import World, phones
from tests.operators.base.acme import MakeAcme, refuse, statuses
from tests.operators.contexts import MakeContext

FOLDER = "campaigns/manual__2026-03-01/send"


def test_its_outcomes_are_not_taken_for_the_new_ones(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    place = {"outcomes_path": str(tmp_path), "max_concurrency": 1}
    first = acme(**place).execute(make_context(state={}))
    world.contacted.clear()

    # What the new run had stored when its first request left is all there is: it was killed then.
    state: dict[str, str] = {}
    then: dict[str, str] = {}
    world.answer = lambda number, keys: then.update(state) or refuse(number, keys)
    with pytest.raises(CallRefusedError):
        acme(**place).execute(make_context(state=state))
    world.answer = None
    receipt = acme(**place, on_unknown="resend").execute(make_context(2, state=then))

    assert world.contacted == phones(5)
    assert first["outcomes_path"] == str(tmp_path / FOLDER)
    assert receipt["outcomes_path"] == str(tmp_path / FOLDER / "again-2")
    assert statuses(read_outcomes(receipt["outcomes_path"])) == ["accepted"] * 5


def test_what_it_left_unsent_is_not_taken_for_the_new_either(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    world.answer = refuse
    for number in (1, 2):
        with pytest.raises(CallRefusedError):
            acme(outcomes_path=str(tmp_path)).execute(make_context(number, state=state))
    context = make_context(state={})
    with pytest.raises(CallRefusedError):
        acme(outcomes_path=str(tmp_path), contacts=[{"phone": phones(1)[0]}]).execute(context)

    assert context["ti"].pushed["receipt"]["outcomes_path"] == str(tmp_path / FOLDER / "again-2")
    assert statuses(read_outcomes(tmp_path / FOLDER / "again-2")) == ["unsent"]


def test_a_retry_whose_first_try_sent_nothing_keeps_the_folder(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    world.answer = refuse
    with pytest.raises(CallRefusedError):
        acme(outcomes_path=str(tmp_path)).execute(make_context(state=state))
    world.answer = None

    receipt = acme(outcomes_path=str(tmp_path)).execute(make_context(2, state=state))

    assert receipt["outcomes_path"] == str(tmp_path / FOLDER)
