"""
Outcomes that the ledger holds until a part in object storage is due: what it costs, and what a crash does to them.

Feared: a part for each contact; an outcome that is held, and a part that has an older one, or the same; outcomes that
are held for good; recipients in Airflow's database.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.held import MOST_CHARACTERS, MOST_HELD, pack, unpack
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.try_record import TryRecord
from airflow_provider_campaigns.delivery.run.senders import Answer
from airflow_provider_campaigns.delivery.run.write_buffer import BETWEEN_PARTS
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.protocol.messages import NoReplyError
from tests.delivery.tries import ends
from tests.delivery.world import Crash, Plan, World, WorldSenders, new_try, phones, run_try


class Requests(Counter[str]):
    """How often parts were written to, and files read from, an object storage."""

    @property
    def puts(self) -> int:
        return self["wb"]

    @property
    def gets(self) -> int:
        return self["rb"]


@pytest.fixture
def requests(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Requests:
    """The requests to the bucket; in real object storage each part is one, since it is small."""
    found = Requests()
    opened = MemoryFileSystem._open

    def counted(self: MemoryFileSystem, path: str, mode: str = "rb", **options: Any) -> Any:
        if "part-" in path:
            found[mode] += 1
        return opened(self, path, mode=mode, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(MemoryFileSystem, "_open", counted)
    assert isinstance(locate(bucket), ObjectStoragePath)
    assert fsspec.filesystem("memory").store == {}
    return found


class PacedSenders(WorldSenders):
    """
    Senders whose vendor answers at a pace.

    :param seconds: between two rounds.
    """

    def __init__(self, world: World, send: Any, concurrency: int, seconds: float) -> None:
        super().__init__(world, send, concurrency)
        self.now = 0.0
        self._seconds = seconds

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        self.now += self._seconds
        return super().collect(timeout, least)


def deliver_paced(world: World, plan: Plan, seconds: float, concurrency: int = 1) -> PacedSenders:
    """Deliver at a pace, and return the senders, whose clock says how long it took."""
    delivery = new_try(world, plan)
    senders = PacedSenders(world, delivery.send, concurrency, seconds)
    delivery.senders, delivery.clock = senders, lambda: senders.now
    delivery.deliver(plan.header)
    return senders


@pytest.mark.slow
@pytest.mark.parametrize(
    ("contacts", "seconds", "concurrency"),
    [
        pytest.param(2_000, 0.6, 1, id="100 a minute"),
        pytest.param(3_000, 0.1, 1, id="600 a minute"),
        pytest.param(5_000, 0.05, 16, id="as fast as the vendor answers"),
        pytest.param(5_000, 0.0, 16, id="in no time"),
    ],
)
def test_a_part_is_written_every_five_seconds_or_thousand_contacts(
    bucket: str, requests: Requests, contacts: int, seconds: float, concurrency: int
) -> None:
    plan = Plan(phones(contacts), ObjectStoragePath(bucket), True, batch_size=1, max_concurrency=concurrency)
    senders = deliver_paced(World(), plan, seconds, concurrency)

    assert requests.puts <= senders.now / BETWEEN_PARTS + contacts / MOST_HELD + 1
    assert requests.puts >= contacts / MOST_HELD
    requests.clear()
    assert [line["row"] for line in read_outcomes(bucket)] == list(range(1, contacts + 1))
    assert requests.gets <= contacts / 1_000 + 1


@pytest.mark.slow
def test_ten_thousand_outcomes_of_several_tries_are_read_in_twenty_requests(bucket: str, requests: Requests) -> None:
    world = World()
    plan = Plan(phones(10_000), ObjectStoragePath(bucket), True, batch_size=100, max_concurrency=2, on_unknown="skip")
    for step in (30, 60, 90):
        with suppress(Crash):
            run_try(world, plan, crash_at=step)
    run_try(world, plan)
    requests.clear()

    lines = list(read_outcomes(bucket))

    assert [line["row"] for line in lines] == list(range(1, 10_001))
    assert {line["status"] for line in lines} == {"accepted", "unknown"}
    assert requests.gets <= 20


def test_outcomes_can_be_read_while_they_are_written(bucket: str, requests: Requests) -> None:
    world = World()
    seen: list[int] = []

    def watched(number: int, keys: list[str]) -> Any:
        if number % 100 == 0:
            seen.append(sum(1 for _ in OutcomeFolder(locate(bucket)).read()))
        return world.accept(keys)

    world.answer = watched
    deliver_paced(world, Plan(phones(1_000), ObjectStoragePath(bucket), True, batch_size=1, max_concurrency=1), 0.6)

    # Those of the last five seconds are not there yet.
    assert all(number * 100 - 12 <= found < number * 100 for number, found in enumerate(seen, 1)), seen


# -- what is held


def line(row: int, **values: Any) -> Outcome:
    empty = {"key": None, "status": "accepted", "reason": None, "vendor_id": None, "url": None, "message": None}
    return {"row": row, **empty, **values}  # type: ignore[typeddict-item]


def test_what_is_held_is_short_and_has_no_recipients() -> None:
    lines = [line(row, key=f"+44770090{row:04}", vendor_id=f"{hash(str(row)) % 2**64:016x}") for row in range(1_000)]

    text = pack(lines)

    assert list(unpack(text)) == [{**one, "key": None} for one in lines]
    assert len(text) <= MOST_CHARACTERS


def test_of_long_outcomes_fewer_are_held(bucket: str, requests: Requests) -> None:
    world = World()
    words = iter(range(10**9))

    def refuse(number: int, keys: list[str]) -> Any:
        world.accept(keys)
        return NoReplyError("".join(f"{hash(str(next(words))):x}" for _ in range(50)))

    world.answer = refuse
    plan = Plan(phones(300), ObjectStoragePath(bucket), True, batch_size=1, max_concurrency=400, on_unknown="skip")
    for step in count(50, 50):
        with suppress(Crash):
            run_try(world, plan, crash_at=step)
        records = [json.loads(value) for key, value in world.values.items() if key.startswith("try-")]
        assert all(sum(map(len, record["held"])) <= MOST_CHARACTERS for record in records)
        if step > 400:
            break


def test_the_ledger_has_no_recipients_and_in_the_end_no_outcomes(tmp_path: Path) -> None:
    world = World()
    held: list[int] = []

    def watched(number: int, keys: list[str]) -> Any:
        held.append(len(json.loads(world.values["try-1"])["held"]))
        return world.accept(keys)

    world.answer = watched
    _, outcomes = run_try(world, Plan(phones(20), tmp_path, True, batch_size=1))

    assert max(held) > 1
    assert json.loads(world.values["try-1"])["held"] == []
    assert ends(outcomes) == ["accepted"] * 20
    assert not any(phone in value for phone in phones(20) for value in world.values.values())


def test_what_was_held_when_a_process_died_has_its_outcome_and_key(tmp_path: Path) -> None:
    world = World()
    world.answer = lambda number, keys: world.accept_and_die(number, keys) if number == 5 else world.accept(keys)
    plan = Plan(phones(8), tmp_path, True, batch_size=1, max_concurrency=1, on_unknown="skip")
    with suppress(Crash):
        run_try(world, plan)
    assert list(OutcomeFolder(tmp_path).read()) == []
    world.answer = None

    receipt, outcomes = run_try(world, plan)

    assert [one["key"] for one in outcomes] == phones(8)
    assert ends(outcomes) == [*["accepted"] * 4, *["unknown"] * 2, *["accepted"] * 2]
    assert (receipt["accepted"], receipt["unknown"]) == (6, 2)


def settled(world: World) -> set[str]:
    """Return who is known to be accepted, by the ledger."""
    accepted: set[int] = set()
    for number in range(1, 10):
        if value := world.values.get(f"try-{number}"):
            record = TryRecord.load(number, json.loads(value))
            rows = {row for first, last in record.settled for row in range(first, last + 1)}
            accepted = (accepted - rows) | {row for row in rows if record.ended.status_of(row) == "accepted"}
    return {f"+447700{900000 + row - 1}" for row in accepted}


def requested(requests: Sequence[Sequence[str]]) -> set[str]:
    return {phone for keys in requests for phone in keys}


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("first", range(1, 40, 3))
def test_what_was_sent_again_keeps_its_later_outcome_whatever_step_a_process_is_killed_at(
    tmp_path: Path, first: int
) -> None:
    for second in count(1):
        world = World(answer=lambda number, keys: NoReplyError("lost"))
        plan = Plan(phones(4), tmp_path / str(second), True, batch_size=1, max_concurrency=9, on_unknown="skip")
        with suppress(Crash):
            run_try(world, plan, crash_at=first)
        world.answer, crashes = None, world.crashes
        with suppress(Crash):
            run_try(world, plan.changed(on_unknown="resend"), crash_at=second)
        known, before, crashed = settled(world), len(world.requests), world.crashes > crashes

        _, outcomes = run_try(world, plan.changed(on_unknown="resend"))

        assert ends(outcomes) == ["accepted"] * 4
        assert not known & requested(world.requests[before:]), "who is known to be reached is not sent to again"
        if not crashed:
            return
