"""The thread of the senders: an event loop that sends batches, while the main thread alone talks to Airflow."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, Self

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.run.mailbox import Mailbox
from airflow_provider_campaigns.protocol.messages import Conversation, T
from airflow_provider_campaigns.protocol.pace import Pace, StoppedError, paced
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, LooksUp, Send


@dataclass(eq=False)
class Ticket:
    """
    One batch on its way.

    :param batch: the rows.
    :param contacts: those of its contacts that are sent, each with its row number.
    :param resent: an earlier request may have taken them already.
    :param others: the outcomes of the batch's other rows.
    :param resends: how often it may still be sent again within this try.
    :param looks_up_since: ask the vendor what became of it since then, and send nothing; None sends.
    :param intended: the ledger has its intent already.
    :param counted: sending it counts as one of the resends that ``max_resends`` limits.
    """

    batch: Batch
    contacts: Sequence[tuple[int, Contact]] = field(repr=False)
    others: Sequence[Outcome] = field(default=(), repr=False)
    resent: bool = False
    resends: int = 0
    looks_up_since: float | None = None
    intended: bool = False
    counted: bool = False


@dataclass(frozen=True)
class Answer:
    """
    What became of a ticket: a reply per contact, or why there is none.

    :param seconds: how long it was under way.
    :param left: it may have left; else not even its request could be made.
    """

    ticket: Ticket
    replies: Sequence[ContactReply] = field(default=(), repr=False)
    error: BaseException | None = None
    seconds: float = 0.0
    left: bool = True


class Senders(Protocol):
    """Sends tickets and gives back answers, in any order."""

    def __enter__(self) -> Self:
        """Get ready."""

    def __exit__(self, *exc_info: object) -> None:
        """End; nothing is sent afterwards."""

    def submit(self, *tickets: Ticket) -> None:
        """Send each ticket as soon as its turn comes."""

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        """
        Return the answers there are.

        :param timeout: seconds to wait for ``least`` of them, None for as long as it takes; it may return earlier.
        """

    def stop(self) -> None:
        """Send no further request; those in flight continue. May be called from a signal handler."""

    def hold(self, held: bool) -> None:
        """Begin no request for the time being, or begin them again; those in flight continue."""

    def abandon(self) -> None:
        """Give up the requests in flight."""


class SendingTransport(Protocol):
    """Drives the conversations of many batches at a time, as ``AsyncTransport`` does."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def run(self, conversation: Conversation[T]) -> T:
        """Drive a conversation to its end and return its result."""


class ThreadedSenders:
    """
    Sends through a ``SendingTransport`` in a thread with an event loop of its own.

    :param send: makes the conversation of a batch.
    :param make_transport: given a coroutine function that sleeps and a function that runs something in the main
        thread, returns the transport.
    :param concurrency: tickets in flight.
    :param per_minute: requests a minute, None for no limit.
    :param closes_in: seconds after which no request may be sent; each asks when its turn has come.
    :param pace: in place of one of its own: when requests may be sent.
    """

    def __init__(
        self,
        send: Send,
        make_transport: Callable[[Callable[[float], Any], Callable[[Callable[[], Any]], Any]], SendingTransport],
        concurrency: int,
        per_minute: float | None = None,
        *,
        closes_in: Callable[[], float] = lambda: math.inf,
        pace: Pace | None = None,
    ) -> None:
        self._send = send
        self._make_transport = make_transport
        self._pace = pace or Pace(per_minute, closes_in=closes_in)
        self._answers: Mailbox[Answer] = Mailbox()
        self._turns = asyncio.Semaphore(concurrency)
        self._loop: asyncio.AbstractEventLoop
        self._transport: SendingTransport
        self._stopping = asyncio.Event()
        self._left = asyncio.Event()
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._thread = threading.Thread(target=self._serve, name="campaign-senders", daemon=True)
        self._ready: Future[None] = Future()
        self._main = threading.get_ident()

    def __enter__(self) -> Self:
        self._main = threading.get_ident()
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.abandon()
        self._end()
        self._pace.close()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._left.set)
        while self._thread.is_alive():
            self._answers.collect(0)
            self._thread.join(0.05)
        self._loop.close()

    def submit(self, *tickets: Ticket) -> None:
        """Make each ticket's request ready, and send it as soon as fewer than ``concurrency`` are in flight."""
        self._loop.call_soon_threadsafe(self._begin, tickets)

    def _begin(self, tickets: Sequence[Ticket]) -> None:
        for ticket in tickets:
            task = self._loop.create_task(self._answer(ticket))
            self._tasks.add(task)
            task.add_done_callback(partial(self._hand_over, ticket))

    def _hand_over(self, ticket: Ticket, task: asyncio.Task[Answer]) -> None:
        self._tasks.discard(task)
        # Cancelled are those that had not left.
        self._answers.put(Answer(ticket, error=StoppedError()) if task.cancelled() else task.result())

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        """Return the answers there are, and meanwhile run what the senders need done in this thread."""
        return self._answers.collect(timeout, least)

    def wake(self) -> None:
        """Let a waiting ``collect`` return; may be called from a signal handler."""
        self._answers.wake()

    def stop(self) -> None:
        """Send no further request; pacing and backing off end at once."""
        self._pace.stopped = True
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.wake()

    def hold(self, held: bool) -> None:
        """Begin no request for the time being, or begin them again; those in flight continue."""
        self._pace.held = held

    def abandon(self) -> None:
        """Cancel the requests in flight; what had not left is answered as stopped."""
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    def in_main_thread(self, do: Callable[[], T]) -> T:
        """Run ``do`` in the thread that collects the answers, and return or raise what it does."""
        if threading.get_ident() == self._main:
            return do()
        return self._answers.ask(do)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _work(self) -> None:
        async with self._make_transport(self._sleep, self.in_main_thread) as transport:
            self._transport = transport
            self._ready.set_result(None)
            await self._left.wait()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, ticket: Ticket) -> Answer:
        """Send one ticket and return what became of it; cancelled before its turn came, it never left."""
        try:
            conversation = paced(self._conversation(ticket), self._pace)
        except BaseException as error:  # noqa: BLE001 - the main thread waits for an answer to every ticket
            return Answer(ticket, error=error, left=False)
        async with self._turns:
            began = time.monotonic()
            try:
                replies = await self._transport.run(conversation)
            except BaseException as error:  # noqa: BLE001 - also when it is cancelled
                return Answer(ticket, error=error)
            return Answer(ticket, replies, seconds=time.monotonic() - began)

    def _conversation(self, ticket: Ticket) -> Conversation[Sequence[ContactReply]]:
        contacts = [contact for _, contact in ticket.contacts]
        if ticket.looks_up_since is not None and isinstance(self._send, LooksUp):
            return self._send.look_up(contacts, ticket.looks_up_since)
        return self._send.request(contacts, resent=ticket.resent)

    async def _sleep(self, seconds: float) -> None:
        if self._pace.stopped:
            return
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
