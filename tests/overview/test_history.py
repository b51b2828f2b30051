"""Deliveries are found in the history database; of running and killed ones, Airflow says how far they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.database import HistoryError
from airflow_provider_campaigns.history.deliveries import About, DeliveryHistory, TaskKey
from airflow_provider_campaigns.history.tables import contacts, deliveries
from airflow_provider_campaigns.overview.delivery import TaskId, Wanted
from airflow_provider_campaigns.overview.overview import Overview, open_overview
from tests.overview.metadata import Noted, progress, put, receipt

DAG = f"history_{uuid4().hex[:8]}"
OTHER = f"{DAG}_other"
LONG_AGO = timedelta(days=2)


def deliver(history: History, run_id: str, dag_id: str = DAG, vendor: str = "xebo", **counts: Any) -> DeliveryHistory:
    """Note a delivery: one with counts has ended."""
    about = About(vendor, f"{vendor}_default https://api.example.com", "50% off", "sms", "/outcomes")
    delivery = DeliveryHistory(history, TaskKey(dag_id, run_id, "send", -1), about)
    note = receipt(vendor, **counts)
    history.database.run(lambda connection: delivery._write(connection, "running", {}, ended=False))
    if counts:
        delivery.end("incomplete" if counts.get("unsent") else "complete", note)
    return delivery


@pytest.fixture
def noted(history: History) -> None:
    """Deliveries in every state, the last one first."""
    deliver(history, "mine", accepted=90, invalid=10)
    deliver(history, "unknown", vendor="collect", accepted=9, unknown=1)
    deliver(history, "early", accepted=1, unsent=4)
    deliver(history, "bad", accepted=80, invalid=20)
    deliver(history, "runs")
    deliver(history, "killed")
    deliver(history, "deleted")
    deliver(history, "mine", OTHER, accepted=1)
    if not runs_are_known():
        put(
            [
                Noted(DAG, "runs", state="running", progress=progress(accepted=400), minutes=None),
                Noted(DAG, "killed", state="failed", progress=progress(accepted=7)),
            ]
        )


def runs_are_known() -> bool:
    from airflow_provider_campaigns.overview.metadata import MetadataSource
    from airflow_provider_campaigns.state.metadata import reading_session

    with reading_session() as session:
        return bool(MetadataSource(session).live([TaskId(DAG, "runs", "send")]))


ALL = ["deleted", "killed", "runs", "bad", "early", "unknown", "mine"]


@pytest.mark.usefixtures("noted")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ALL),
        ({"dag_ids": set()}, []),
        ({"dag_ids": {OTHER}}, ["mine"]),
        ({"vendor": "collect"}, ["unknown"]),
        ({"state": "incomplete"}, ["early"]),
        ({"run_id": "bad"}, ["bad"]),
        ({"since": datetime.now(UTC) + LONG_AGO}, []),
        ({"until": datetime.now(UTC) - LONG_AGO}, []),
        ({"search": "50% OFF", "run_id": "bad"}, ["bad"]),
        ({"search": "_%_"}, []),
    ],
)
def test_they_are_found_by_what_is_wanted(overview_of: Any, wanted: dict[str, Any], expected: list[str]) -> None:
    wanted.setdefault("dag_ids", {DAG})
    page = overview_of().deliveries(Wanted(**wanted))

    assert [view.task.run_id for view in page.rows] == expected
    assert page.total == len(expected)


@pytest.fixture
def overview_of(request: pytest.FixtureRequest) -> Any:
    """Return a function that opens the overview, after all that the test notes."""
    return lambda: request.getfixturevalue("overview")


@pytest.mark.usefixtures("noted")
def test_airflow_knows_how_far_they_are(overview_of: Any) -> None:
    overview: Overview = overview_of()
    views = {run: overview.delivery(TaskId(DAG, run, "send")) for run in ALL}

    assert overview.source == "history"
    assert {run: view and (view.state, view.task_state, view.count("accepted")) for run, view in views.items()} == {
        "mine": ("complete", None, 90),
        "unknown": ("complete", None, 9),
        "early": ("incomplete", None, 1),
        "bad": ("complete", None, 80),
        "runs": ("running", "running", 400),
        "killed": ("incomplete", "failed", 7),
        "deleted": ("incomplete", None, 0),
    }
    runs = views["runs"]
    assert runs
    assert (runs.per_second, runs.contacts, runs.conn_id, runs.channel) == (12.5, 1_000, "xebo_default", "sms")


@pytest.mark.usefixtures("noted")
def test_those_that_need_somebody(overview_of: Any) -> None:
    needs = overview_of().needs(Wanted(dag_ids={DAG}))

    assert [(need.delivery.task.run_id, need.kind) for need in needs] == [
        ("deleted", "incomplete"),
        ("killed", "incomplete"),
        ("bad", "invalid"),
        ("early", "incomplete"),
        ("unknown", "unknown"),
    ]


def test_the_counts_over_time_add_up(history: History, overview_of: Any) -> None:
    delivery = deliver(history, "long", accepted=100)
    begin = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - as the tables have it
    rows = [
        {
            "delivery": delivery.id,
            "source_row": row,
            "identity": f"{row}",
            "status": "rejected" if row % 10 == 0 else "accepted",
            "at": begin + timedelta(minutes=row),
        }
        for row in range(100)
    ]
    history.database.run(lambda connection: connection.execute(contacts.insert(), rows))

    moments = overview_of().by_time(TaskId(DAG, "long", "send"))

    assert moments[0].begin == begin.replace(tzinfo=UTC)
    assert sum(moment.counts.get("accepted", 0) for moment in moments) == 90
    assert sum(moment.counts.get("rejected", 0) for moment in moments) == 10
    assert 20 <= len(moments) <= 25


def test_the_latest_delivery_of_a_task_counts(history: History, overview_of: Any) -> None:
    deliver(history, "twice", accepted=1)
    again = deliver(history, "twice", accepted=2)
    again._generation = lambda: 5
    again.end("complete", receipt(accepted=3))

    view = overview_of().delivery(TaskId(DAG, "twice", "send"))

    assert view.count("accepted") == 3


def test_without_tables_airflow_is_asked(history_file: Path, overview_of: Any) -> None:
    assert overview_of().source == "metadata"
    assert not history_file.exists()


def test_nothing_is_written(history: History, overview_of: Any) -> None:
    overview_of()

    with open_overview() as overview, pytest.raises(HistoryError, match="readonly"):
        overview._source._ask(deliveries.delete())  # type: ignore[attr-defined]


def test_a_database_that_is_down_is_an_error(history: History, overview_of: Any, tmp_path: Path) -> None:
    overview = overview_of()
    for file in tmp_path.glob("history.db*"):
        file.unlink()
    (tmp_path / "history.db").write_text("no database")

    with pytest.raises(HistoryError, match="history database 'history': DatabaseError"):
        overview.deliveries(Wanted())


def test_a_connection_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "nowhere")

    with pytest.raises(InputError, match=r"\[campaigns\] history_conn_id: expected the id of"), open_overview():
        pass
