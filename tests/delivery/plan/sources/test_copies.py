"""
A query is run once: all tries read the copy of its result, whatever the database would say the next time.

=========================================  ==========================================================
a try is killed …                          the next one …
=========================================  ==========================================================
in the middle of the copy                  runs the query: the copy is not there, or not in the ledger
after the copy, before anything is stored  runs the query: nobody was contacted from it
after the first intents are stored         reads the copy
in the middle of the delivery              reads the copy
=========================================  ==========================================================
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.sources import Row
from airflow_provider_campaigns.delivery.plan.sources.copies import (
    ROWS_IN_VALUE,
    Copies,
    CopyFolder,
    CopyRecords,
    copied,
)
from airflow_provider_campaigns.delivery.plan.sources.query import Query
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.recovery import Description
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, LedgerError
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import HEADER, Crash, Plan, World, new_try, phones

Result = tuple[Receipt, list[Outcome]]
MakeCopies = Callable[[World], Copies]

MOST = 500
SQL = "SELECT phone FROM people"


class Database:
    """A database that never answers twice the same: rows vanish, others appear, the order changes."""

    def __init__(self, world: World, rows: list[Any] | None = None, seed: int = 1) -> None:
        self.world = world
        self.rows = rows
        self.dice = random.Random(seed)
        self.runs = 0
        self.description = [("phone",)]

    @contextmanager
    def connect(self) -> Iterator[Any]:
        yield self

    def cursor(self) -> Any:
        return self

    def execute(self, sql: str) -> None:
        self.world.step()
        self.runs += 1
        rows = phones(8) if self.rows is None else self.rows
        self.left = iter([(phone,) for phone in self.dice.sample(rows, len(rows) - (self.rows is None))])

    def fetchmany(self, size: int) -> list[Any]:
        self.world.step()
        return list(islice(self.left, 3))

    def close(self) -> None:
        """Nothing is open."""

    def query(self, sql: str = SQL) -> Query:
        return Query(sql, self.connect)


def phones_in(source: Any) -> list[str]:
    return [row.fields["phone"] for row in source.read()]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def database(world: World) -> Database:
    return Database(world)


@pytest.fixture(params=["folder", "bucket", "store"])
def make_copies(request: pytest.FixtureRequest, tmp_path: Path) -> MakeCopies:
    """Return a function that returns the place of the copies, as it is seen by a new process."""
    if request.param == "store":
        return lambda world: CopyRecords(world, MOST)
    folder = tmp_path if request.param == "folder" else locate(request.getfixturevalue("bucket"))
    return lambda world: CopyFolder(folder)


# -- a copy


def test_a_copy_is_read_as_often_as_needed(world: World, make_copies: MakeCopies) -> None:
    rows = [f"+44770090{number:04}" for number in range(2 * ROWS_IN_VALUE + 1)]

    source = make_copies(world).make(Database(world, rows).query(), 3)

    assert source.name == "sql"
    assert sorted(phones_in(source)) == rows
    assert phones_in(source) == phones_in(source)
    assert [row.number for row in source.read()] == list(range(1, len(rows) + 1))
    assert list(make_copies(world).read(3)) == list(source.read())


def test_a_row_that_json_cannot_hold_is_invalid_in_the_copy(world: World, make_copies: MakeCopies) -> None:
    source = make_copies(world).make(Database(world, [b"\xff"]).query())

    assert list(source.read()) == [Row(1, {}, "column 'phone': a value of type bytes that JSON cannot hold")]


def test_a_copy_of_nothing_is_empty(world: World, make_copies: MakeCopies) -> None:
    assert list(make_copies(world).make(Database(world, []).query()).read()) == []


def test_a_copy_that_was_not_made_is_not_there(world: World, make_copies: MakeCopies, database: Database) -> None:
    copies = make_copies(world)

    assert not copies.has(1)
    copies.make(database.query())
    assert copies.has(1)
    assert not copies.has(2)


def test_a_copy_in_a_folder_is_json_lines_beside_the_outcomes(tmp_path: Path, database: Database) -> None:
    CopyFolder(tmp_path).make(database.query(), 2)

    lines = (tmp_path / "contacts" / "contacts-002.jsonl").read_text().splitlines()

    assert len(lines) == 7
    assert set(map(tuple, map(json.loads, lines))) == {("phone",)}


def test_a_folder_keeps_no_copy_that_nothing_was_sent_from(tmp_path: Path, database: Database) -> None:
    for number in (1, 2, 4):
        CopyFolder(tmp_path).make(database.query(), number)

    assert [path.name for path in (tmp_path / "contacts").iterdir()] == ["contacts-004.jsonl"]


def test_a_folder_that_cannot_be_written_to_is_reported(database: Database) -> None:
    with pytest.raises(InputError, match="outcomes_path: expected a folder, path or URL, that can be written to"):
        CopyFolder(Path("/proc/nowhere")).make(database.query())


def test_without_a_folder_a_copy_is_small(world: World) -> None:
    assert len(phones_in(CopyRecords(world, 7).make(Database(world).query()))) == 7

    with pytest.raises(InputError, match="outcomes_path: expected a folder for more than 6 contacts, got more"):
        CopyRecords(world, 6).make(Database(world).query())


def test_without_a_folder_a_copy_is_read_before_its_first_row_is_sent(world: World) -> None:
    rows = [f"+44770090{number:04}" for number in range(2 * ROWS_IN_VALUE + 1)]
    source = CopyRecords(world, MOST).make(Database(world, rows).query())
    reading = source.read()
    next(reading)

    world.values.clear()

    assert len(list(reading)) == len(rows) - 1


@pytest.mark.parametrize("lost", range(4))
def test_a_copy_of_which_a_part_is_gone_is_no_shorter_copy(world: World, lost: int) -> None:
    rows = [f"+44770090{number:04}" for number in range(2 * ROWS_IN_VALUE + 1)]
    source = CopyRecords(world, MOST).make(Database(world, rows).query())
    assert len(world.values) == 4

    del world.values[f"contacts-1-{lost}"]

    with pytest.raises(LedgerError, match=f"contacts-1-{lost} is missing"):
        list(source.read())


# -- tries


@dataclass
class Campaign:
    """
    A delivery whose contacts are a query's, over all its tries.

    :param make_copies: returns the place of its copies, as a new process sees it.
    """

    world: World
    database: Database
    make_copies: MakeCopies
    plan: Plan = field(default_factory=lambda: Plan([], on_unknown="skip", batch_size=2))

    def new_try(self, number: int, query: Query | None = None) -> Delivery:
        """Return a try, its contacts opened."""
        delivery = new_try(self.world, self.plan)
        delivery.source = copied(delivery.ledger, self.make_copies(self.world), query or self.database.query())
        return delivery

    def recovering_try(self, query: Query) -> Delivery:
        """Lose the ledger, and return a try that is to resume from the outcomes."""
        self.world.values.clear()
        self.world.start_process()
        description = Description.read(OutcomeFolder(self.plan.folder))
        assert description
        delivery = new_try(self.world, self.plan, recovers=description.number)
        delivery.ledger.copy = description.copy
        delivery.source = copied(delivery.ledger, self.make_copies(self.world), query)
        return delivery

    def run(self, number: int, crash_at: int | None = None) -> Result:
        """Run a try in a process of its own."""
        self.world.start_process(crash_at)
        return result(self.new_try(number))

    def refused(self, requests: int) -> None:
        """Run a first try that the vendor refuses from then on."""
        answer = self.world.accept
        self.world.answer = lambda number, keys: answer(keys) if number <= requests else Response(402, b"{}")
        with pytest.raises(CallRefusedError):
            self.run(1)
        self.world.answer = None


def result(delivery: Delivery) -> Result:
    return delivery.deliver(HEADER), list(delivery.outcomes.read())


def check(world: World, end: Result) -> None:
    """Nobody was contacted twice, nobody of the copy is lost, and every row has one end."""
    receipt, outcomes = end
    assert world.most_often == 1
    assert [line["row"] for line in outcomes] == list(range(1, 8))
    assert len({line["key"] for line in outcomes}) == 7
    assert receipt["contacts"] == 7
    accepted = {line["key"] for line in outcomes if line["status"] == "accepted"}
    reported = {line["key"] for line in outcomes if line["status"] in {"accepted", "unknown"}}
    assert accepted <= set(world.contacted) <= reported
    assert Counter(line["status"] for line in outcomes).keys() <= {"accepted", "unknown"}


@pytest.fixture
def campaign(world: World, database: Database, make_copies: MakeCopies) -> Campaign:
    return Campaign(world, database, make_copies)


@pytest.mark.parametrize("kept", ["folder", "store"])
def test_killed_at_any_step_nobody_is_contacted_twice_and_nobody_is_lost(tmp_path: Path, kept: str) -> None:
    runs = set()
    for step in count(1):
        folder = tmp_path / str(step) if kept == "folder" else None
        campaign = campaign_in(folder, seed=step)
        with suppress(Crash):
            campaign.run(1, crash_at=step)
        sent = bool(campaign.world.contacted)

        check(campaign.world, campaign.run(2))

        assert not sent or campaign.database.runs == 1, "once something was sent, the database is not asked again"
        runs.add(campaign.database.runs)
        if not campaign.world.crashes:
            break
    assert runs == {1, 2}


def test_a_try_whose_ledger_is_gone_reads_the_copy_whatever_the_query_is_now(tmp_path: Path) -> None:
    """Those who were on their way have no outcome: only the copy says where they stand."""
    for step in count(1):
        campaign = campaign_in(tmp_path / str(step), seed=step)
        world = campaign.world
        with suppress(Crash):
            campaign.run(1, crash_at=step)
        if world.contacted:
            other = Database(world, [*phones(9, first=20), *phones(8)])

            check(world, result(campaign.recovering_try(other.query("SELECT phone FROM others"))))

            assert other.runs == 0
        if not world.crashes:
            break


@pytest.mark.parametrize("seed", range(20))
def test_killed_again_and_again(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    campaign = campaign_in(dice.choice([tmp_path, None]), seed)

    for number in count(1):
        with suppress(Crash):
            end = campaign.run(number, dice.randint(1, 25) if number < 9 else None)
            break

    assert campaign.world.crashes
    check(campaign.world, end)


def campaign_in(folder: Path | None, seed: int) -> Campaign:
    """Return a campaign that keeps all it keeps in a folder, or else in the store."""
    world = World()
    plan = Plan([], folder and folder / "outcomes", on_unknown="skip", batch_size=2)
    return Campaign(
        world,
        Database(world, seed=seed),
        lambda world: CopyFolder(folder) if folder else CopyRecords(world, MOST),
        plan,
    )


def test_a_part_of_a_copy_that_a_killed_process_left_does_no_harm(tmp_path: Path, database: Database) -> None:
    (tmp_path / "contacts").mkdir()
    (tmp_path / "contacts" / ".contacts-001.jsonl.4711.tmp").write_text('{"phone": "+447700')
    # An object storage may take half a file for a whole one; the ledger does not know of it.
    (tmp_path / "contacts" / "contacts-001.jsonl").write_text('{"phone": "+447700')
    campaign = Campaign(database.world, database, lambda world: CopyFolder(tmp_path))

    check(campaign.world, campaign.run(2))


def test_a_try_that_could_not_send_leaves_its_copy_to_the_next(campaign: Campaign) -> None:
    campaign.refused(0)

    check(campaign.world, campaign.run(2))

    assert campaign.database.runs == 1


def test_another_query_is_run_as_long_as_nothing_was_sent(campaign: Campaign) -> None:
    campaign.refused(0)
    few = Database(campaign.world, phones(2))

    receipt, _ = result(campaign.new_try(2, few.query("SELECT phone FROM few")))

    assert receipt["accepted"] == 2
    assert sorted(campaign.world.contacted) == phones(2)


def test_another_query_is_not_run_when_something_was_sent(campaign: Campaign, caplog: pytest.LogCaptureFixture) -> None:
    campaign.refused(1)
    few = Database(campaign.world, phones(2))

    check(campaign.world, result(campaign.new_try(2, few.query("SELECT phone FROM few"))))

    assert few.runs == 0
    assert "The query is another one now" in caplog.text


def test_a_copy_that_is_gone_is_an_error_if_something_was_sent(tmp_path: Path, database: Database) -> None:
    campaign = Campaign(database.world, database, lambda world: CopyFolder(tmp_path))
    campaign.refused(1)
    (tmp_path / "contacts" / "contacts-001.jsonl").unlink()

    with pytest.raises(LedgerError, match=r"copy of the contacts .* is gone"):
        campaign.run(2)

    assert database.runs == 1


def test_a_copy_that_is_gone_is_made_again_if_nothing_was_sent(tmp_path: Path, database: Database) -> None:
    campaign = Campaign(database.world, database, lambda world: CopyFolder(tmp_path))
    campaign.refused(0)
    (tmp_path / "contacts" / "contacts-001.jsonl").unlink()

    check(campaign.world, campaign.run(2))


def test_a_copy_of_contacts_that_turned_out_wrong_is_made_again(campaign: Campaign) -> None:
    campaign.database.description = [("tel",)]
    with pytest.raises(InputError, match="sql: expected a column 'phone', got columns 'tel'"):
        campaign.run(1)
    campaign.database.description = [("phone",)]

    check(campaign.world, campaign.run(2))

    assert campaign.database.runs == 2


def test_an_old_process_that_finishes_its_copy_late_does_not_change_its_successors(campaign: Campaign) -> None:
    world = campaign.world
    world.start_process()
    old = new_try(world, campaign.plan)
    check(world, campaign.run(2))
    before = list(campaign.make_copies(world).read(2))

    old.source = copied(old.ledger, campaign.make_copies(world), campaign.database.query())

    with pytest.raises(LedgerError, match="a later try"):
        old.deliver(HEADER)
    assert list(campaign.make_copies(world).read(2)) == before
    last = Ledger.open(world)
    last.begin()
    assert last.copy == (2, campaign.database.query().digest)
    assert world.most_often == 1
