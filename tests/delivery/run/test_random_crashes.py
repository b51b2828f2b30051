"""
Random crash points: whatever moment a try dies at, nobody is contacted twice, nobody is lost.

A world with a vendor, a store and outcomes; a process counts its steps and stops dead at a chosen one, as after
SIGKILL: from then on nothing it does has an effect. What the vendor received before stays received. Also feared, and
drawn at random between and within tries:

- the source comes in another order, with other spellings of the same persons, or with more rows at its end;
- a person is repeated in another spelling, or opted out in one of them;
- outcomes are lost;
- keys of the ledger vanish;
- the process is paused at any step, also while a write is stalled in the database, and another process runs the same or
  the next try before it wakes and continues.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

import pytest

from airflow_provider_campaigns.delivery.plan.exclusions import read_exclusions
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeRecords
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.delivery.run.senders import Answer, Ticket
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InvalidContactError,
    LedgerError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.identity import Kind, UnreadableError, read_person
from airflow_provider_campaigns.protocol.history import ContactHistory, NoHistory
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, ReplyStatus, Send
from airflow_provider_campaigns.protocol.store import Store as KeyStore
from tests.spellings import draw_spelling

# `make soak` sets more.
CRASH_POINTS = int(os.environ.get("CRASH_POINTS", "2000"))
SEEDS = 20
ENDS = {"done", "lost", "nobody"}


class Crash(BaseException):
    """The process was killed."""


REGION = "US"
C = TypeVar("C", bound="Campaign")

PERSONS: dict[Kind, Callable[[int], str]] = {
    "phone": lambda number: f"+1555010{number:04}",
    "email": lambda number: f"person{number}@example.com",
    "id": lambda number: f"person-{number}",
}
"""How a person is written by whom all spellings are drawn, by number."""


class World:
    """Everything that outlives a process, and the vendor, which knows persons by whatever spelling."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.values: dict[str, str] = {}
        self.received: Counter[str] = Counter()
        self.requests: list[list[str]] = []


class Process:
    """
    A process that is killed after so many steps (-1: never), or paused at one of them.

    :param pause: what happens while it is paused.
    """

    def __init__(self, steps: int = -1, pause_at: int = -1, pause: Callable[[], object] = lambda: None) -> None:
        self._left = steps
        self._until_pause = pause_at
        self._pause = pause
        self._pauses = pause_at > 0
        self._dead = False

    def step(self) -> None:
        """Anything that happens; also the last thing that happens."""
        if self._dead or self._left == 0:
            self._dead = True
            raise Crash
        self._left -= 1
        self._until_pause -= 1
        if self._until_pause <= 0 and self._pauses:
            self._pauses = False
            self._pause()

    @contextmanager
    def without_pauses(self) -> Iterator[None]:
        """Within ``with`` it is not paused, but afterwards."""
        pauses, self._pauses = self._pauses, False
        yield
        self._pauses = pauses


class Store:
    def __init__(self, world: World, process: Process) -> None:
        self.world, self.process = world, process

    def get(self, key: str) -> Any:
        self.process.step()
        return json.loads(self.world.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        # A process that is paused here has a write that is stored late.
        self.process.step()
        self.world.values[key] = json.dumps(value)
        self.process.step()

    def delete(self, key: str) -> None:
        self.world.values.pop(key, None)


class RemoteRecords(OutcomeRecords):
    """Outcomes whose parts cost as much as in object storage, so that the ledger holds them until one is due."""

    @property
    def holds(self) -> bool:
        return True


class FakeSend(Send):
    vendor = "fake"
    campaign = "c"
    required = (("person",),)
    region = REGION
    recipient_fields: Mapping[str, Kind] = {}
    batch_limit = 1
    safe_to_resend = ""

    def __init__(self, batch_limit: int, safe: bool, kind: Kind) -> None:
        self.batch_limit = batch_limit
        self.safe_to_resend = "the vendor checks" if safe else ""
        self.kind = kind
        self.recipient_fields = {"person": kind}

    def contact(self, fields: Any) -> Contact:
        try:
            person = read_person(self.kind, fields["person"], REGION)
        except UnreadableError as error:
            raise InvalidContactError("person", str(error), fields["person"]) from error
        return Contact(person.text, dict(fields), (person.text,), person.key, (person,))

    def request(self, contacts: Any, *, resent: bool = False) -> Any:
        raise NotImplementedError("FakeSenders answers in place of the vendor")


class FakeSenders:
    """Answers in random order, with what can happen on the way to a vendor and back."""

    def __init__(self, world: World, process: Process, send: FakeSend, trouble: float) -> None:
        self.world, self.process, self.send, self.trouble = world, process, send, trouble
        self.waiting: deque[Ticket] = deque()
        self.stopped = False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, *tickets: Ticket) -> None:
        self.waiting.extend(tickets)

    def stop(self) -> None:
        self.stopped = True

    def abandon(self) -> None:
        return None

    def hold(self, held: bool) -> None:
        return None

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        dice = self.world.dice
        tickets = list(self.waiting)
        dice.shuffle(tickets)
        chosen = tickets[: dice.randint(1, len(tickets))]
        for ticket in chosen:
            self.waiting.remove(ticket)
        return [self.answer(ticket) for ticket in chosen]

    def answer(self, ticket: Ticket) -> Answer:  # noqa: PLR0911 - one per thing that can happen
        dice, world = self.world.dice, self.world
        if self.stopped:
            return Answer(ticket, error=StoppedError())
        trouble = dice.random() < self.trouble and dice.choice(("lost", "drop", "reject", "refuse", "unavailable"))
        if trouble == "refuse":
            return Answer(ticket, error=CallRefusedError("fake", "no"))
        if trouble == "unavailable":
            return Answer(ticket, error=VendorUnavailableError("fake", "down"))
        if trouble == "lost":
            return Answer(ticket, error=OutcomeUnknownError("fake", "nothing came back"))
        self.process.step()
        keys = [contact.body["who"] for _, contact in ticket.contacts]
        if trouble == "reject":
            return Answer(ticket, error=RequestRejectedError("fake", "bad"))
        world.requests.append(keys)
        there = [key for key in keys if world.received[key]]
        if self.send.safe_to_resend:
            world.received.update(key for key in keys if not world.received[key])
        else:
            world.received.update(keys)
        self.process.step()
        if trouble == "drop":
            return Answer(ticket, error=OutcomeUnknownError("fake", "cut"))
        status: ReplyStatus = "accepted" if ticket.resent else "duplicate"
        return Answer(ticket, [ContactReply(status if key in there else "accepted") for key in keys])


def spelled(dice: random.Random, kind: Kind, rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return rows with a spelling each of the person they name."""
    return [{**row, "person": draw_spelling(dice, row["who"], kind)} if row["who"] else dict(row) for row in rows]


def contacts(dice: random.Random, kind: Kind) -> list[dict[str, str]]:
    """Return rows that name a person (``who``) in some spelling, some of them twice, and some that name nobody."""
    rows = [{"who": PERSONS[kind](number)} for number in range(dice.randint(1, 30))]
    for _ in range(dice.randint(0, 5)):
        rows.insert(dice.randint(0, len(rows)), dice.choice(({"who": "", "person": " "}, dice.choice(rows))))
    return spelled(dice, kind, rows)


@dataclass
class Campaign:
    """
    A delivery, and what happens to it.

    :param longest: steps after which a process is killed, or paused, at the latest.
    """

    world: World
    rows: list[dict[str, str]]
    send: FakeSend
    trouble: float
    concurrency: int
    troubled: bool
    remote: bool = False
    opted_out: Sequence[str] = ()
    kills: int = 0
    longest: int = 60

    @property
    def recipients(self) -> set[str]:
        """Who is to be sent to."""
        return {row["who"] for row in self.rows if row["who"]}.difference(self.opted_out)

    @property
    def dice(self) -> random.Random:
        return self.world.dice

    def run_try(self, process: Process, rows: list[dict[str, str]]) -> str:
        """
        Run one try, and return how it ends: refused (it sent nothing), failed, lost (outcomes are), nobody (can be sent
        to), or done.
        """
        store = Store(self.world, process)
        ledger = Ledger.open(self.ledger_store(process))
        try:
            ledger.begin()
        except LedgerError:
            return "refused"
        kind = RemoteRecords if self.remote else OutcomeRecords
        outcomes = kind(store, ledger.try_number, ledger.try_numbers)
        delivery = Delivery(
            send=self.send,
            reading=self.reading(),
            source=open_source(rows),
            ledger=ledger,
            outcomes=outcomes,
            senders=FakeSenders(self.world, process, self.send, self.trouble),
            batch_size=self.dice.randint(1, self.send.batch_limit),
            max_concurrency=self.concurrency,
            limits=Limits("skip"),
            history=self.history(process, ledger),
            clock=accumulate(iter(lambda: self.dice.uniform(0, 0.5 if self.remote else 0.04), None)).__next__,
        )
        try:
            receipt = delivery.deliver({"campaign": "c"})
        except LedgerError:
            return "failed" if delivery.begun else "refused"
        except (CallRefusedError, VendorUnavailableError, DeliveryError) as error:
            if "has outcomes of" in str(error):
                return "lost"
            if "no contact can be sent" in str(error):
                return "nobody"
            left = delivery.report_unsent()
            assert left["contacts"] <= len(rows), left
            return "failed"
        assert receipt["contacts"] == len(rows), receipt
        return "done"

    def ledger_store(self, process: Process) -> KeyStore:
        """Return where a process keeps the ledger."""
        return Store(self.world, process)

    def history(self, process: Process, ledger: Ledger) -> ContactHistory:
        """Return the history that a process keeps."""
        return NoHistory()

    def record_names(self) -> list[str]:
        """Return the keys of all that the ledger stored."""
        return [*self.world.values]

    def reading(self) -> Reading:
        reading = Reading(self.send)
        if not self.opted_out:
            return reading
        opted_out = [draw_spelling(self.dice, who, self.send.kind) for who in self.opted_out]
        return replace(reading, excluded=read_exclusions(open_source(opted_out, "exclude", plain=True), reading))

    def next_try(self) -> str:
        """Run a try that may be killed, and paused."""
        paused = self.troubled and self.dice.random() < 0.3
        process = Process(self.steps(), self.dice.randint(1, self.longest) if paused else -1, self.overtake)
        try:
            return self.run_try(process, self.rows)
        except Crash:
            self.kills += 1
            return "killed"

    def overtake(self) -> None:
        """Run another process while one is paused, which then wakes and continues."""
        self.kills += 1
        try:
            self.run_try(Process(self.steps()), self.rows)
        except Crash:
            self.kills += 1

    def steps(self) -> int:
        return self.dice.randint(0, self.longest) if self.dice.random() < 0.8 else -1

    def happen(self) -> str:
        """Let something happen between two tries, and return how the delivery stands."""
        match self.dice.choice(("nothing", "nothing", "shuffled", "spelled", "added", "outcomes lost", "key vanished")):
            case "shuffled":
                return self.replace_contacts(self.dice.sample(self.rows, len(self.rows)))
            case "spelled":
                return self.replace_contacts(spelled(self.dice, self.send.kind, self.rows))
            case "added":
                who = PERSONS[self.send.kind](100 + len(self.rows))
                self.rows += spelled(self.dice, self.send.kind, [{"who": who}])
            case "outcomes lost":
                for key in [key for key in self.world.values if key.startswith("outcomes-")]:
                    if self.dice.random() < 0.7:
                        del self.world.values[key]
            case "key vanished":
                return self.vanish()
        return "killed"

    def replace_contacts(self, others: list[dict[str, str]]) -> str:
        """Run a try with the same persons in another order or spelling: refused, unless nobody was reached so far."""
        state = self.run_try(Process(), others)
        if state != "refused":
            self.rows = others
        return state

    def vanish(self) -> str:
        """Take a record away, run a try, which is refused, and put the record back."""
        records = sorted(key for key in self.record_names() if key.startswith("try-"))
        if not records:
            return "killed"
        key, store = self.dice.choice(records), self.ledger_store(Process())
        value = store.get(key)
        store.delete(key)
        requests = len(self.world.requests)
        state = self.run_try(Process(), self.rows)
        if value["intended"] or value["settled"]:
            assert (state, len(self.world.requests)) == ("refused", requests)
        self.ledger_store(Process()).set(key, value)
        return state


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("troubled", [False, True])
def test_whatever_moment_a_process_dies_at_nobody_is_contacted_twice_and_nobody_is_lost(
    seed: int, troubled: bool
) -> None:
    dice = random.Random(f"{seed} {troubled}")
    kills = 0
    while kills < CRASH_POINTS // SEEDS // 2:
        kind = dice.choice(tuple(PERSONS))
        campaign = random_campaign(dice, kind, Campaign, troubled=troubled, remote=dice.random() < 0.5)
        run_to_its_end(campaign)
        kills += campaign.kills


def random_campaign(dice: random.Random, kind: Kind, make: Callable[..., C], **settings: Any) -> C:
    """Return a campaign for persons of one kind, with all that is random about it but for ``settings``."""
    return make(
        **{
            "world": World(dice),
            "rows": contacts(dice, kind),
            "send": FakeSend(dice.choice((1, 3, 10)), safe=dice.random() < 0.4, kind=kind),
            "opted_out": [PERSONS[kind](dice.randint(0, 30)) for _ in range(dice.choice((0, 0, 2)))],
            "trouble": dice.choice((0, 0, 0.3)),
            "concurrency": dice.choice((1, 2, 4)),
            **settings,
        }
    )


def run_to_its_end(campaign: Campaign) -> None:
    tries, state = 0, ""
    while state not in ENDS:
        tries += 1
        assert tries < 500
        state = campaign.happen() if campaign.troubled else ""
        if state not in ENDS:
            state = campaign.next_try()
    if state == "nobody":
        assert not campaign.recipients
        assert not campaign.world.requests
    else:
        check(campaign, lost=state == "lost")


def outcomes_of(campaign: Campaign) -> list[Outcome]:
    ledger = Ledger.open(campaign.ledger_store(Process()))
    store = Store(campaign.world, Process())
    return list(OutcomeRecords(store, ledger.try_number, range(1, ledger.try_number)).read())


def check(campaign: Campaign, *, lost: bool) -> None:
    world, rows, safe = campaign.world, campaign.rows, bool(campaign.send.safe_to_resend)
    assert max(world.received.values(), default=1) == 1
    lines = outcomes_of(campaign)
    if lost:
        assert campaign.troubled
        assert len(lines) < len(rows)
        return
    assert [line["row"] for line in lines] == list(range(1, len(rows) + 1))
    status = {line["row"]: line["status"] for line in lines}
    for number, row in enumerate(rows, 1):
        if not row["who"]:
            assert status[number] == "invalid"
        elif row["who"] in campaign.opted_out:
            first = next(earlier for earlier, other in enumerate(rows, 1) if other["who"] == row["who"])
            assert status[number] == ("invalid" if number == first else "duplicate")
        elif status[number] == "accepted":
            assert world.received[row["who"]] == 1
        elif status[number] == "rejected":
            assert world.received[row["who"]] == 0 or safe
        else:
            # A row of a batch that was in flight at a crash or cut off, or a repeat of a row before it.
            assert status[number] in {"unknown", "duplicate"}
    unknown = sum(1 for value in status.values() if value == "unknown")
    if safe:
        assert unknown == 0
    elif not campaign.trouble:
        assert unknown <= campaign.kills * AHEAD * campaign.concurrency * campaign.send.batch_limit
    # A process that was overtaken may have had the answer that its successor's request came first.
    dealt_with = {"accepted", "unknown", "rejected", *(["duplicate"] if safe and campaign.troubled else [])}
    reported = {row["who"] for number, row in enumerate(rows, 1) if status[number] in dealt_with}
    assert reported.difference(campaign.opted_out) == campaign.recipients
    assert world.received.keys().isdisjoint(campaign.opted_out)
