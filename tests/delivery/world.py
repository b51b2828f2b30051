"""A store, a disk and a vendor that can all die at one step of a delivery, as when the process is killed."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, Self

from airflow_provider_campaigns.delivery.plan.exclusions import read_exclusions
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder, OutcomeRecords
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import Answer, Ticket
from airflow_provider_campaigns.exceptions import InvalidContactError
from airflow_provider_campaigns.identity import Kind, read_phone
from airflow_provider_campaigns.parameters import OnUnknown
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response, Sleep, T
from airflow_provider_campaigns.protocol.pace import Pace, paced
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, LooksUp, ReplyStatus, Send

HEADER = {"vendor": "acme", "campaign": "spring"}


class Crash(BaseException):
    """The process is killed: nothing it does after this has any effect."""


Reaction = Callable[[int, list[str]], Response | Exception]
"""What the vendor does with a request, given its number (from 1) and its contacts."""


class JsonStore:
    """A store in memory; values go through JSON."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


@dataclass
class World:
    """
    What outlives a process: the store, and what the vendor received.

    :param answer: the vendor's answers in place of accepting everything.
    :param checks_duplicates: the vendor leaves out contacts it has, and says so.
    :param campaign_url: the campaign's page in the vendor's dashboard.
    """

    answer: Reaction | None = None
    checks_duplicates: bool = False
    campaign_url: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    contacted: list[str] = field(default_factory=list)
    requests: list[list[str]] = field(default_factory=list)
    crashes: int = 0
    _steps: int = 0
    _crash_at: int | None = None
    _dead: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start_process(self, crash_at: int | None = None) -> None:
        """Begin a new process, which is killed at step ``crash_at``, if it gets there."""
        self._steps, self._crash_at, self._dead = 0, crash_at, False

    def alive(self) -> None:
        """Do nothing, if the process still lives."""
        if self._dead:
            raise Crash

    def step(self) -> None:
        """Pass a point at which the process may be killed."""
        with self._lock:
            self.alive()
            self._steps += 1
            if self._steps == self._crash_at:
                self.die()

    def die(self) -> NoReturn:
        """Kill the process."""
        self._dead = True
        self.crashes += 1
        raise Crash

    def accept_and_die(self, number: int, keys: list[str]) -> NoReturn:
        """Contact everybody, but the process is killed before it hears of it (an ``answer``)."""
        self.accept(keys)
        self.die()

    # -- the store

    def get(self, key: str) -> Any:
        self.alive()
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self.step()
        self.values[key] = json.dumps(value)
        self.step()

    def delete(self, key: str) -> None:
        self.alive()
        self.values.pop(key, None)

    # -- the vendor

    def run(self, conversation: Conversation[T]) -> T:
        """Drive a conversation, as a transport does."""
        try:
            step = next(conversation)
            while True:
                try:
                    reply = None if isinstance(step, Sleep) else self._reply(step)
                except Exception as failure:  # noqa: BLE001 - as a transport does
                    step = conversation.throw(failure)
                else:
                    step = conversation.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result

    def _reply(self, request: Any) -> Response:
        assert isinstance(request, Request)
        self.step()
        keys = [row["phone"] for row in request.json]
        self.requests.append(keys)
        answer = self.answer(len(self.requests), keys) if self.answer else self.accept(keys)
        self.step()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def accept(self, keys: Iterable[str]) -> Response:
        """Contact everybody."""
        statuses = []
        for key in keys:
            known = self.checks_duplicates and key in self.contacted
            statuses.append("duplicate" if known else "accepted")
            if not known:
                self.contacted.append(key)
        return Response(200, json.dumps(statuses).encode())

    @property
    def most_often(self) -> int:
        """How often the contact that was contacted most often was contacted."""
        return max(Counter(self.contacted).values(), default=0)


class _Acme(Dialect):
    vendor = "acme"

    def authorize(self, request: Request, token: str) -> Request:
        return request


@dataclass(frozen=True)
class AcmeSend(Send):
    """A vendor's send: contacts have a ``phone``, perhaps an ``email``; the reply is a list of statuses."""

    campaign: str = "spring"
    batch_limit: int = 500
    safe_to_resend: str = ""

    vendor = "acme"
    required = (("phone",),)
    recipient_fields = MappingProxyType[str, Kind]({"phone": "phone"})

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        phone = str(fields.get("phone") or "")
        if not phone.removeprefix("+").isdigit():
            raise InvalidContactError("phone", "digits", phone)
        addresses = (phone, *filter(None, [fields.get("email")]))
        person = read_phone(phone)
        return Contact(phone, dict(fields), addresses, person.key, (person,))

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        body = [dict(contact.body) for contact in contacts]
        request = Request("POST", "/send", "write", json=body, safe_to_resend=self.safe_to_resend)
        response = yield from exchange(_Acme(policy=RetryPolicy(retry_limit=0)), request)
        statuses = response.json()
        there: ReplyStatus = "accepted" if resent or response.repeated else "duplicate"
        replies = {"accepted": ContactReply("accepted"), "duplicate": ContactReply(there)}
        return [replies.get(status, ContactReply(status, "refused", message="no such number")) for status in statuses]


class WorldFolder(OutcomeFolder):
    """
    An outcome folder whose process may be killed before and after each write.

    :param remote: it is written to and read as one in object storage.
    """

    def __init__(self, world: World, folder: Path, try_number: int, *, remote: bool = False) -> None:
        super().__init__(folder, try_number)
        self._world = world
        self._remote = remote

    @property
    def holds(self) -> bool:
        return self._remote

    def write(self, outcomes: Iterable[Outcome], *, again: bool = False) -> None:
        self._world.step()
        super().write(outcomes, again=again)
        self._world.step()

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        self._world.step()
        super().write_unsent(outcomes)
        self._world.step()

    def written(self) -> Iterator[Outcome]:
        self._world.alive()
        return super().written()


class WorldSenders:
    """Sends in the thread of the delivery, in order: each ``collect`` is a round of as many as may be in flight."""

    def __init__(self, world: World, send: AcmeSend, concurrency: int) -> None:
        self._world = world
        self._send = send
        self._concurrency = concurrency
        self._waiting: deque[Ticket] = deque()
        self._pace = Pace()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, *tickets: Ticket) -> None:
        self._waiting.extend(tickets)

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        in_flight = [self._waiting.popleft() for _ in range(min(self._concurrency, len(self._waiting)))]
        return [self._answer(ticket) for ticket in in_flight]

    def stop(self) -> None:
        self._pace.stopped = True

    def hold(self, held: bool) -> None:
        """Nothing is in flight while something is stored."""

    def abandon(self) -> None:
        """Nothing is in flight between rounds."""

    def _answer(self, ticket: Ticket) -> Answer:
        contacts = [contact for _, contact in ticket.contacts]
        try:
            if ticket.looks_up_since is not None and isinstance(self._send, LooksUp):
                conversation = self._send.look_up(contacts, ticket.looks_up_since)
            else:
                conversation = self._send.request(contacts, resent=ticket.resent)
            replies = self._world.run(paced(conversation, self._pace))
        except Exception as error:  # noqa: BLE001 - the delivery decides
            return Answer(ticket, error=error)
        return Answer(ticket, replies)


@dataclass(frozen=True)
class Plan:
    """
    A delivery.

    :param rows: phone numbers, or whatever ``open_source`` takes.
    :param folder: where its outcomes go; None keeps them in the store.
    :param remote: the folder is one in object storage.
    """

    rows: Any
    folder: Any = None
    remote: bool = False
    exclude: Sequence[str] = ()
    only_recipients: Sequence[str] = ()
    batch_size: int = 3
    batch_limit: int = 500
    on_unknown: OnUnknown = "fail"
    safe: bool = False
    max_concurrency: int = 2
    max_rejected: float | None = None
    header: Mapping[str, Any] = field(default_factory=lambda: HEADER)
    max_tries: int = 0
    resend: bool = False
    max_invalid: float | None = None
    max_resends: int = 3

    def changed(self, **changes: Any) -> Plan:
        return replace(self, **changes)

    @property
    def limits(self) -> Limits:
        return Limits(self.on_unknown, self.max_rejected, self.max_invalid, self.max_resends)

    @property
    def contacts(self) -> Any:
        if isinstance(self.rows, (list, tuple)):
            return [row if isinstance(row, Mapping) else {"phone": row} for row in self.rows]
        return self.rows


def new_try(world: World, plan: Plan, recovers: int = 0) -> Delivery:
    """
    Return the next try of a delivery, ready to ``deliver``; the only place that makes an engine.

    :param recovers: number of the last try whose outcomes take the place of a ledger that is gone.
    """
    ledger = Ledger.open(world, after=recovers)
    ledger.begin(plan.max_tries, resend="if_cleared" if plan.resend else "no", recovers=recovers)
    outcomes: Outcomes = OutcomeRecords(world, ledger.try_number, ledger.try_numbers)
    if plan.folder:
        outcomes = WorldFolder(world, plan.folder, ledger.try_number, remote=plan.remote)
    send = AcmeSend(batch_limit=plan.batch_limit, safe_to_resend="the vendor checks duplicates" if plan.safe else "")
    reading = Reading(send, only_recipients=plan.only_recipients)
    if plan.exclude:
        reading = replace(reading, excluded=read_exclusions(open_source(plan.exclude, "exclude", plain=True), reading))
    return Delivery(
        send=send,
        reading=reading,
        source=open_source(plan.contacts),
        ledger=ledger,
        outcomes=outcomes,
        senders=WorldSenders(world, send, plan.max_concurrency),
        batch_size=plan.batch_size,
        max_concurrency=plan.max_concurrency,
        limits=plan.limits,
        # Nothing takes time in this world, so that a round is what one ``collect`` returns.
        clock=lambda: 0.0,
    )


def run_try(world: World, plan: Plan, number: int = 1, crash_at: int | None = None) -> tuple[Receipt, list[Outcome]]:
    """Run one try in a process of its own and return its receipt and all outcomes."""
    world.start_process(crash_at)
    delivery = new_try(world, plan)
    receipt = delivery.deliver(plan.header)
    return receipt, list(delivery.outcomes.read())


def phones(count: int, first: int = 0) -> list[str]:
    """Return phone numbers nobody has."""
    return [f"+447700{900000 + number}" for number in range(first, first + count)]
