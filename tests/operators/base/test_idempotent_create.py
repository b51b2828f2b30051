"""Creating once: at most one thing, wherever a try ends."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import InputError, LedgerError, OutcomeUnknownError, RequestRejectedError
from airflow_provider_campaigns.operators.base import idempotent_create
from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
from airflow_provider_campaigns.operators.base.idempotent_create import (
    CLOCK_SKEW,
    IdempotentCreate,
    lookup_delays,
    task_digest,
)
from airflow_provider_campaigns.state.cleared import Clearing

NAME = "Spring 0a1b2c3d"


class CrashError(BaseException):
    """The process is gone."""


@dataclass
class World:
    """
    A store and a vendor that outlive a try.

    :param crash_at: the how-manieth step the process does not survive; each step may be done, or not, before it ends.
    :param answers: what becomes of the requests that create: created (None), or created and then this.
    """

    crash_at: float = float("inf")
    done_before_crash: bool = True
    answers: list[Exception | None] = field(default_factory=list)
    things: list[dict[str, Any]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    steps: int = 0

    def _step(self, do: Any) -> Any:
        self.steps += 1
        if self.steps == self.crash_at:
            if self.done_before_crash:
                do()
            raise CrashError
        return do()

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self._step(lambda: self.values.__setitem__(key, json.dumps(value)))

    def delete(self, key: str) -> None:
        self._step(lambda: self.values.pop(key, None))

    def create(self, name: str) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            answer = self.answers.pop(0) if self.answers else None
            if not isinstance(answer, RequestRejectedError):
                self.things.append({"id": f"id-{len(self.things)}", "name": name})
            if answer:
                raise answer
            return self.things[-1]

        thing: dict[str, Any] = self._step(do)
        return thing

    def find(self, name: str) -> list[dict[str, Any]]:
        things = reversed(self.things)
        found: list[dict[str, Any]] = self._step(lambda: [thing for thing in things if thing["name"] == name])
        return found

    def attempt(self, *, cleared: bool = False, start_again: bool = False, max_tries: int = 0) -> dict[str, Any]:
        thing, _ = self.creation().run(lambda _: NAME, Clearing(cleared or start_again, start_again, max_tries))
        return thing

    def creation(self) -> IdempotentCreate:
        return IdempotentCreate(
            noun="campaign",
            store=self,
            prepare=lambda name, record: lambda: self.create(name),
            get=lambda identifier: next(thing for thing in self.things if thing["id"] == identifier),
            find=self.find,
            timeout=30,
        )

    def record(self) -> dict[str, Any]:
        """What the tries know by now."""
        return CreationRecord(self, "campaign").values


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(idempotent_create, "sleep", waited.append)
    return waited


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("exotel", "time-out")


def intended() -> dict[str, str]:
    """What an earlier try stored that ended while it created."""
    world = World()
    record = CreationRecord(world, "campaign")
    record.claim()
    record.intend(intended=NAME)
    return world.values


@pytest.mark.parametrize("done_before_crash", [True, False])
@pytest.mark.parametrize("answers", [[], [lost()]])
@pytest.mark.parametrize("crash_at", range(1, 11))
def test_at_most_one_wherever_the_first_try_crashes(
    crash_at: int, done_before_crash: bool, answers: list[Exception | None]
) -> None:
    world = World(crash_at, done_before_crash, list(answers))
    results: list[Any] = []
    for _ in range(3):
        try:
            results.append(world.attempt())
        except (CrashError, AirflowFailException) as error:
            results.append(error)
    assert len(world.things) <= 1
    if world.things:
        assert results[-1] == world.things[0]
    else:
        assert isinstance(results[-1], AirflowFailException)
        assert (world.record()["intended"], world.record().get("id")) == (NAME, None)


def test_without_a_crash_there_is_one_and_a_later_try_gets_it() -> None:
    world = World()
    assert world.attempt() == world.attempt(cleared=True) == {"id": "id-0", "name": NAME}
    assert world.record()["id"] == "id-0"


def test_a_try_that_finds_the_id_writes_nothing() -> None:
    world = World()
    world.attempt()
    before = dict(world.values)
    world.attempt()
    assert world.values == before


def test_the_newest_of_several_of_the_name_is_taken() -> None:
    world = World(things=[{"id": "old", "name": NAME}], answers=[lost()])
    assert world.attempt()["id"] == "id-1"


def test_one_that_turns_up_late_is_taken(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    world = World(values=intended())

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 4:
            world.things.append({"id": "late", "name": NAME})

    monkeypatch.setattr(idempotent_create, "sleep", wait)
    assert world.attempt()["id"] == "late"
    assert waits == lookup_delays(30)
    # Twice the time-out for the request, and a minute for the list.
    assert sum(waits) == 120


def test_a_refusal_leaves_no_intent() -> None:
    world = World(answers=[RequestRejectedError("exotel", "bad number")])
    with pytest.raises(RequestRejectedError):
        world.attempt()
    assert not world.record()["intended"]
    assert world.attempt()["id"] == "id-0"


# -- what was there before


def test_one_that_was_there_before_the_intent_is_never_taken() -> None:
    """A run that was deleted left it."""
    old = {"id": "old", "name": NAME}
    world = World(things=[old], answers=[RequestRejectedError("exotel", "no"), lost()])
    with pytest.raises(RequestRejectedError):
        world.attempt()
    assert world.attempt()["id"] == "id-1"

    world = World(things=[old], crash_at=8, done_before_crash=False)
    for error in (CrashError, AirflowFailException, AirflowFailException):
        with pytest.raises(error):
            world.attempt()
    assert world.things == [old]


@pytest.mark.parametrize(("seconds", "taken"), [(-CLOCK_SKEW - 10, False), (-CLOCK_SKEW + 10, True), (5, True)])
def test_one_that_turns_up_after_the_intent_is_taken_unless_it_is_older(seconds: float, taken: bool) -> None:
    world = World(answers=[lost()])
    create = replace(world.creation(), created_at=lambda _: datetime.fromtimestamp(time.time() + seconds, UTC))
    with nullcontext() if taken else pytest.raises(AirflowFailException, match="the vendor lists none of that name"):
        assert create.run(lambda _: NAME, Clearing(False, False, 0))[0]["id"] == "id-0"


# -- for whom it was made


def made_for(world: World, recipients: str, try_number: int) -> IdempotentCreate:
    def read() -> str:
        if recipients == "unreadable":
            raise InputError("contacts", "a file that can be read", "none")
        return recipients

    return replace(world.creation(), made_for=read, try_number=try_number)


@pytest.mark.parametrize("ended", ["with the id", "with the intent"])
@pytest.mark.parametrize(
    ("recipients", "try_number", "cleared", "error"),
    [
        ("those", 2, True, None),
        ("others", 1, False, None),  # a poll of the same try
        ("others", 2, False, AirflowFailException),
        ("others", 2, True, AirflowFailException),
        ("unreadable", 2, False, None),
        ("unreadable", 2, True, InputError),
    ],
)
def test_it_is_returned_for_its_recipients_only(
    ended: str, recipients: str, try_number: int, cleared: bool, error: type[Exception] | None
) -> None:
    world = World(crash_at=float("inf") if ended == "with the id" else 8)
    with nullcontext() if ended == "with the id" else pytest.raises(CrashError):
        made_for(world, "those", 1).run(lambda _: NAME, Clearing(False, False, 0))
    again = made_for(world, recipients, try_number)
    with pytest.raises(error) if error else nullcontext():
        assert again.run(lambda _: NAME, Clearing(cleared, False, int(cleared)))[0]["id"] == "id-0"
    assert len(world.things) == 1


# -- damage


@pytest.mark.parametrize("key", ["campaign-latest", "campaign-1", "campaign-2"])
@pytest.mark.parametrize("value", ["null", "0", "[]", '{"id": "id-9"}', '{"number": 2, "check": ""}', "1e30", '"x"'])
def test_a_damaged_record_creates_nothing(key: str, value: str) -> None:
    world = World(answers=[RequestRejectedError("exotel", "no")])
    with suppress(RequestRejectedError):
        world.attempt()
    world.attempt()
    world.values[key] = value
    with suppress(LedgerError):
        assert world.attempt()["id"] == "id-0"
    assert len(world.things) == 1


# -- cleared


def test_a_cleared_task_without_a_record_adopts_what_is_there() -> None:
    world = World(things=[{"id": "old", "name": NAME}])
    assert world.attempt(cleared=True)["id"] == "old"


@pytest.mark.parametrize("values", [{}, intended()])
def test_a_cleared_task_of_which_nobody_knows_says_how_to_create_again(values: dict[str, str]) -> None:
    world = World(values=values)
    with pytest.raises(AirflowFailException, match="clear this task with on_cleared='resend' to create it"):
        world.attempt(cleared=True)
    assert world.things == []


@pytest.mark.parametrize("values", [{}, intended()])
def test_cleared_to_start_again_it_creates_one_and_its_retries_return_that(values: dict[str, str]) -> None:
    world = World(values=values)
    assert world.attempt(start_again=True, max_tries=3)["id"] == "id-0"
    assert world.attempt(start_again=True, max_tries=3)["id"] == "id-0"
    assert len(world.things) == 1


def test_retries_that_were_lowered_do_not_poll_like_a_task_that_was_cleared() -> None:
    """``again`` is reported of every try that Airflow allows beyond the operator's retries."""
    world = World()
    world.attempt(max_tries=3)
    assert world.attempt(start_again=True, max_tries=3)["id"] == "id-0"
    assert world.attempt(start_again=True, max_tries=4)["id"] == "id-1"


def test_cleared_to_start_again_after_a_success_it_creates_another_which_counts_from_then_on() -> None:
    world = World()
    world.attempt()
    assert world.attempt(start_again=True, max_tries=3)["id"] == "id-1"
    assert world.attempt(cleared=True)["id"] == "id-1"
    assert world.attempt(start_again=True, max_tries=6)["id"] == "id-2"


@pytest.mark.parametrize("crash_at", range(1, 12))
def test_at_most_one_more_wherever_a_try_that_starts_again_crashes(crash_at: int) -> None:
    world = World(crash_at, values=intended())
    for _ in range(2):
        with suppress(CrashError, AirflowFailException):
            world.attempt(start_again=True, max_tries=3)
    assert len(world.things) == (0 if world.record().get("intended") and not world.record().get("id") else 1)


# -- a try that still runs when its successor begins


class TwoTries(World):
    """
    Two processes of a task, in turns: the first stops, the second begins, the first ends.

    The second is the successor of a try that was marked failed and cleared, or the same try, started twice.

    :param first_stops_at: its how-manieth step, reads of the store included, the first try does not take yet.
    :param second_stops_at: before which step of the second try the first continues to its end.
    """

    def __init__(self, first_stops_at: int, second_stops_at: int, *, cleared: bool) -> None:
        super().__init__()
        self.cleared = cleared
        self.stops = {"first": first_stops_at, "second": second_stops_at}
        self.taken = Counter[str]()
        self.first = Thread(target=self.try_it, name="first")
        self.first_stopped, self.first_continues = Event(), Event()

    def run(self) -> None:
        self.first.start()
        self.first_stopped.wait(10)
        second = Thread(target=self.try_it, name="second")
        second.start()
        second.join(10)
        self.first_continues.set()
        self.first.join(10)

    def try_it(self) -> None:
        cleared = self.cleared and current_thread().name == "second"
        with suppress(LedgerError, AirflowFailException):
            self.attempt(cleared=cleared)
        self.first_stopped.set()

    def get(self, key: str) -> Any:
        self.take_turns()
        return super().get(key)

    def _step(self, do: Any) -> Any:
        self.take_turns()
        return super()._step(do)

    def take_turns(self) -> None:
        name = current_thread().name
        self.taken[name] += 1
        if self.taken[name] != self.stops.get(name):
            return
        if name == "first":
            self.first_stopped.set()
            self.first_continues.wait(10)
        else:
            self.first_continues.set()
            self.first.join(10)


STEPS = 24


@pytest.mark.parametrize("cleared", [True, False])
@pytest.mark.parametrize("first_stops_at", range(1, STEPS))
def test_two_processes_at_a_time_create_one(first_stops_at: int, cleared: bool) -> None:
    for second_stops_at in range(1, STEPS):
        world = TwoTries(first_stops_at, second_stops_at, cleared=cleared)
        world.run()
        assert len(world.things) <= 1, second_stops_at
        if world.things:
            assert world.attempt(cleared=True) == world.things[0]


# -- names


@dataclass
class TaskInstance:
    dag_id: str = "calls"
    run_id: str = "manual"
    task_id: str = "call"
    map_index: int = -1
    try_number: int = 1


def test_a_digest_stands_for_the_task_instance_and_the_recipients_whatever_its_try() -> None:
    digests = [
        task_digest(TaskInstance()),
        task_digest(TaskInstance(map_index=1)),
        task_digest(TaskInstance(run_id="another")),
        # Two that would be one if the parts were merely joined.
        task_digest(TaskInstance(dag_id="calls/manual", run_id="call")),
        task_digest(TaskInstance(), 3),
        task_digest(TaskInstance(), 6),
        task_digest(TaskInstance(), 0, "others"),
        task_digest(None),
        task_digest(None),
    ]
    assert len(set(digests)) == len(digests)
    assert all(re.fullmatch("[0-9a-f]{8}", one) for one in digests)
    assert task_digest(TaskInstance(try_number=2)) == digests[0]
    assert task_digest(TaskInstance(try_number=4), 3) == digests[4]
