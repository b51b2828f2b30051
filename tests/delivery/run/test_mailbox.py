"""The mailbox between the two threads of a delivery."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from airflow_provider_campaigns.delivery.run.mailbox import Mailbox

PATIENCE = 20.0


@pytest.fixture
def mailbox() -> Mailbox[int]:
    return Mailbox()


def in_another_thread(do: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=do)
    thread.start()
    return thread


def test_what_was_put_is_collected_in_order_and_once(mailbox: Mailbox[int]) -> None:
    for number in range(5):
        mailbox.put(number)

    assert mailbox.collect(PATIENCE) == [0, 1, 2, 3, 4]
    assert mailbox.collect(0) == []


def test_it_waits_for_as_many_as_are_wanted(mailbox: Mailbox[int]) -> None:
    """The one that is put last lets the reader go on."""
    collected: SimpleQueue[list[int]] = SimpleQueue()
    mailbox.put(1)
    reader = in_another_thread(lambda: collected.put(mailbox.collect(PATIENCE, least=3)))
    mailbox.put(2)
    assert collected.empty()

    mailbox.put(3)

    assert collected.get(timeout=PATIENCE) == [1, 2, 3]
    reader.join()


def test_it_returns_what_there_is_when_time_is_over(mailbox: Mailbox[int]) -> None:
    mailbox.put(1)

    assert mailbox.collect(0.01, least=2) == [1]


def test_whoever_rings_lets_the_reader_return(mailbox: Mailbox[int]) -> None:
    timer = threading.Timer(0.02, mailbox.wake)
    timer.start()

    assert mailbox.collect(None) == []

    timer.join()


def test_a_ring_before_the_reader_waits_is_not_lost(mailbox: Mailbox[int]) -> None:
    mailbox.wake()

    assert mailbox.collect(None) == []


def test_what_is_asked_for_is_done_by_the_reader(mailbox: Mailbox[int]) -> None:
    done: list[int] = []
    asking = in_another_thread(lambda: done.append(mailbox.ask(threading.get_ident)))

    while not done:
        mailbox.collect(0.01)

    asking.join()
    assert done == [threading.get_ident()]


def test_what_is_asked_for_is_done_also_when_enough_is_there(mailbox: Mailbox[int]) -> None:
    mailbox.put(1)
    done: list[str] = []
    asking = in_another_thread(lambda: done.append(mailbox.ask(lambda: "done")))

    found: list[int] = []
    while not done:
        found += mailbox.collect(0.01)

    asking.join()
    assert (done, found) == (["done"], [1])


def test_many_items_of_another_thread_all_arrive(mailbox: Mailbox[int]) -> None:
    def put_all() -> None:
        for number in range(20_000):
            mailbox.put(number)

    writer = in_another_thread(put_all)

    found: list[int] = []
    while len(found) < 20_000:
        found += mailbox.collect(PATIENCE, min(700, 20_000 - len(found)))

    writer.join()
    assert found == list(range(20_000))
