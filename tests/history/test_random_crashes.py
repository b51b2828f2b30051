"""
Random crash points, as in tests/delivery/run/test_random_crashes.py, of deliveries whose ledger is kept in SQL.

A process is killed between any two statements, before and after a commit, and loses commits that were carried out; a
process that is paused between two transactions is overtaken. Two deliveries with a cap reach nobody twice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import SingletonThreadPool

from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.history import connection, database, schema, suppression
from airflow_provider_campaigns.history.caps import Cap, parse_caps
from airflow_provider_campaigns.history.connection import History, make_engine
from airflow_provider_campaigns.history.database import Database
from airflow_provider_campaigns.history.deliveries import About, DeliveryHistory, TaskKey
from airflow_provider_campaigns.history.hashing import Hasher
from airflow_provider_campaigns.history.ledger_store import LedgerStore
from airflow_provider_campaigns.history.tables import ledger as ledger_table
from airflow_provider_campaigns.history.tables import metadata
from airflow_provider_campaigns.protocol.history import ContactHistory
from airflow_provider_campaigns.protocol.store import Store as KeyStore
from tests.delivery.run.test_random_crashes import (
    CRASH_POINTS,
    ENDS,
    PERSONS,
    SEEDS,
    Campaign,
    FakeSend,
    Process,
    World,
    contacts,
    outcomes_of,
    random_campaign,
    run_to_its_end,
    spelled,
)

T = TypeVar("T")

HASHER = Hasher(("a secret of these tests",))
# How often a commit is carried out, and the process does not hear of it.
LOST_COMMITS = 0.03


class ProcessDatabase(Database):
    """
    The database as one process sees it.

    A server ends the transaction of a process that was killed. One that is paused within a transaction would keep
    others waiting, here in the same thread: pauses come between transactions.
    """

    def __init__(self, engine: Engine, process: Process, dice: random.Random) -> None:
        super().__init__(engine, "history")
        self._process = process
        self._dice = dice

    def _run(self, do: Callable[[Connection], T]) -> T:
        self._process.step()
        with self._process.without_pauses():
            result = super()._run(lambda connection: self._do(do, connection))
        self._process.step()
        if self._dice.random() < LOST_COMMITS:
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))
        return result

    def _do(self, do: Callable[[Connection], T], connection: Connection) -> T:
        @sa.event.listens_for(connection, "before_cursor_execute")
        def statement(*_: Any) -> None:
            self._process.step()

        result = do(connection)
        self._process.step()
        return result


@dataclass
class SqlCampaign(Campaign):
    """A delivery whose ledger and contacts are kept in SQL."""

    engine: Engine = field(kw_only=True)
    run: str = "run"
    longest: int = 300
    caps: tuple[Cap, ...] = ()

    def _history(self, process: Process) -> History:
        return History(ProcessDatabase(self.engine, process, self.dice), HASHER)

    @property
    def task(self) -> TaskKey:
        return TaskKey("dag", self.run, "send", -1)

    def ledger_store(self, process: Process) -> KeyStore:
        return LedgerStore(self._history(process), self.task)

    def history(self, process: Process, ledger: Ledger) -> ContactHistory:
        # The database must be the ledger's, for one transaction to hold both.
        history = History(ledger._store._database, HASHER)  # type: ignore[attr-defined]
        about = About("fake", "account", "c", "sms", region=self.send.region)
        return DeliveryHistory(history, self.task, about, self.caps, generation=lambda: ledger.generation)

    def record_names(self) -> list[str]:
        with self.engine.begin() as connection:
            return list(connection.execute(sa.select(ledger_table.c.name)).scalars())

    def suppress(self) -> None:
        """Put those who opted out on the suppression list, which is then where it is known."""
        reading = super().reading()
        people = [person for who in self.opted_out for person in reading.send.contact({"person": who}).persons]
        suppression.add(History(Database(self.engine, "history"), HASHER), people)


class Suppressing(SqlCampaign):
    """A delivery that knows of opt-outs by the suppression list alone."""

    def reading(self) -> Any:
        opted_out, self.opted_out = self.opted_out, []
        try:
            return super().reading()
        finally:
            self.opted_out = opted_out


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(database, "FIRST_BREAK", 0.0)
    # Processes that are simulated one after the other may share a connection: a new one takes longer than a statement.
    monkeypatch.setattr(connection, "NullPool", SingletonThreadPool)
    engine = make_engine(sa.engine.make_url(f"sqlite:///{tmp_path / 'history.db'}"))

    @sa.event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    schema.upgrade(engine)
    yield engine
    engine.dispose()


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS // 2))
@pytest.mark.parametrize("troubled", [False, True])
def test_killed_between_any_two_statements_nobody_is_contacted_twice_and_nobody_is_lost(
    seed: int, troubled: bool, engine: Engine
) -> None:
    dice = random.Random(f"sql {seed} {troubled}")
    kills = 0
    while kills < CRASH_POINTS // SEEDS // 25:
        empty(engine)
        kind = dice.choice(tuple(PERSONS))
        make = dice.choice((SqlCampaign, Suppressing))
        campaign = random_campaign(dice, kind, make, troubled=troubled, engine=engine)
        if isinstance(campaign, Suppressing):
            campaign.suppress()
        run_to_its_end(campaign)
        kills += campaign.kills


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS // 2))
def test_deliveries_that_share_a_cap_reach_nobody_twice_and_lose_nobody(seed: int, engine: Engine) -> None:
    dice = random.Random(f"caps {seed}")
    kills = 0
    while kills < CRASH_POINTS // SEEDS // 25:
        empty(engine)
        world, kind = World(dice), dice.choice(tuple(PERSONS))
        rows = contacts(dice, kind)
        campaigns = [
            random_campaign(
                dice,
                kind,
                SqlCampaign,
                rows=spelled(dice, kind, dice.sample(rows, dice.randint(1, len(rows)))),
                send=FakeSend(dice.choice((1, 3, 10)), safe=False, kind=kind),
                opted_out=[],
                troubled=False,
                engine=engine,
                run=run,
                caps=parse_caps("1 per 7 days"),
            )
            for run in ("first", "second", "third")
        ]
        for campaign in campaigns:
            campaign.world.received = world.received
        states = dict.fromkeys((one.run for one in campaigns), "")
        while left := [one for one in campaigns if states[one.run] not in ENDS]:
            campaign = dice.choice(left)
            states[campaign.run] = campaign.next_try()
        check_shared(campaigns, world)
        kills += sum(one.kills for one in campaigns)


def check_shared(campaigns: list[SqlCampaign], world: World) -> None:
    assert max(world.received.values(), default=1) == 1
    ends: dict[str, set[str]] = {}
    for campaign in campaigns:
        lines = outcomes_of(campaign) if campaign.recipients else []
        for line in lines:
            who = campaign.rows[line["row"] - 1]["who"]
            ends.setdefault(who, set()).add(line["status"])
    ends.pop("", None)
    for who, statuses in ends.items():
        if "accepted" in statuses:
            assert world.received[who] == 1
        if "capped" in statuses:
            # Another delivery holds the place, or held it until its request was refused.
            assert statuses & {"accepted", "unknown", "rejected"}
        assert world.received[who] == 0 or statuses & {"accepted", "unknown"}
    assert ends.keys() == {who for one in campaigns for who in one.recipients}
