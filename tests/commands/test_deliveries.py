"""``deliveries``, ``show`` and ``unknown`` against a metadata database with deliveries in every state."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest
import sqlalchemy as sa
import yaml

from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.database import now
from airflow_provider_campaigns.history.tables import contacts
from airflow_provider_campaigns.history.tables import deliveries as deliveries_table
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.commands.conftest import Run
from tests.commands.noted import STATES, deliveries
from tests.connections import connect
from tests.overview.metadata import Noted, put, receipt
from tests.overview.test_history import deliver

DAG = f"commands_{uuid4().hex[:8]}"


@pytest.fixture(scope="module", autouse=True)
def noted() -> None:
    put(deliveries(DAG))


def test_all_are_listed_the_latest_first(run: Run) -> None:
    found = run("deliveries", "--dag-id", DAG, "--output", "json").json

    assert {one["run"]: one["state"] for one in found["deliveries"]} == STATES
    assert [one["run"] for one in found["deliveries"]] == list(STATES)
    assert (found["source"], found["total"]) == ("metadata", 9)
    assert found["deliveries"][3]["counts"]["unknown"] == 2
    assert found["deliveries"][7]["map_index"] == 2


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--vendor", "collect"], ["unknown", "killed"]),
        (["--state", "incomplete"], ["early", "killed"]),
        (["--state", "running", "--vendor", "xebo"], ["runs", "waits"]),
        (["--since", "1h"], ["runs", "waits", "new", "unknown", "early", "refused"]),
        (["--run-id", "mapped"], ["mapped"]),
        (["--task-id", "another"], []),
        (["--search", "Été"], ["early"]),
        (["--limit", "2"], ["runs", "waits"]),
    ],
)
def test_filters(run: Run, options: list[str], runs: list[str]) -> None:
    found = run("deliveries", "--dag-id", DAG, *options, "-o", "json").json
    assert [one["run"] for one in found["deliveries"]] == runs


def test_a_table_is_for_people(run: Run) -> None:
    ran = run("deliveries", "--dag-id", DAG, "--limit", "4")
    assert ran.code == 0
    assert "4 of 9 deliveries" in ran.out
    assert "90 accepted, 10 invalid" in ran.out
    assert run("deliveries", "--dag-id", "none").out == "No deliveries\n"


def test_names_are_shown_as_other_commands_take_them(run: Run) -> None:
    dag, run_id = f"{DAG}_9000000001", "manual__+447700900001\x1b[2J"
    put([Noted(dag, run_id, xcoms={"receipt": receipt("xtremepush", "1234567890", accepted=1)})])

    (found,) = run("deliveries", "--dag-id", dag, "-o", "json").json["deliveries"]
    assert (found["dag"], found["run"], found["campaign"]) == (dag, run_id, "1234567890")
    assert run("show", found["dag"], found["run"], found["task"]).code == 0
    assert "\x1b" not in run("deliveries", "--dag-id", dag).out


def test_yaml(run: Run) -> None:
    found = yaml.safe_load(run("deliveries", "--dag-id", DAG, "-o", "yaml").out)
    assert found["deliveries"][2]["counts"]["accepted"] == 90


@pytest.mark.parametrize("run_id", STATES)
def test_one_is_shown_in_any_state(run: Run, run_id: str) -> None:
    index = ["--map-index", "2"] if run_id == "mapped" else []
    found = run("show", DAG, run_id, "send", *index, "-o", "json").json
    assert (found["run"], found["state"]) == (run_id, STATES[run_id])
    assert bool(found["needs"]) == (run_id in {"unknown", "early", "refused", "killed"})
    table = run("show", DAG, run_id, "send", *index)
    assert (table.code, table.err) == (0, "")
    assert run_id in table.out


def test_outcomes_are_masked_and_never_markup(run: Run) -> None:
    ran = run("show", DAG, "unknown", "send")
    assert "a***@example.com" in ran.out
    assert "ada@" not in ran.out
    assert "[red]refused[/red]" in ran.out
    assert "\x1b" not in ran.out
    found = run("show", DAG, "unknown", "send", "--status", "unknown", "-o", "json").json
    assert [one["row"] for one in found["outcomes"]] == [2, 3]
    assert found["reasons"][0] == {"status": "unknown", "text": "no reply within 30 s", "count": 2}


def test_outcomes_that_cannot_be_read(run: Run) -> None:
    dag = f"{DAG}_lost"
    put([Noted(dag, "lost", xcoms={"receipt": receipt(accepted=1, outcomes_path=f"/no/such/{dag}/lost/send")})])
    ran = run("show", dag, "lost", "send")
    assert (ran.code, "The outcomes cannot be read: FileNotFoundError" in ran.out) == (0, True)
    assert "on another machine" in run("show", dag, "lost", "send", "-o", "json").json["outcomes_problem"]


def test_unknown_contacts(run: Run) -> None:
    found = run("unknown", "--dag-id", DAG, "-o", "json").json
    assert [(one["run"], one["row"], one["contact"]) for one in found] == [
        ("unknown", 2, "a***@example.com"),
        ("unknown", 3, "k***@example.com"),
    ]
    assert "vendor_says" not in found[0]
    assert run("unknown", "--dag-id", "none").out == "No contacts are unknown\n"


def test_the_vendor_is_asked_and_nothing_is_changed(
    run: Run, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_campaigns.hooks.collect import CollectHook

    connect(monkeypatch, sandbox, "collect")
    CollectHook().send_request("c1", {"email": "ada@example.com"})
    sandbox.clock(advance=5)
    before = sandbox.counts("collect")

    asked = ["unknown", "--dag-id", DAG, "--ask", "-o", "json"]
    found = run(*asked, "--conn-id", "collect_default").json
    assert [one["vendor_says"].partition(" sent")[0] for one in found][:1] == ["1 request"]
    assert found[1]["vendor_says"].startswith("no request found")
    after = sandbox.counts("collect")
    assert {**after, "requests": 0} == {**before, "requests": 0}

    assert "--conn-id" in run(*asked).json[0]["vendor_says"]
    sandbox.fault("unauthorized", vendor="collect", times=-1)
    assert "call refused" in run(*asked, "--conn-id", "collect_default").json[0]["vendor_says"]


def test_a_history_knows_of_intents_without_an_answer(run: Run, history: History) -> None:
    dag = f"{DAG}_history"
    deliver(history, "unknown", dag, unknown=3, accepted=1)
    deliver(history, "killed", dag)
    intend(history, dag, rows=(1, 2))

    listed = run("deliveries", "--dag-id", dag, "-o", "json").json
    found = {one["run"]: one["reason"] for one in run("unknown", "--dag-id", dag, "-o", "json").json}

    assert (listed["source"], listed["total"]) == ("history", 2)
    assert found["killed"].startswith("2 were on their way")
    assert found["unknown"].startswith("3; their outcomes cannot be read")


def intend(history: History, dag: str, rows: Sequence[int]) -> None:
    """Note intents of a delivery that was killed."""
    with history.database.engine.begin() as connection:
        killed = sa.select(deliveries_table.c.id).where(
            deliveries_table.c.dag_id == dag, deliveries_table.c.run_id == "killed"
        )
        intent = {"delivery": connection.execute(killed).scalar(), "status": "intended", "at": now()}
        connection.execute(contacts.insert(), [{**intent, "source_row": row, "identity": f"i{row}"} for row in rows])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["show", DAG, "none", "send"], "a task instance that has delivered"),
        (["show", DAG, "mapped", "send"], "--map-index"),
        (["show", DAG, "new", "send", "--status", "lost"], "--status: expected one of accepted"),
        (["deliveries", "--since", "yesterday"], "--since: expected a date"),
        (["deliveries", "--limit", "0"], "--limit: expected a number from 1 to 500, got 0"),
        (["deliveries", "--limit", "501"], "--limit"),
        (["unknown", "--conn-id", "collect_default"], "--conn-id: expected it together with --ask"),
        (["unknown", "--dag-id", DAG, "--ask", "--conn-id", "none"], "conn_id: expected the id of an Airflow"),
    ],
)
def test_bad_input_is_one_line(run: Run, argv: list[str], said: str) -> None:
    ran = run(*argv)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("error: ")
    assert said in ran.err


def test_a_history_that_cannot_be_used_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "no_such_history")
    ran = run("deliveries")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
