"""Operators with a history: caps, suppression, and where the ledger is."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, LedgerError
from airflow_provider_campaigns.history import schema, suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.database import HistoryError
from airflow_provider_campaigns.history.suppression import read_people
from airflow_provider_campaigns.history.tables import VERSION_TABLE, contacts, deliveries, ledger
from airflow_provider_campaigns.protocol.history import SUPPRESSED
from airflow_provider_campaigns.protocol.messages import Response
from airflow_provider_campaigns.state import patience
from tests.delivery.world import Crash, World, phones
from tests.operators.base.acme import PEOPLE, AcmeOperator, make_acme
from tests.operators.conftest import airflow_variables, make_context

__all__ = ["airflow_variables", "make_context"]

MakeContext = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("airflow_variables")


@pytest.fixture
def world() -> World:
    return World()


def send(world: World, **parameters: Any) -> AcmeOperator:
    return make_acme(world, **{"history_conn_id": "history", **parameters})


def rows(history: History, table: sa.Table) -> list[Any]:
    with history.database.engine.connect() as connection:
        return [*connection.execute(sa.select(table)).mappings()]


def test_who_was_contacted_by_another_task_is_capped(
    world: World, history: History, make_context: MakeContext, tmp_path: Path
) -> None:
    send(world).execute(make_context(run_id="first"))
    more = [*PEOPLE, {"phone": phones(6)[5]}]
    parameters = {"contacts": more, "frequency_cap": "1 per 7 days", "outcomes_path": str(tmp_path)}

    receipt = send(world, campaign="autumn", **parameters).execute(make_context(run_id="second"))

    assert (receipt["contacts"], receipt["accepted"], receipt["capped"]) == (6, 1, 5)
    assert world.most_often == 1
    (capped, *_) = read_outcomes(receipt, status="capped")
    assert (capped["key"], capped["reason"]) == (PEOPLE[0]["phone"], "1 per week")
    assert [row["state"] for row in rows(history, deliveries)] == ["complete"] * 2
    assert sorted(row["capped"] for row in rows(history, deliveries)) == [0, 5]


def test_caps_of_the_configuration_hold_unless_the_task_has_its_own(
    world: World, connection: object, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "history")
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__FREQUENCY_CAP", "1 per 7 days, 3 per 30 days")
    operator = {"history_conn_id": None}
    send(world, **operator).execute(make_context(run_id="first"))

    assert send(world, **operator).execute(make_context(run_id="second"))["capped"] == 5
    assert send(world, frequency_cap="", **operator).execute(make_context(run_id="third"))["accepted"] == 5
    assert send(world, frequency_cap=["2 per day"], **operator).execute(make_context(run_id="4"))["capped"] == 5
    assert send(world, history_conn_id="", frequency_cap="").execute(make_context(run_id="5"))["accepted"] == 5


def test_who_is_suppressed_is_invalid_and_does_not_count_as_such(
    world: World, history: History, make_context: MakeContext
) -> None:
    suppression.add(history, read_people([person["phone"] for person in PEOPLE[:4]], "phone"))
    context = make_context()

    receipt = send(world).execute(context)

    assert (receipt["accepted"], receipt["invalid"]) == (1, 4)
    assert {line["reason"] for line in context["ti"].pushed["outcomes"][:4]} == {SUPPRESSED}
    assert world.contacted == [PEOPLE[4]["phone"]]


def test_a_retry_sends_what_the_first_try_did_not(world: World, history: History, make_context: MakeContext) -> None:
    state: dict[str, str] = {}
    world.answer = lambda number, keys: Response(403) if number == 2 else world.accept(keys)
    with pytest.raises(CallRefusedError):
        send(world, max_concurrency=1, frequency_cap="1 per day").execute(make_context(state=state))
    assert [row["state"] for row in rows(history, deliveries)] == ["incomplete"]
    assert sorted(row["status"] for row in rows(history, contacts)) == ["accepted"] * 3 + ["unsent"] * 2

    receipt = send(world, frequency_cap="1 per day").execute(make_context(2, state=state))

    assert (receipt["accepted"], receipt["capped"], world.most_often) == (5, 0, 1)
    assert [row["status"] for row in rows(history, contacts)] == ["accepted"] * 5


def test_the_ledger_is_in_the_history_database_and_names_nobody(
    world: World, history: History, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    send(world).execute(make_context(state=state))

    assert {"try-1", "latest-try"} <= {row["name"] for row in rows(history, ledger)}
    assert not any(name.startswith("try-") for name in state)
    assert all("{" not in row["value"] for row in rows(history, ledger))
    again = send(world).execute(make_context(2, 1, state=state))
    assert (again["accepted"], len(world.requests)) == (5, 2)


@pytest.mark.parametrize(("first", "then"), [({"ledger": "airflow"}, {}), ({"history_conn_id": ""}, {})])
def test_a_ledger_stays_where_it_is(
    world: World, history: History, make_context: MakeContext, first: dict[str, str], then: dict[str, str]
) -> None:
    state: dict[str, str] = {}
    send(world, **first).execute(make_context(state=state))
    assert "try-1" in state

    assert send(world, **then).execute(make_context(2, 1, state=state))["accepted"] == 5

    assert len(world.requests) == 2
    assert rows(history, ledger) == []


def test_a_ledger_in_a_history_that_is_not_configured_any_more(
    world: World, connection: object, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    send(world).execute(make_context(state=state))

    with pytest.raises(LedgerError, match="the record of earlier tries is in the history database"):
        send(world, history_conn_id="").execute(make_context(2, 1, state=state))

    assert len(world.requests) == 2
    assert send(world, ledger="airflow").execute(make_context(3, 1, state=state))["accepted"] == 5
    assert len(world.requests) == 2


def test_a_run_that_was_deleted_and_run_again_sends_to_nobody_again(
    world: World, connection: object, make_context: MakeContext, tmp_path: Path
) -> None:
    for number in range(2):
        again = send(world, outcomes_path=str(tmp_path))
        assert again.execute(make_context(1 + number, number, state={}))["accepted"] == 5

    assert len(world.requests) == 2


def test_a_run_that_was_deleted_with_its_ledger_counts_when_it_runs_again(
    world: World, history: History, make_context: MakeContext, tmp_path: Path
) -> None:
    parameters = {"ledger": "airflow", "frequency_cap": "1 per 7 days", "outcomes_path": str(tmp_path)}
    send(world, **parameters).execute(make_context(state={}))
    with history.database.engine.begin() as connection:
        connection.execute(sa.update(deliveries).values(begun=datetime.now(UTC).replace(tzinfo=None) - timedelta(1)))

    receipt = send(world, **parameters).execute(make_context(state={}))

    assert (receipt["accepted"], receipt["capped"], world.most_often) == (0, 5, 1)
    assert Counter(row["status"] for row in rows(history, contacts)) == {"accepted": 5, "capped": 5}


def test_who_is_to_be_sent_to_again_is_still_under_the_caps(
    world: World, connection: object, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    send(world, frequency_cap="2 per day").execute(make_context(state=state))
    for try_number, ends in ((2, "accepted"), (3, "capped")):
        again = send(world, frequency_cap="2 per day", on_cleared="resend", on_unknown="skip")
        receipt = again.execute(make_context(try_number, try_number - 1, state=state))
        assert dict(receipt)[ends] == 5


@pytest.mark.parametrize("caps", ["1 per 7 days", ["1 per 7 days"]])
def test_a_cap_needs_a_history(world: World, make_context: MakeContext, caps: Any) -> None:
    with pytest.raises(InputError, match="frequency_cap: expected history_conn_id"):
        send(world, history_conn_id=None, frequency_cap=caps).execute(make_context())

    assert not world.requests


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"frequency_cap": "often"}, "frequency_cap: expected caps such as"),
        ({"ledger": "memory"}, "ledger: expected history or airflow"),
        ({"ledger": "history", "history_conn_id": None}, "ledger: expected history_conn_id"),
    ],
)
def test_mistakes(world: World, make_context: MakeContext, parameters: Any, message: str, preview: bool) -> None:
    with pytest.raises(InputError, match=message):
        send(world, preview=preview, **parameters).execute(make_context())

    assert not world.requests


def test_caps_of_the_configuration_need_a_history_too(
    world: World, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__FREQUENCY_CAP", "1 per day")

    with pytest.raises(InputError, match=r"\[campaigns\] frequency_cap: expected history_conn_id"):
        send(world, history_conn_id=None).execute(make_context())


def test_a_task_that_failed_at_its_connection_sends_when_it_is_cleared(
    world: World, connection: dict[str, Any], make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps({**connection, "extra": {}}))
    with pytest.raises(InputError, match="extra hash_key"):
        send(world).execute(make_context(state=state))
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(connection))

    assert send(world).execute(make_context(2, 1, state=state))["accepted"] == 5


def test_tables_of_a_later_release_are_an_error_before_anything_is_sent(
    world: World, history: History, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    for number, there, error in ((1, "0002", "tables have the version 0002"), (2, schema.LATEST, None)):
        with history.database.engine.begin() as connection:
            connection.execute(sa.update(version).values(version_num=there))
        operator, context = send(world), make_context(number, number - 1, state=state)
        if error:
            with pytest.raises(HistoryError, match=error):
                operator.execute(context)
            assert not world.requests
        else:
            assert operator.execute(context)["accepted"] == 5


def test_a_cleared_task_whose_record_was_pruned(world: World, history: History, make_context: MakeContext) -> None:
    state: dict[str, str] = {}
    send(world).execute(make_context(state=state))
    with history.database.engine.begin() as connection:
        connection.execute(sa.delete(ledger))

    with pytest.raises(AirflowFailException, match="the record of what its earlier tries sent is gone"):
        send(world).execute(make_context(2, 1, state=state))


@pytest.mark.parametrize(
    ("try_number", "max_tries", "folder"),
    [
        pytest.param(2, 1, False, id="a retry"),
        pytest.param(2, 1, True, id="a retry on a machine without the folder"),
        pytest.param(1, 0, False, id="the same try, started once more"),
    ],
)
def test_a_record_that_is_not_in_the_database_any_more_is_no_first_try(
    *,
    world: World,
    connection: dict[str, Any],
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    try_number: int,
    max_tries: int,
    folder: bool,
) -> None:
    """As with a file of SQLite's that each machine has of its own."""
    state: dict[str, str] = {}
    parameters = {"retries": 1, "outcomes_path": str(tmp_path / "first") if folder else None}
    world.answer = lambda number, keys: Response(403) if number == 2 else world.accept(keys)
    with pytest.raises(CallRefusedError):
        send(world, max_concurrency=1, **parameters).execute(make_context(1, max_tries, state=state))
    world.answer = None
    another = {**connection, "conn_type": "sqlite", "host": str(tmp_path / "another.db")}
    if folder:
        (tmp_path / "first").rename(tmp_path / "elsewhere")
    with monkeypatch.context() as patched:
        patched.setenv("AIRFLOW_CONN_HISTORY", json.dumps(another))
        with pytest.raises(LedgerError, match="the history database has no record of the earlier tries"):
            send(world, **parameters).execute(make_context(try_number, max_tries, state=state))
    assert world.contacted == phones(3)
    if folder:
        (tmp_path / "elsewhere").rename(tmp_path / "first")

    assert send(world, **parameters).execute(make_context(2, max_tries, state=state))["accepted"] == 5
    assert world.most_often == 1


def test_a_try_that_was_killed_before_it_had_a_record_sent_nothing(
    world: World, history: History, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}

    def killed(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "begin", killed)
        with pytest.raises(Crash):
            send(world).execute(make_context(state=state))

    assert send(world).execute(make_context(2, state=state))["accepted"] == 5
    assert json.loads(state["ledger"]) == "history"


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("max_outage", [60, 0])
def test_a_database_that_is_being_started_is_waited_for(
    world: World,
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    max_outage: int,
) -> None:
    ensure, attempts = schema.ensure, []

    def starting(engine: Any) -> None:
        attempts.append(engine)
        if len(attempts) < 3:
            raise sa.exc.OperationalError("SELECT", {}, Exception("the database system is starting up"))
        ensure(engine)

    monkeypatch.setattr(schema, "ensure", starting)
    monkeypatch.setattr(patience, "FIRST_WAIT", 0.01)
    operator = send(world, max_outage=max_outage)
    if not max_outage:
        with pytest.raises(HistoryError, match="is starting up"):
            operator.execute(make_context())
        return
    with caplog.at_level(logging.INFO):
        assert operator.execute(make_context())["accepted"] == 5
    assert "The history database 'history' cannot be reached (OperationalError)" in caplog.text


def test_how_it_ended_need_not_be_noted(
    world: World, connection: object, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    from airflow_provider_campaigns.history.deliveries import DeliveryHistory

    def fail(*_: object) -> None:
        raise HistoryError("history", OSError("disk full"))

    monkeypatch.setattr(DeliveryHistory, "end", fail)
    with caplog.at_level(logging.WARNING):
        assert send(world).execute(make_context())["accepted"] == 5

    assert "How the delivery ended could not be noted: history database 'history': OSError: disk full" in caplog.text


def test_outside_a_task_there_is_a_history_and_no_ledger(world: World, history: History) -> None:
    assert send(world).execute({})["accepted"] == 5

    assert rows(history, ledger) == []
    assert len(rows(history, contacts)) == 5


@pytest.fixture
def no_imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import sys

    for name in [name for name in sys.modules if name.startswith("airflow_provider_campaigns.history")]:
        monkeypatch.delitem(sys.modules, name)
    yield
    assert not [name for name in sys.modules if name.startswith("airflow_provider_campaigns.history")]


@pytest.mark.usefixtures("no_imports")
def test_without_a_history_nothing_of_it_is_imported(world: World, make_context: MakeContext) -> None:
    assert send(world, history_conn_id=None).execute(make_context())["accepted"] == 5
