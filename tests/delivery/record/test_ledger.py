"""
What a later try knows of those before it, and what it refuses to continue.

Feared, beside crashes (test_crashes): the contacts, the campaign or the account are others; two processes run at once
(test_claims); what was stored is damaged (test_damages).
"""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.ledger import Change, Checkpoint, Ledger, Resend
from airflow_provider_campaigns.delivery.record.outcome import Status
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.record.receipt import make_receipt
from airflow_provider_campaigns.exceptions import LedgerError
from tests.delivery.world import Crash, JsonStore, Plan, World, new_try, phones, run_try

HEADER = {"campaign": "spring", "host": "https://api.example.com"}
COUNTS = {"accepted": 3}


@pytest.fixture
def store() -> JsonStore:
    return JsonStore()


def began(store: Any, max_tries: int = 0, *, resend: Resend = "no") -> Ledger:
    ledger = Ledger.open(store)
    ledger.begin(max_tries, resend=resend)
    ledger.start(HEADER)
    return ledger


def settle(ledger: Ledger, rows: Rows, status: Status = "accepted", **counts: int) -> None:
    number = rows.last - rows.first + 1
    ended: dict[Status, range] = {} if status == "accepted" else {status: range(rows.first, rows.last + 1)}
    ledger.record(Change(settled=[rows], counts={status: number, **counts}, ended=ended))


def send(ledger: Ledger, *rows: Rows) -> None:
    for range_ in rows:
        intend(ledger, range_)
        settle(ledger, range_, requests=1)


def intend(ledger: Ledger, rows: Rows) -> None:
    ledger.record(Change(intended=[rows], checkpoint=Checkpoint(rows.last, f"up to {rows.last}")))


def rows_of(ledger: Ledger) -> tuple[list[Rows], list[Rows]]:
    """Return what is settled and what is unresolved."""
    settled, unresolved = ledger.rows()
    return list(settled), list(unresolved)


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


# -- what must be the same


@pytest.mark.parametrize(
    ("name", "value"),
    [("campaign", "summer"), ("host", "https://other.example.com"), ("target_by", "email")],
)
def test_another_delivery_is_named(store: JsonStore, name: str, value: str) -> None:
    send(began(store), Rows(1, 3))

    second = Ledger.open(store)

    assert second.difference({**HEADER, name: value}).startswith(f"{name}: an earlier try of this task used")
    assert second.difference(HEADER) == ""


def test_a_field_that_is_gone_is_a_difference(store: JsonStore) -> None:
    send(began(store), Rows(1, 3))

    assert Ledger.open(store).difference({"campaign": "spring"}).startswith("host: ")


@pytest.mark.parametrize("status", ["accepted", "unknown"])
def test_somebody_may_have_been_reached_when_a_contact_is(store: JsonStore, status: Status) -> None:
    settle(began(store), Rows(1, 3), status)

    assert Ledger.open(store).may_have_reached


@pytest.mark.parametrize("status", ["rejected", "invalid", "duplicate"])
def test_nobody_was_reached_when_all_contacts_are(store: JsonStore, status: Status) -> None:
    settle(began(store), Rows(1, 3), status)

    assert not Ledger.open(store).may_have_reached


def test_somebody_may_have_been_reached_when_a_request_may_have_left(store: JsonStore) -> None:
    intend(began(store), Rows(1, 3))

    assert Ledger.open(store).may_have_reached


def test_a_try_that_sent_nothing_may_have_been_another_delivery(store: JsonStore) -> None:
    first = began(store)
    intend(first, Rows(1, 3))
    first.record(Change(released=[Rows(1, 3)]))

    second = Ledger.open(store)

    assert not second.began
    assert second.difference({"campaign": "summer"}) == ""
    assert second.checkpoint is None


def test_tries_that_reached_nobody_stop_counting_once_the_next_one_sends(store: JsonStore) -> None:
    settle(began(store), Rows(1, 9), "rejected")
    second = began(store)
    second.start_over()
    assert rows_of(second) == ([], [])
    assert rows_of(began(store)) == ([Rows(1, 9)], []), "nothing was sent, so nothing was stored"

    third = began(store)
    third.start_over()
    send(third, Rows(1, 2))

    assert rows_of(began(store)) == ([Rows(1, 2)], [])


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


ROWS = phones(11)
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

    with pytest.raises(LedgerError, match="the first 9 rows are not those of an earlier try") as caught:
        run_try(world, Plan(rows, tmp_path), 2)

    assert len(world.requests) == sent
    assert caught.value.remedy == {"on_cleared": "resend"}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([*ROWS, *phones(3, first=11)], id="appended"),
        pytest.param([*ROWS[:9], "+447700900088", "+447700900099"], id="changed beyond what was begun"),
    ],
)
def test_contacts_that_changed_only_where_nothing_was_sent_are_fine(tmp_path: Path, rows: list[str]) -> None:
    world = _crashed_in_the_second_batch(tmp_path)

    receipt, _ = run_try(world, Plan(rows, tmp_path), 2)

    assert sorted(world.contacted) == sorted([*rows[:6], *rows[9:]])
    assert (receipt["accepted"], receipt["unknown"]) == (len(rows) - 6, 6), "one batch was sent, one was next"


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
        run_try(world, Plan(ROWS, folder, max_concurrency=1))
    world.answer = None
    return world


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
