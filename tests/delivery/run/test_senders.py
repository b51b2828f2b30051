"""The second thread: so many requests in flight, an answer for every ticket, and an end in every case."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import cached_property
from typing import Any, Self

import pytest

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.run.senders import Answer, ThreadedSenders, Ticket
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response, Sleep
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from tests.delivery.world import AcmeSend, phones

# Seconds after which a test that waits for another thread has failed.
PATIENCE = 5.0


class Transport:
    """Answers requests when ``gate`` is open; what it does can be replaced."""

    def __init__(self, sleep: Any = None, in_main_thread: Any = None) -> None:
        self.sleep, self.in_main_thread = sleep, in_main_thread
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.asleep = threading.Semaphore(0)
        self.in_flight = self.most_in_flight = 0
        self.sent: list[list[str]] = []
        self.closed = False
        self.perform: Callable[[], Any] | None = None

    def make(self, sleep: Any, in_main_thread: Any) -> Self:
        self.sleep, self.in_main_thread = sleep, in_main_thread
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.closed = True

    async def run(self, conversation: Conversation[Any]) -> Any:
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    step = conversation.send(await self._perform(step))
            except StopIteration as end:
                return end.value

    async def _perform(self, step: Any) -> Any:
        if isinstance(step, Sleep):
            self.asleep.release()
            return await self.sleep(step.seconds)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.sent.append([row["phone"] for row in step.json])
        self.arrived.release()
        try:
            while not self.gate.is_set():  # noqa: ASYNC110 - it is opened in another thread
                await asyncio.sleep(0.001)
            if self.perform:
                await self.perform()
        finally:
            self.in_flight -= 1
        return Response(200, b'["accepted"]')


@pytest.fixture
def transport() -> Transport:
    transport = Transport()
    transport.gate.set()
    return transport


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert "campaign-senders" not in {thread.name for thread in threading.enumerate()}


def ticket(row: int, **how: Any) -> Ticket:
    contact = Contact(phones(1, row)[0], {"phone": phones(1, row)[0]})
    return Ticket(Batch(Rows(row, row), [(row, contact)], [], "x"), [(row, contact)], **how)


def collect(senders: ThreadedSenders, count: int) -> list[Answer]:
    """Wait for so many answers."""
    answers: list[Answer] = []
    until = time.monotonic() + PATIENCE
    while len(answers) < count:
        assert time.monotonic() < until, f"{len(answers)} of {count} answers came"
        answers += senders.collect(0.05)
    return answers


def test_every_ticket_is_answered_once_with_what_was_replied(transport: Transport) -> None:
    tickets = [ticket(row) for row in range(1, 21)]
    with ThreadedSenders(AcmeSend(), transport.make, 3) as senders:
        for one in tickets:
            senders.submit(one)
        answers = collect(senders, 20)
        assert senders.collect(0) == []

    assert {id(answer.ticket) for answer in answers} == {id(one) for one in tickets}
    assert all(answer.replies == [ContactReply("accepted")] for answer in answers)
    assert sorted(transport.sent) == [[phone] for phone in phones(20, 1)]
    assert transport.closed


@pytest.mark.parametrize("concurrency", [1, 4])
def test_so_many_are_in_flight_and_no_more(transport: Transport, concurrency: int) -> None:
    transport.gate.clear()
    with ThreadedSenders(AcmeSend(), transport.make, concurrency) as senders:
        for row in range(1, 11):
            senders.submit(ticket(row))
        for _ in range(concurrency):
            assert transport.arrived.acquire(timeout=PATIENCE)
        assert senders.collect(0.02) == []
        transport.gate.set()
        collect(senders, 10)

    assert transport.most_in_flight == concurrency


def test_the_next_request_is_ready_before_its_turn_comes(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = threading.Semaphore(0)

    class Watched(Request):
        @cached_property
        def body(self) -> bytes | None:
            encoded.release()
            return super().body

    monkeypatch.setattr("tests.delivery.world.Request", Watched)
    transport.gate.clear()
    with ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        senders.submit(ticket(1), ticket(2))
        assert transport.arrived.acquire(timeout=PATIENCE)
        assert encoded.acquire(timeout=PATIENCE)
        assert encoded.acquire(timeout=PATIENCE)
        assert transport.sent == [phones(1, 1)]
        transport.gate.set()
        collect(senders, 2)


def test_what_a_conversation_raises_is_the_answer_and_others_go_on(transport: Transport) -> None:
    class Failing(AcmeSend):
        def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
            if contacts[0].key == phones(1, 1)[0]:
                raise LookupError("odd")
            return (yield from super().request(contacts, resent=resent))

    with ThreadedSenders(Failing(), transport.make, 1) as senders:
        senders.submit(ticket(1))
        senders.submit(ticket(2))
        first, second = collect(senders, 2)

    assert isinstance(first.error, LookupError)
    assert (second.error, second.replies) == (None, [ContactReply("accepted")])


def test_a_ticket_says_whether_it_is_resent_or_looked_up(transport: Transport) -> None:
    asked: list[Any] = []

    class Looking(AcmeSend):
        def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
            asked.append(resent)
            return [ContactReply("accepted")]
            yield

        def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
            asked.append(since)
            return [ContactReply("duplicate")]
            yield

    with ThreadedSenders(Looking(), transport.make, 1) as senders:
        for one in (ticket(1), ticket(2, resent=True), ticket(3, resent=True, looks_up_since=17.0)):
            senders.submit(one)
        answers = collect(senders, 3)

    assert asked == [False, True, 17.0]
    assert [answer.replies[0].status for answer in answers] == ["accepted", "accepted", "duplicate"]


def test_a_request_leaves_when_its_slot_comes(transport: Transport) -> None:
    with ThreadedSenders(AcmeSend(), transport.make, 1, per_minute=6000) as senders:
        for row in range(1, 5):
            senders.submit(ticket(row))
        answers = collect(senders, 4)

    assert transport.asleep.acquire(blocking=False), "one waited"
    assert not any(answer.error for answer in answers)


# -- stopping


def test_stopped_those_in_flight_end_and_the_others_do_not_leave(transport: Transport) -> None:
    transport.gate.clear()
    with ThreadedSenders(AcmeSend(), transport.make, 2) as senders:
        for row in range(1, 6):
            senders.submit(ticket(row))
        for _ in range(2):
            assert transport.arrived.acquire(timeout=PATIENCE)
        senders.stop()
        transport.gate.set()
        answers = collect(senders, 5)

    assert sorted(answer.ticket.batch.rows.first for answer in answers if not answer.error) == [1, 2]
    assert [type(answer.error) for answer in answers].count(StoppedError) == 3
    assert len(transport.sent) == 2


def test_stopping_wakes_those_that_wait_for_their_slot(transport: Transport) -> None:
    with ThreadedSenders(AcmeSend(), transport.make, 4, per_minute=0.01) as senders:
        for row in range(1, 5):
            senders.submit(ticket(row))
        assert transport.asleep.acquire(timeout=PATIENCE)
        began = time.monotonic()
        senders.stop()
        answers = collect(senders, 4)

    assert time.monotonic() - began < PATIENCE, "a slot was an hour away"
    assert 1 <= len(transport.sent) <= 2
    assert sum(isinstance(answer.error, StoppedError) for answer in answers) == 4 - len(transport.sent)


def test_stopping_and_waking_let_a_waiting_collect_return(transport: Transport) -> None:
    with ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        for wake in (senders.wake, senders.stop):
            timer = threading.Timer(0.02, wake)
            timer.start()
            assert senders.collect(PATIENCE) == []
            timer.join()


def test_given_up_those_in_flight_are_cancelled_and_the_others_never_left(transport: Transport) -> None:
    transport.gate.clear()
    with ThreadedSenders(AcmeSend(), transport.make, 2) as senders:
        for row in range(1, 6):
            senders.submit(ticket(row))
        for _ in range(2):
            assert transport.arrived.acquire(timeout=PATIENCE)
        senders.stop()
        senders.abandon()
        answers = collect(senders, 5)

    errors = {answer.ticket.batch.rows.first: type(answer.error) for answer in answers}
    assert errors == {1: asyncio.CancelledError, 2: asyncio.CancelledError, **dict.fromkeys((3, 4, 5), StoppedError)}


def test_given_up_as_soon_as_it_was_submitted_a_ticket_is_answered_all_the_same(transport: Transport) -> None:
    with ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        began = threading.Event()
        # One after the other, before the loop runs anything else.
        senders._loop.call_soon_threadsafe(began.wait, PATIENCE)
        senders.submit(ticket(1), ticket(2))
        senders.abandon()
        began.set()
        answers = collect(senders, 2)

    assert [type(answer.error) for answer in answers] == [StoppedError, StoppedError]
    assert transport.sent == []


# -- what is done in the main thread


@pytest.mark.parametrize("fails", [False, True])
def test_what_needs_the_main_thread_is_done_by_the_one_that_collects(transport: Transport, fails: bool) -> None:
    threads: list[int] = []

    def call() -> str:
        threads.append(threading.get_ident())
        if fails:
            raise LookupError("no such Variable")
        return "token"

    results: list[Any] = []

    async def perform() -> None:
        results.append(await asyncio.to_thread(transport.in_main_thread, call))

    transport.perform = perform
    with ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        senders.submit(ticket(1))
        (answer,) = collect(senders, 1)

    assert threads == [threading.get_ident()]
    if fails:
        assert isinstance(answer.error, LookupError)
    else:
        assert results == ["token"]


def test_the_main_thread_does_its_own_calls_at_once(transport: Transport) -> None:
    with ThreadedSenders(AcmeSend(), transport.make, 1):
        assert transport.in_main_thread(lambda: 17) == 17


# -- beginning and ending


def test_a_transport_that_cannot_be_made_is_raised_at_the_start() -> None:
    def make(sleep: Any, in_main_thread: Any) -> Any:
        raise LookupError("no authorities")

    senders = ThreadedSenders(AcmeSend(), make, 1)
    with pytest.raises(LookupError, match="no authorities"), senders:
        raise AssertionError("it began")


def test_a_transport_that_cannot_be_entered_is_raised_at_the_start(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def enter(_: Transport) -> None:
        raise LookupError("no session")

    monkeypatch.setattr(Transport, "__aenter__", enter)
    with pytest.raises(LookupError, match="no session"), ThreadedSenders(AcmeSend(), transport.make, 1):
        raise AssertionError("it began")


def test_leaving_ends_requests_that_hang_and_tickets_that_wait(transport: Transport) -> None:
    transport.gate.clear()
    began = time.monotonic()
    with suppress(LookupError), ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        senders.submit(ticket(1))
        senders.submit(ticket(2))
        assert transport.arrived.acquire(timeout=PATIENCE)
        raise LookupError("something in the main thread")

    assert time.monotonic() - began < PATIENCE
    assert transport.closed
    assert len(transport.sent) == 1


def test_leaving_does_what_the_senders_still_wait_for(transport: Transport) -> None:
    asked = threading.Event()
    done: list[bool] = []

    def call() -> None:
        done.append(True)

    async def perform() -> None:
        asked.set()
        await asyncio.to_thread(transport.in_main_thread, call)

    transport.perform = perform
    with ThreadedSenders(AcmeSend(), transport.make, 1) as senders:
        senders.submit(ticket(1))
        assert asked.wait(PATIENCE)

    assert done == [True]


def test_it_can_be_stopped_before_it_begins_and_after_it_ended(transport: Transport) -> None:
    senders = ThreadedSenders(AcmeSend(), transport.make, 1)
    senders.stop()
    with senders:
        senders.submit(ticket(1))
        (answer,) = collect(senders, 1)
    senders.stop()

    assert isinstance(answer.error, StoppedError)
    assert transport.sent == []
