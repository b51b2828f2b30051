"""What is sent again, and what a person chose: which tries count, and how often a contact was resent."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.record.ledger import Change, Ledger, Resend
from airflow_provider_campaigns.delivery.record.ranges import Rows
from tests.delivery.record.ledgers import began, intend, rows_of, send
from tests.delivery.world import Crash, JsonStore, Plan, World, phones, run_try

# -- generations


@pytest.mark.parametrize("resend", ["if_cleared", "always"])
def test_a_delivery_that_is_sent_again_starts_from_nothing(store: JsonStore, resend: Resend) -> None:
    send(began(store), Rows(1, 3))

    again = began(store, 5, resend=resend)

    assert not again.began
    assert (again.generation, again.resend) == (2, 5)
    assert rows_of(again) == ([], [])


def test_retries_of_a_delivery_that_is_sent_again_know_of_it_alone(store: JsonStore) -> None:
    send(began(store), Rows(1, 9))
    send(began(store, 5, resend="if_cleared"), Rows(1, 3))

    choices: tuple[Resend, ...] = ("if_cleared", "no")
    for resend in choices:
        retry = began(store, 5, resend=resend)
        assert (retry.generation, retry.resend) == (2, 5)
        assert rows_of(retry) == ([Rows(1, 3)], [])


def test_retries_that_were_lowered_are_not_taken_for_a_task_that_was_cleared(store: JsonStore) -> None:
    send(began(store, 3), Rows(1, 9))
    assert rows_of(began(store, 3, resend="if_cleared")) == ([Rows(1, 9)], [])
    assert rows_of(began(store, 4, resend="if_cleared")) == ([], [])


# -- what a person chose


def test_a_choice_for_unknown_contacts_holds_until_the_task_is_cleared_again(store: JsonStore) -> None:
    first = Ledger.open(store)
    first.begin(1, on_unknown="resend", consumed=["abc"])

    retry = Ledger.open(store)
    assert retry.consumed == {"abc"}
    retry.begin(1)
    assert retry.on_unknown == "resend"

    cleared = Ledger.open(store)
    cleared.begin(2)
    assert cleared.on_unknown == ""
    assert Ledger.open(store).consumed == {"abc"}, "and is not applied again"


# -- resends


def test_resends_are_counted_over_all_tries(store: JsonStore) -> None:
    first = began(store)
    intend(first, Rows(1, 3))
    first.record(Change(resent=[1, 2]))
    first.record(Change(resent=[2]))
    began(store).record(Change(resent=[2, 3]))

    third = began(store)

    assert [third.resends(row) for row in (1, 2, 3, 4)] == [1, 3, 1, 0]
    assert third.most_resends == 3


@pytest.mark.parametrize("kept", ["folder", "store"])
def test_everybody_is_sent_to_once_more_whatever_crashes(tmp_path: Path, kept: str) -> None:
    for step in count(1):
        world = World()
        plan = Plan(phones(4), tmp_path / f"{step}" if kept == "folder" else None, batch_size=2)
        run_try(world, plan)
        world.contacted.clear()
        again = plan.changed(max_tries=3, resend=True, folder=plan.folder and plan.folder / "resend-2")
        try:
            receipt, outcomes = run_try(world, again, 2, crash_at=step)
        except Crash:
            receipt, outcomes = run_try(world, again, 3)

        assert world.most_often == 1
        accepted = {line["key"] for line in outcomes if line["status"] == "accepted"}
        assert accepted <= set(world.contacted), "outcomes of the generation before do not count"
        assert receipt["accepted"] + receipt["unknown"] == 4
        if not world.crashes:
            return
