"""
Of all processes that start a try, at most one has a number, and only the latest one sends.

Feared: the same try is started twice at once; a process is paused anywhere, also while a write of its own is stalled in
the database, and wakes when its successor has sent. So every order of the steps of two and three processes is tried,
and random ones of more.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from threading import Event, Thread
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.claims import TryClaim, take_number
from airflow_provider_campaigns.delivery.record.ledger import Change, Ledger
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.record.try_record import KEYS
from airflow_provider_campaigns.exceptions import LedgerError
from tests.delivery.world import JsonStore


class Stepped:
    """A process whose every access to the store waits for its turn."""

    def __init__(self, values: JsonStore, work: Callable[[Any], Any]) -> None:
        self._values = values
        self._turn, self._waiting = Event(), Event()
        self.result: Any = None
        self.done = False
        self._thread = Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._waiting.wait(10)

    def _run(self, work: Callable[[Any], Any]) -> None:
        try:
            self.result = work(self)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.result = error
        self.done = True
        self._waiting.set()

    def _wait(self) -> None:
        self._waiting.set()
        self._turn.wait(10)
        self._turn.clear()

    def step(self) -> None:
        """Let it access the store once, and come to its next access."""
        if not self.done:
            self._waiting.clear()
            self._turn.set()
            assert self._waiting.wait(10)

    def get(self, key: str) -> Any:
        self._wait()
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        self._wait()
        self._values.set(key, value)

    def delete(self, key: str) -> None:
        self._wait()
        self._values.delete(key)


def orders(processes: int, steps: int) -> Iterator[tuple[int, ...]]:
    """Yield orders in which processes take their first steps: whose turn it is."""
    return product(range(processes), repeat=steps)


def run(processes: list[Stepped], order: tuple[int, ...]) -> None:
    for index in order:
        processes[index].step()
    while not all(process.done for process in processes):
        for process in processes:
            process.step()


def test_two_processes_never_have_one_number_in_whatever_order_they_run() -> None:
    for order in orders(2, 7):
        values = JsonStore()
        processes = [Stepped(values, lambda store: take_number(store, KEYS)) for _ in range(2)]

        run(processes, order)

        claims: list[TryClaim] = [process.result for process in processes]
        assert claims[0].number != claims[1].number, order
        here = [TryClaim(values, KEYS, claim.number, claim.token, 0) for claim in claims]
        assert sum(claim.holds for claim in here) <= 1, order


def test_one_process_alone_has_the_next_number_and_holds_it() -> None:
    values = JsonStore()
    first = take_number(values, KEYS)
    values.set(KEYS.latest, first.number)
    assert (first.number, first.holds) == (1, True)

    second = take_number(values, KEYS)

    assert (second.number, second.holds, first.holds) == (2, True, False)


def test_a_number_higher_than_another_is_taken_when_it_is_asked_for() -> None:
    assert take_number(JsonStore(), KEYS, after=7).number == 8


def test_a_process_that_died_while_it_took_a_number_is_no_obstacle() -> None:
    """It may be killed after any access to the store."""
    for accesses in range(12):
        values = JsonStore()
        process = Stepped(values, send_once)
        for _ in range(accesses):
            process.step()

        ledger = Ledger.open(values)
        ledger.begin()
        ledger.record(Change(intended=[Rows(1, 3)]))

        assert ledger.rows()[1] or ledger.try_number <= 2
        while not process.done:
            process.step()


def test_a_process_that_airflow_refuses_its_state_sends_nothing() -> None:
    """Airflow 3.3 answers it that there is no such key."""
    values = JsonStore()
    ledger = Ledger.open(values)
    ledger.begin()
    values.get = lambda key: None  # type: ignore[method-assign]

    with pytest.raises(LedgerError, match="a later try"):
        ledger.record(Change(intended=[Rows(1, 3)]))


def send_once(store: Any) -> bool:
    """Begin a try, and send three rows unless an earlier try may have sent them; return whether it sent."""
    ledger = Ledger.open(store)
    ledger.begin()
    settled, unresolved = ledger.rows()
    if settled or unresolved:
        return False
    ledger.record(Change(intended=[Rows(1, 3)]))
    return True


@pytest.mark.slow
def test_rows_are_sent_by_one_process_at_most_in_whatever_order_they_run() -> None:
    for seed in range(300):
        dice = random.Random(seed)
        values = JsonStore()
        processes = [Stepped(values, send_once) for _ in range(dice.choice((2, 2, 3, 4)))]
        # Long pauses: one process runs for a while, then another one.
        order = [index for _ in range(12) for index in [dice.randrange(len(processes))] * dice.choice((1, 1, 2, 5, 9))]

        run(processes, tuple(order))

        assert sum(process.result is True for process in processes) <= 1, seed
        assert all(isinstance(process.result, bool | LedgerError) for process in processes), seed


@pytest.mark.parametrize("paused_after", range(1, 14))
def test_a_process_that_wakes_after_its_successor_has_sent_sends_nothing(paused_after: int) -> None:
    """Its write may be stalled in the database: it is stored when the successor has read the records."""
    values = JsonStore()
    old = Stepped(values, send_once)
    for _ in range(paused_after):
        old.step()
    sent_before = old.result is True

    new = send_once(values)
    while not old.done:
        old.step()

    assert (old.result is True) == sent_before
    assert not (sent_before and new)
