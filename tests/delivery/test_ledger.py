"""What a later try knows of those before it, and what it refuses to go on with."""

from __future__ import annotations

import copy
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.ledger import Ledger
from airflow_provider_campaigns.delivery.ranges import Rows
from airflow_provider_campaigns.delivery.receipt import make_receipt
from airflow_provider_campaigns.exceptions import LedgerError
from tests.delivery.world import Crash, Plan, World, new_try, phones, run_try

pytestmark = pytest.mark.usefixtures("no_fsync")

HEADER = {"campaign": "spring", "host": "https://api.example.com"}
COUNTS = {"accepted": 3}


class Store:
    """A dict; values go through JSON."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


@pytest.fixture
def store() -> Store:
    return Store()


def began(store: Store, number: int = 1, generation: int | None = None, *, join: bool = True) -> Ledger:
    ledger = Ledger(store, number, generation, join=join)
    ledger.begin()
    ledger.start(HEADER)
    return ledger


def send(ledger: Ledger, *rows: Rows) -> None:
    for range_ in rows:
        ledger.intend(range_, (range_.last, f"up to {range_.last}"))
        ledger.settle(range_, {**COUNTS, "requests": 1})


# -- transitions


def test_a_new_ledger_knows_nothing(store: Store) -> None:
    ledger = began(store)

    assert not ledger.began
    assert (list(ledger.settled()), ledger.unresolved(), ledger.checkpoint, ledger.receipt) == ([], [], None, None)


def test_a_later_try_knows_what_was_settled_what_was_not_and_what_never_arrived(store: Store) -> None:
    first = began(store)
    send(first, Rows(1, 3), Rows(4, 6))
    first.intend(Rows(7, 9), (9, "up to 9"))
    first.intend(Rows(10, 12), (12, "up to 12"))
    first.release(Rows(7, 9))

    second = began(store, 2)

    assert second.began
    assert list(second.settled()) == [Rows(1, 6)]
    assert second.unresolved() == [Rows(10, 12)]
    assert second.checkpoint == (12, "up to 12")
    assert second.requests == 2


def test_what_a_later_try_settles_is_no_longer_unresolved(store: Store) -> None:
    began(store).intend(Rows(1, 3), (3, "x"))
    began(store, 2).settle(Rows(1, 3), COUNTS)

    third = began(store, 3)

    assert third.unresolved() == []
    assert list(third.settled()) == [Rows(1, 3)]


def test_what_was_settled_and_then_intended_again_is_unresolved(store: Store) -> None:
    send(began(store), Rows(1, 3))
    began(store, 2).intend(Rows(1, 3), (3, "x"))

    assert began(store, 3).unresolved() == [Rows(1, 3)]


def test_ranges_can_be_kept_as_they_were(store: Store) -> None:
    send(began(store, join=False), Rows(4, 6), Rows(1, 3))

    second = began(store, 2, join=False)
    send(second, Rows(7, 9))

    assert second.parts() == [Rows(1, 3), Rows(4, 6), Rows(7, 9)]


def test_the_record_of_a_long_run_stays_short(store: Store) -> None:
    ledger = began(store)
    send(ledger, *(Rows(first, first + 2) for first in range(1, 3000, 3)))

    assert len(store.values["try-1"]) < 400


# -- the receipt


def test_a_complete_delivery_keeps_its_receipt(store: Store) -> None:
    first = began(store)
    send(first, Rows(1, 3))
    receipt = make_receipt("acme", "spring", COUNTS, 1, None)
    first.finish(receipt)

    assert began(store, 2).receipt == receipt
    assert began(store, 3).receipt == receipt, "a try that only looked changes nothing"


def test_the_receipt_no_longer_holds_once_a_later_try_went_on(store: Store) -> None:
    first = began(store)
    send(first, Rows(1, 3))
    first.finish(make_receipt("acme", "spring", {"unknown": 3}, 1, None))
    began(store, 2).intend(Rows(1, 3), (3, "x"))

    assert began(store, 3).receipt is None


# -- what must be the same


@pytest.mark.parametrize(
    ("name", "value"),
    [("campaign", "summer"), ("host", "https://other.example.com"), ("columns", '{"phone": "mobile"}')],
)
def test_another_delivery_is_refused_and_the_field_named(store: Store, name: str, value: str) -> None:
    send(began(store), Rows(1, 3))
    second = Ledger(store, 2)
    second.begin()

    with pytest.raises(LedgerError, match=f"^{name}: an earlier try of this task used .*on_cleared='resend'"):
        second.start({**HEADER, name: value})

    assert store.get("try-2")["header"] == {}


def test_a_field_that_is_gone_is_a_difference(store: Store) -> None:
    send(began(store), Rows(1, 3))

    with pytest.raises(LedgerError, match=r"^host: "):
        Ledger(store, 2).check({"campaign": "spring"})


def test_a_try_that_sent_nothing_may_have_been_another_delivery(store: Store) -> None:
    first = began(store)
    first.intend(Rows(1, 3), (3, "x"))
    first.release(Rows(1, 3))

    second = Ledger(store, 2)
    second.start({"campaign": "summer"})

    assert second.checkpoint is None


ROWS = phones(8)
CHANGED = {
    "first row": ["+447700900099", *ROWS[1:]],
    "a row of the batch in flight": [*ROWS[:4], "+447700900099", *ROWS[5:]],
    "order": [ROWS[1], ROWS[0], *ROWS[2:]],
    "a row taken out": ROWS[1:],
    "cut off": ROWS[:4],
}


@pytest.mark.parametrize("rows", CHANGED.values(), ids=CHANGED)
def test_contacts_that_changed_are_refused_before_anything_is_sent(tmp_path: Path, rows: list[str]) -> None:
    world = _crashed_in_the_second_batch(tmp_path)
    sent = len(world.requests)

    with pytest.raises(LedgerError, match="the first 6 rows are not those an earlier try"):
        run_try(world, Plan(rows, tmp_path), 2)

    assert len(world.requests) == sent


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([*ROWS, *phones(3, first=8)], id="appended"),
        pytest.param([*ROWS[:6], "+447700900088", "+447700900099"], id="changed beyond what was begun"),
    ],
)
def test_contacts_that_changed_only_where_nothing_was_sent_are_fine(tmp_path: Path, rows: list[str]) -> None:
    world = _crashed_in_the_second_batch(tmp_path)

    receipt, _ = run_try(world, Plan(rows, tmp_path), 2)

    assert sorted(world.contacted) == sorted(rows)
    assert (receipt["accepted"], receipt["unknown"]) == (len(rows) - 3, 3)


def test_rows_that_were_not_sent_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    world = World()
    world.answer = lambda number, keys: world.accept(keys) if number == 1 else NotImplementedError()
    plan = Plan(["no number", *ROWS], tmp_path, batch_size=1, max_concurrency=1)
    with pytest.raises(NotImplementedError):
        run_try(world, plan)

    with pytest.raises(LedgerError, match="rows are not those"):
        run_try(world, plan.changed(rows=["+447700900099", *ROWS]), 2)


def _crashed_in_the_second_batch(folder: Path) -> World:
    world = World()
    world.answer = lambda number, keys: world.accept(keys) if number == 1 else world.accept_and_die(number, keys)
    with pytest.raises(Crash):
        run_try(world, Plan(ROWS, folder))
    world.answer = None
    return world


# -- generations


def test_a_delivery_that_is_sent_again_starts_from_nothing(store: Store) -> None:
    send(began(store), Rows(1, 3))

    again = began(store, 2, generation=5)

    assert not again.began
    assert list(again.settled()) == []


def test_retries_of_a_delivery_that_is_sent_again_know_of_it_alone(store: Store) -> None:
    send(began(store), Rows(1, 9))
    send(began(store, 2, generation=5), Rows(1, 3))

    for generation in (5, None):
        retry = began(store, 3, generation=generation)
        assert retry.generation == 5
        assert list(retry.settled()) == [Rows(1, 3)]


@pytest.mark.parametrize("kept", ["folder", "store"])
def test_everybody_is_sent_to_once_more_whatever_crashes(tmp_path: Path, kept: str) -> None:
    for step in count(1):
        world = World()
        plan = Plan(phones(4), tmp_path / f"{step}" if kept == "folder" else None, batch_size=2)
        run_try(world, plan)
        world.contacted.clear()
        again = plan.changed(generation=3, folder=plan.folder and plan.folder / "resend-3")
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


# -- tries that overlap


def test_two_tries_that_write_at_the_same_time_keep_both_records(store: Store) -> None:
    old = began(store)
    old.intend(Rows(1, 3), (3, "x"))
    new = began(store, 2)
    new.settle(Rows(1, 3), {"unknown": 3})
    old.settle(Rows(1, 3), COUNTS)
    new.settle(Rows(4, 6), COUNTS)

    assert list(began(store, 3).settled()) == [Rows(1, 6)]


def test_a_try_sends_nothing_more_once_a_later_one_has_begun(store: Store) -> None:
    old = began(store)
    send(old, Rows(1, 3))
    Ledger(store, 2)

    with pytest.raises(LedgerError, match="A later try of this task has begun"):
        old.intend(Rows(4, 6), (6, "x"))

    assert old.unresolved() == [], "it was not sent"


def test_of_two_tries_that_overlap_one_sends(tmp_path: Path) -> None:
    world = World()
    plan = Plan(phones(9), tmp_path)
    world.start_process()
    old = new_try(world, plan)

    def answer(number: int, keys: list[str]) -> Any:
        if number == 2:
            # The task is marked failed and cleared while the old process still waits for this reply.
            world.answer = None
            run_try(world, plan, 2)
        return world.accept(keys)

    world.answer = answer
    with pytest.raises(LedgerError, match="A later try"):
        old.deliver(plan.header)

    assert sorted(world.contacted) == phones(9)
    assert world.most_often == 1


def test_a_try_number_that_is_used_again_does_not_overwrite_its_record(store: Store) -> None:
    send(began(store), Rows(1, 3))
    before = copy.copy(store.values)

    again = began(store, 1)

    assert list(again.settled()) == [Rows(1, 3)]
    assert store.values["try-1"] == before["try-1"]


@pytest.mark.parametrize("number", [0, 1, 7])
def test_any_try_number_will_do(store: Store, number: int) -> None:
    send(began(store, number), Rows(1, 3))

    assert list(began(store, number + 1).settled()) == [Rows(1, 3)]


# -- a store that fails


def test_nothing_is_sent_when_the_intent_cannot_be_stored(tmp_path: Path) -> None:
    world = World()
    world.start_process()
    delivery = new_try(world, Plan(phones(6), tmp_path, batch_size=3))

    class DatabaseDownError(Exception):
        pass

    def write(key: str, value: Any, store: Any = world.set) -> None:
        if len(world.requests) == 1 and value["intended"]:
            raise DatabaseDownError
        store(key, value)

    world.set = write  # type: ignore[method-assign]
    with pytest.raises(DatabaseDownError):
        delivery.deliver(Plan([]).header)

    assert world.requests == [phones(3)]
