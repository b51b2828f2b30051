"""
Random crash points: whatever moment a try dies at, nobody is contacted twice, nobody is lost.

A world with a vendor, a store and outcomes counts its steps and stops dead at a chosen one, as after SIGKILL: from then
on nothing in it works, until the next try. What the vendor received before stays received.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, deque
from itertools import accumulate

import pytest

from airflow_provider_campaigns.delivery.plan.batches import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeRecords
from airflow_provider_campaigns.delivery.run.engine import AHEAD, Delivery
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import Answer
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, Send

# `make soak` sets more.
CRASH_POINTS = int(os.environ.get("CRASH_POINTS", "2000"))


class Crash(BaseException):
    """The process was killed."""


class World:
    """Everything that outlives a process, and the vendor."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.values: dict[str, str] = {}
        self.received: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.left = -1
        self.dead = False

    def live(self, steps: int) -> None:
        """Let a process run that will be killed after so many steps (-1: never)."""
        self.left, self.dead = steps, False

    def step(self) -> None:
        """Anything that happens; also the last thing that happens."""
        if self.dead or self.left == 0:
            self.dead = True
            raise Crash
        self.left -= 1


class Store:
    fenced = True

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, key: str):
        self.world.step()
        return json.loads(self.world.values.get(key, "null"))

    def set(self, key: str, value) -> None:
        self.world.step()
        self.world.values[key] = json.dumps(value)
        self.world.step()


class FakeSend(Send):
    vendor = "fake"
    campaign = "c"
    required = (("id",),)
    batch_limit = 1
    safe_to_resend = ""

    def __init__(self, batch_limit: int, safe: bool) -> None:
        self.batch_limit = batch_limit
        self.safe_to_resend = "the vendor checks" if safe else ""

    def contact(self, fields):
        if "bad" in fields:
            raise InvalidContactError("id", "an id", fields["bad"])
        return Contact(fields["id"], dict(fields))

    def request(self, contacts, *, resent=False):
        raise NotImplementedError("FakeSenders answers in place of the vendor")


class FakeSenders:
    """Answers in random order, with what can happen on the way to a vendor and back."""

    def __init__(self, world: World, send: FakeSend, trouble: float) -> None:
        self.world, self.send, self.trouble = world, send, trouble
        self.waiting: deque = deque()
        self.stopped = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, *tickets) -> None:
        self.waiting.extend(tickets)

    def stop(self) -> None:
        self.stopped = True

    def abandon(self) -> None:
        return None

    def collect(self, timeout, least=1):
        dice = self.world.dice
        tickets = list(self.waiting)
        dice.shuffle(tickets)
        chosen = tickets[: dice.randint(1, len(tickets))]
        for ticket in chosen:
            self.waiting.remove(ticket)
        return [self.answer(ticket) for ticket in chosen]

    def answer(self, ticket) -> Answer:  # noqa: PLR0911 - one per thing that can happen
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
        world.step()
        keys = [contact.key for _, contact in ticket.contacts]
        if trouble == "reject":
            return Answer(ticket, error=RequestRejectedError("fake", "bad"))
        world.requests.append(keys)
        there = [key for key in keys if world.received[key]]
        if self.send.safe_to_resend:
            world.received.update(key for key in keys if not world.received[key])
        else:
            world.received.update(keys)
        world.step()
        if trouble == "drop":
            return Answer(ticket, error=OutcomeUnknownError("fake", "cut"))
        status = "accepted" if ticket.resent else "duplicate"
        return Answer(ticket, [ContactReply(status if key in there else "accepted") for key in keys])


def contacts(dice: random.Random) -> list[dict]:
    rows = [{"id": str(number)} for number in range(dice.randint(1, 30))]
    for _ in range(dice.randint(0, 5)):
        rows.insert(dice.randint(0, len(rows)), dice.choice(({"bad": "x"}, dict(dice.choice(rows)))))
    return rows


def one_try(world: World, number: int, rows: list[dict], send: FakeSend, plan: dict) -> Counter | None:
    """Run one try; return the counts of a complete delivery, None when it failed and may be retried."""
    store = Store(world)
    ledger = Ledger(store, number)
    ledger.begin()
    outcomes = OutcomeRecords(store, ledger.try_number, ledger.try_numbers)
    if ledger.receipt:
        return Counter(line["status"] for line in outcomes.read())
    delivery = Delivery(
        send=send,
        reading=Reading(send),
        source=open_source(rows),
        ledger=ledger,
        outcomes=outcomes,
        senders=FakeSenders(world, send, plan["trouble"]),
        batch_size=world.dice.randint(1, send.batch_limit),
        max_concurrency=plan["concurrency"],
        limits=Limits("skip"),
        clock=accumulate(iter(lambda: world.dice.uniform(0, 0.04), None)).__next__,
    )
    try:
        receipt = delivery.deliver({"campaign": "c"})
    except (DeliveryError, CallRefusedError, VendorUnavailableError):
        left = delivery.leave()
        assert left["contacts"] == len(rows)
        return None
    assert receipt["contacts"] == len(rows), receipt
    return Counter({status: receipt[status] for status in receipt if status != "contacts"})


@pytest.mark.slow
@pytest.mark.no_cover  # other tests take the same lines
@pytest.mark.parametrize("seed", range(20))
def test_whatever_moment_a_process_dies_at_nobody_is_contacted_twice_and_nobody_is_lost(seed):
    dice = random.Random(seed)
    crashes = 0
    while crashes < CRASH_POINTS // 20:
        world = World(dice)
        rows = contacts(dice)
        send = FakeSend(dice.choice((1, 3, 10)), safe=dice.random() < 0.4)
        plan = {"trouble": dice.choice((0, 0, 0.3)), "concurrency": dice.choice((1, 2, 4))}
        before = crashes
        done = None
        number = 0
        while done is None:
            number += 1
            assert number < 500
            world.live(dice.randint(0, 60) if dice.random() < 0.8 else -1)
            try:
                done = one_try(world, number, rows, send, plan)
            except Crash:
                crashes += 1
        world.live(-1)
        check(world, rows, send, plan, tries=number, kills=crashes - before)


def check(world: World, rows: list[dict], send: FakeSend, plan: dict, *, tries: int, kills: int) -> None:
    store = Store(world)
    ledger = Ledger(store, tries + 1)
    told = list(OutcomeRecords(store, ledger.try_number, ledger.try_numbers).read())
    assert [line["row"] for line in told] == list(range(1, len(rows) + 1))
    assert max(world.received.values(), default=1) == 1
    status = {line["row"]: line["status"] for line in told}
    for number, row in enumerate(rows, 1):
        if "bad" in row:
            assert status[number] == "invalid"
        elif status[number] == "accepted":
            assert world.received[row["id"]] == 1
        elif status[number] == "rejected":
            assert world.received[row["id"]] == 0 or send.safe_to_resend
        else:
            # A row of a batch that was in flight at a crash or cut off, or a repeat of a row before it.
            assert status[number] in {"unknown", "duplicate"}
    assert "unsent" not in status.values()
    unknown = sum(1 for value in status.values() if value == "unknown")
    if send.safe_to_resend:
        assert unknown == 0
    elif not plan["trouble"]:
        assert unknown <= kills * AHEAD * plan["concurrency"] * send.batch_limit
    firsts = {row["id"] for row in rows if "bad" not in row}
    sent_or_unknown = {
        row["id"]
        for number, row in enumerate(rows, 1)
        if status[number] in {"accepted", "unknown", "rejected"} and "bad" not in row
    }
    assert sent_or_unknown == firsts
