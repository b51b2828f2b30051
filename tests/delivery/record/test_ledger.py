"""
What a later try knows of those before it.

Feared, beside crashes (test_crashes): the contacts, the campaign or the account are others (test_same_delivery); two
processes run at once (test_claims); what was stored is damaged (test_damages).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.ledger import Change, Checkpoint, Ledger
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.record.receipt import make_receipt
from airflow_provider_campaigns.exceptions import LedgerError
from tests.delivery.record.ledgers import began, intend, rows_of, send, settle
from tests.delivery.world import JsonStore, Plan, World, new_try, phones, run_try

COUNTS = {"accepted": 3}


# -- transitions


def test_a_new_ledger_knows_nothing(store: JsonStore) -> None:
    ledger = began(store)

    assert not ledger.began
    assert (*rows_of(ledger), ledger.checkpoint, ledger.receipt) == ([], [], None, None)
    assert ledger.counts == {}


def test_a_later_try_knows_what_was_settled_what_was_not_and_what_never_arrived(store: JsonStore) -> None:
    first = began(store)
    send(first, Rows(1, 3), Rows(4, 6))
    intend(first, Rows(7, 9))
    intend(first, Rows(10, 12))
    first.record(Change(released=[Rows(7, 9)]))

    second = began(store)

    assert second.began
    assert rows_of(second) == ([Rows(1, 6)], [Rows(10, 12)])
    assert second.checkpoint == (12, "up to 12")
    assert second.requests == 2
    assert second.counts == {"accepted": 6, "requests": 2}


def test_one_write_settles_and_intends(store: JsonStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = began(store)
    intend(first, Rows(1, 3))
    writes: list[str] = []
    write = store.set

    def note(key: str, value: Any) -> None:
        writes.append(key)
        write(key, value)

    monkeypatch.setattr(store, "set", note)

    intended = [Rows(4, 6), Rows(7, 9)]
    first.record(Change([Rows(1, 3)], COUNTS, intended=intended, checkpoint=Checkpoint(9, "up to 9")))

    assert writes == ["try-1"]
    assert rows_of(began(store)) == ([Rows(1, 3)], [Rows(4, 9)])


def test_what_a_later_try_settles_is_no_longer_unresolved(store: JsonStore) -> None:
    intend(began(store), Rows(1, 3))
    settle(began(store), Rows(1, 3))

    assert rows_of(began(store)) == ([Rows(1, 3)], [])


def test_what_was_settled_and_then_intended_again_is_unresolved(store: JsonStore) -> None:
    send(began(store), Rows(1, 3))
    intend(began(store), Rows(1, 3))

    assert rows_of(began(store)) == ([], [Rows(1, 3)])


def test_the_record_of_a_long_run_stays_short(store: JsonStore) -> None:
    ledger = began(store)
    send(ledger, *(Rows(first, first + 2) for first in range(1, 3000, 3)))

    assert len(store.values["try-1"]) < 600


# -- the receipt


def test_a_complete_delivery_keeps_its_receipt(store: JsonStore) -> None:
    first = began(store)
    send(first, Rows(1, 3))
    receipt = make_receipt("acme", "spring", COUNTS, 1, None)
    first.finish(receipt)

    assert began(store).receipt == receipt
    assert began(store).receipt == receipt, "a try that only looked changes nothing"


def test_the_receipt_no_longer_holds_once_a_later_try_continued(store: JsonStore) -> None:
    first = began(store)
    send(first, Rows(1, 3))
    first.finish(make_receipt("acme", "spring", {"unknown": 3}, 1, None))
    intend(began(store), Rows(1, 3))

    assert began(store).receipt is None


# -- the copy of a query's result


def test_a_copy_is_stored_before_anything_is_sent_from_it(store: JsonStore) -> None:
    first = began(store)
    first.record_copy("query")
    assert store.get("try-1")["copy"] is None

    intend(first, Rows(1, 3))

    assert began(store).copy == (1, "query")


def test_a_copy_is_kept_from_try_to_try_until_there_is_another(store: JsonStore) -> None:
    first = began(store)
    first.record_copy("query")
    intend(first, Rows(1, 3))
    began(store)
    third = began(store)
    assert third.copy == (1, "query")

    third.record_copy("another query")
    intend(third, Rows(1, 3))

    assert began(store).copy == (3, "another query")


def test_a_delivery_that_is_sent_again_has_no_copy(store: JsonStore) -> None:
    first = began(store)
    first.record_copy("query")
    intend(first, Rows(1, 3))

    assert began(store, 1, resend="if_cleared").copy is None


# -- tries that overlap


def test_two_tries_that_write_at_the_same_time_keep_both_records(store: JsonStore) -> None:
    old = began(store)
    intend(old, Rows(1, 3))
    new = began(store)
    settle(new, Rows(1, 3), "unknown")
    settle(old, Rows(1, 3))
    settle(new, Rows(4, 6))

    assert rows_of(began(store)) == ([Rows(1, 6)], [])


def test_a_try_sends_nothing_more_once_a_later_one_has_begun(store: JsonStore) -> None:
    old = began(store)
    send(old, Rows(1, 3))
    Ledger.open(store)

    with pytest.raises(LedgerError, match="a later try of this task has begun"):
        intend(old, Rows(4, 6))

    assert rows_of(began(store)) == ([Rows(1, 3)], []), "it was not sent"


def test_a_try_that_is_to_send_again_does_not_once_a_later_one_has_begun(store: JsonStore) -> None:
    old = began(store)
    intend(old, Rows(1, 3))
    Ledger.open(store)

    with pytest.raises(LedgerError, match="a later try of this task has begun"):
        old.record(Change(resent=[1]))


def test_of_two_tries_that_overlap_one_sends(tmp_path: Path) -> None:
    world = World()
    plan = Plan(phones(15), tmp_path, max_concurrency=1)
    world.start_process()
    old = new_try(world, plan)

    def answer(number: int, keys: list[str]) -> Any:
        if number == 2:
            # The task is marked failed and cleared while the old process still waits for this reply.
            world.answer = None
            run_try(world, plan, 2)
        return world.accept(keys)

    world.answer = answer
    with pytest.raises(LedgerError, match="a later try"):
        old.deliver(plan.header)

    assert world.most_often == 1
    unknown = {line["key"] for line in old.outcomes.read() if line["status"] == "unknown"}
    assert unknown == set(phones(6, first=3)), "what the old one had begun"
    assert unknown | set(world.contacted) == set(phones(15)), "nobody is lost"


# -- a store that fails


def test_nothing_is_sent_when_the_intent_cannot_be_stored(tmp_path: Path) -> None:
    world = World()
    world.start_process()
    delivery = new_try(world, Plan(phones(6), tmp_path, batch_size=3))

    class DatabaseDownError(Exception):
        pass

    def write(key: str, value: Any, store: Any = world.set) -> None:
        if len(world.requests) == 1 and key.startswith("try-") and value["intended"]:
            raise DatabaseDownError
        store(key, value)

    world.set = write  # type: ignore[method-assign]
    with pytest.raises(DatabaseDownError):
        delivery.deliver(Plan([]).header)

    assert world.requests == [phones(3)]


@pytest.mark.parametrize(
    ("rows", "at"),
    [(Rows(1, 3), 10), (Rows(2, 2), 10), (Rows(4, 6), 20), (Rows(3, 4), 10), (Rows(1, 9), 10), (Rows(7, 9), 30)],
)
def test_a_later_try_knows_when_rows_were_first_intended(
    store: JsonStore, monkeypatch: pytest.MonkeyPatch, rows: Rows, at: float
) -> None:
    clock = [5.0]
    monkeypatch.setattr("airflow_provider_campaigns.delivery.record.ledger.time.time", lambda: clock[-1])
    first = began(store)
    for seconds, intended in ((10.0, Rows(1, 3)), (20.0, Rows(4, 6))):
        clock.append(seconds)
        intend(first, intended)
    second = began(store)
    for intended in (Rows(4, 6), Rows(7, 9)):
        clock.append(30.0)
        intend(second, intended)
    third = began(store)
    assert third.first_intended_at(rows) == at
    assert third.first_intended_at(Rows(10, 12)) == third.began_at == 5.0
