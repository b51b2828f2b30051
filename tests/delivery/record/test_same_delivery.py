"""What must be the same for a later try to continue: the campaign, the account, and the contacts begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.record.ledger import Change, Ledger
from airflow_provider_campaigns.delivery.record.outcome import Status
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.exceptions import LedgerError
from tests.delivery.record.ledgers import HEADER, began, intend, rows_of, send, settle
from tests.delivery.world import Crash, JsonStore, Plan, World, phones, run_try

# -- the campaign and the account


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


# -- the contacts


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
