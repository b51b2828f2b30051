"""
What identifies a shard: its contacts, not the map index of the task instance that sends it.

Feared, each between two tries: shards move to other map indexes, are cut again, or grow; the register of who sends
which shard is damaged.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns.delivery import shard_contacts
from airflow_provider_campaigns.exceptions import CallRefusedError, LedgerError
from tests.delivery.world import World, phones
from tests.operators.base.acme import A, B, C, MakeAcme, refuse, refuse_after
from tests.operators.contexts import MakeContext


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


def test_a_shard_that_upstream_yields_twice_is_sent_once(mapped: Mapped) -> None:
    mapped.execute(0, A)

    with pytest.raises(LedgerError, match="map index 0 of this task sends, or sent, these contacts"):
        mapped.execute(1, A)

    assert mapped.world.contacted == [A[0]["phone"]]


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
