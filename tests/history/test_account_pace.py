"""One pace for the tasks of an account."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_campaigns.history.account_pace import LOOK_UP_EVERY, AccountPace, AccountRow, Slots
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.database import HistoryError
from airflow_provider_campaigns.history.tables import LONGEST_TEXT
from airflow_provider_campaigns.history.tables import pace as pace_table
from airflow_provider_campaigns.protocol.messages import Request, Sleep
from airflow_provider_campaigns.protocol.pace import StoppedError, interval_of, paced

PER_MINUTE = 600
INTERVAL = interval_of(PER_MINUTE)
WRITE = Request("POST", "/send", "write")


def row(history: History, account: str = "a") -> AccountRow:
    return AccountRow(history.database, account, PER_MINUTE)


def next_at(history: History, account: str = "a") -> float:
    with history.database.engine.connect() as connection:
        statement = sa.select(pace_table.c.next_at).where(pace_table.c.account == account)
        return float(connection.execute(statement).scalar_one())


def test_tasks_take_slots_one_after_the_other(history: History) -> None:
    assert row(history).take(1).first == pytest.approx(0, abs=1e-6)
    first = next_at(history)

    row(history).take(3)
    row(history, "b").take(50)
    row(history).take(2)

    assert next_at(history) == pytest.approx(first + 5 * INTERVAL, abs=1e-6)


def test_a_long_break_is_not_made_up_for(history: History) -> None:
    row(history).take(1)
    with history.database.engine.begin() as connection:
        connection.execute(sa.update(pace_table).values(next_at=pace_table.c.next_at - 60))

    assert row(history).take(1).first == pytest.approx(0, abs=1e-6)


def test_a_pause_of_one_task_is_one_of_all(history: History) -> None:
    row(history).pause(30)
    row(history).pause(10)

    slots = row(history).take(1)

    assert 20 < slots.first <= 30
    assert 20 < row(history).paused() <= 30
    assert slots.paused == pytest.approx(slots.first)
    assert (row(history, "b").paused(), row(history, "b").take(1).paused) == (0, 0)


def test_a_name_that_is_too_long_is_cut(history: History) -> None:
    row(history, "a" * 1_000).take(1)
    first = next_at(history, "a" * LONGEST_TEXT)

    row(history, "a" * 1_000).take(1)

    assert next_at(history, "a" * LONGEST_TEXT) == pytest.approx(first + INTERVAL, abs=1e-6)


def test_the_slots_of_tasks_that_send_at_once_are_all_of_the_limit(history: History) -> None:
    def send(_: int) -> list[float]:
        pace = AccountPace(AccountRow(history.database, "a", 6_000), 6_000)
        slots: list[float] = []
        while len(slots) < 25:
            slot = pace.reserve()
            slots += [slot] if slot is not None else []
            time.sleep(0 if slot else 0.001)
        pace.close()
        return slots

    with ThreadPoolExecutor(4) as threads:
        slots = sorted(slot for some in threads.map(send, range(4)) for slot in some)

    assert len(slots) == 100
    # The clock of the database is read a moment before that of the task.
    assert slots[-1] - slots[0] > 99 * interval_of(6_000) - 0.1


# --- one task, with a row that answers when the test lets it


@dataclass
class Row:
    """What the thread of a pace asks for."""

    slots: list[Slots] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    paused_for: float = 0.0
    taken: list[int] = field(default_factory=list)
    failures: int = 0

    def take(self, number: int) -> Slots:
        if self.failures:
            self.failures -= 1
            raise HistoryError("history", OSError("gone"))
        self.taken.append(number)
        return self.slots.pop(0)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def paused(self) -> float:
        return self.paused_for


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked() -> Row:
    return Row()


@pytest.fixture
def pace(asked: Row, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AccountPace:
    """A pace whose thread is the test's: an order is carried out at once."""
    orders: list[Callable[[], None] | None] = []
    pace = AccountPace(asked, PER_MINUTE, clock)  # type: ignore[arg-type]
    monkeypatch.setattr(pace, "_order", orders.append)
    pace.orders = orders  # type: ignore[attr-defined]
    return pace


def carry_out(pace: Any) -> None:
    while pace.orders:
        pace.orders.pop(0)()


def test_a_slot_is_not_known_at_once(pace: AccountPace, asked: Row) -> None:
    asked.slots = [Slots(0.5, 0)]

    assert pace.reserve() is None
    assert pace.reserve() is None, "it is asked for once"
    carry_out(pace)

    assert pace.reserve() == 100.5
    assert asked.taken == [1]


def test_as_many_are_taken_as_wait_but_not_for_long(pace: AccountPace, asked: Row) -> None:
    asked.slots = [Slots(0, 0), Slots(0, 0)]
    for waiting in (3, 100):
        pace.waiting = waiting
        pace.reserve()
        carry_out(pace)
        while pace.reserve() is not None:
            pass
        pace.orders.clear()  # type: ignore[attr-defined]
        pace._taking = False

    assert asked.taken == [3, 4]


def test_the_slots_are_at_even_distances(pace: AccountPace, asked: Row) -> None:
    asked.slots = [Slots(1, 0)]
    pace.waiting = 3
    pace.reserve()
    carry_out(pace)

    assert [pace.reserve() for _ in range(3)] == pytest.approx([101 + n * INTERVAL for n in range(3)])


def test_slots_that_are_over_or_within_a_pause_are_not_used(pace: AccountPace, asked: Row, clock: Clock) -> None:
    asked.slots = [Slots(0, 0), Slots(5, 5)]
    pace.reserve()
    carry_out(pace)
    clock.now += 1
    assert pace.reserve() is None, "that one is over"
    carry_out(pace)

    assert pace.missed(105.5), "another task was asked to pause"
    clock.now += 5
    assert pace.reserve() == pytest.approx(106)


def test_slots_that_are_made_up_for_are_used(pace: AccountPace, asked: Row) -> None:
    asked.slots = [Slots(-0.2, 0)]
    pace.reserve()
    carry_out(pace)
    carry_out(pace)

    assert pace.reserve() == pytest.approx(99.8), "there is no pause"


def test_slots_after_a_pause_are_kept_while_it_lasts(
    pace: AccountPace, asked: Row, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(number: int) -> Slots:
        asked.taken.append(number)
        return Slots(130 + sum(asked.taken[:-1]) * INTERVAL - clock.now, 130 - clock.now)

    monkeypatch.setattr(asked, "take", take)
    monkeypatch.setattr(asked, "paused", lambda: max(0.0, 130 - clock.now))
    conversation = paced(iter_steps(WRITE), pace)

    step = next(conversation)
    while isinstance(step, Sleep):
        carry_out(pace)
        clock.now += step.seconds
        step = conversation.send(None)

    assert clock.now == pytest.approx(130, abs=0.05)
    assert asked.taken == [1, 1], "none was given away meanwhile"


def test_a_pause_is_passed_on(pace: AccountPace, asked: Row) -> None:
    conversation = paced(iter_steps(Sleep(30, "429", throttled=True)), pace)
    assert isinstance(next(conversation), Sleep)
    carry_out(pace)

    assert asked.pauses == [30]
    assert pace.missed(110)


def test_the_pause_of_another_task_is_seen_within_a_second(pace: AccountPace, asked: Row, clock: Clock) -> None:
    assert not pace.missed(101)
    asked.paused_for = 30
    carry_out(pace)

    assert pace.missed(101)
    clock.now += 31
    assert not pace.missed(131.5)


def iter_steps(*steps: Any) -> Any:
    yield from steps


def test_a_request_waits_in_short_sleeps(pace: AccountPace, asked: Row, clock: Clock) -> None:
    asked.slots = [Slots(2.5, 0), Slots(3, 0)]
    conversation = paced(iter_steps(WRITE), pace)

    sleeps = []
    step = next(conversation)
    while isinstance(step, Sleep):
        sleeps.append(step.seconds)
        clock.now += step.seconds
        carry_out(pace)
        step = conversation.send(None)

    assert step is WRITE
    assert sleeps == [pace.until_reserved, LOOK_UP_EVERY, LOOK_UP_EVERY, pytest.approx(0.5)]
    assert pace.waiting == 0


def test_a_stop_ends_the_wait_for_a_slot(pace: AccountPace) -> None:
    conversation = paced(iter_steps(WRITE), pace)
    assert isinstance(next(conversation), Sleep)
    pace.stopped = True

    with pytest.raises(StoppedError):
        conversation.send(None)


def test_a_database_that_is_gone_is_asked_again(asked: Row, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    from airflow_provider_campaigns.history import account_pace

    monkeypatch.setattr(account_pace, "LOOK_UP_EVERY", 0.01)
    asked.failures, asked.slots = 1, [Slots(0, 0)] * 3
    pace = AccountPace(asked, PER_MINUTE)  # type: ignore[arg-type]

    until = time.monotonic() + 30
    while pace.reserve() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    pace.close()

    assert "No request is sent while the pace of the account is not known: history database" in caplog.text
