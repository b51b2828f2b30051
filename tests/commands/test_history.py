"""``history`` and ``suppress`` against a history database of their own."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.database import now
from airflow_provider_campaigns.history.schema import LATEST
from airflow_provider_campaigns.history.tables import deliveries
from tests.commands.conftest import Run
from tests.overview.test_history import deliver

NUMBERS = ["+447700900001", "+447700900002"]


def test_tables_are_made_and_brought_up_to_date(run: Run, history_file: Path) -> None:
    before = run("history", "migrate")
    assert (before.code, history_file.exists()) == (2, False)
    assert "history init makes them" in before.err

    assert run("history", "init", "-o", "json").json == {
        "history": "history",
        "version_before": None,
        "version": LATEST,
    }
    assert run("history", "migrate", "-o", "json").json["version_before"] == LATEST
    assert LATEST in run("history", "init", "--history-conn-id", "history").out


def test_old_deliveries_are_deleted(run: Run, history: History) -> None:
    deliver(history, "old", accepted=1)
    deliver(history, "new", accepted=1)
    old = sa.update(deliveries).where(deliveries.c.run_id == "old").values(begun=now() - timedelta(days=10))
    history.database.run(lambda connection: connection.execute(old))

    assert run("history", "prune", "--yes", "-o", "json").json["deleted"]["deliveries"] == 0
    assert run("history", "prune", "--days", "9", "--yes", "-o", "json").json["deleted"]["deliveries"] == 1
    assert "deliveries" in run("history", "prune", "--days", "9", "--yes").out
    assert run("history", "prune", "--days", "9").code == 2
    assert run("history", "prune", "--days", "0", "--yes").code == 2


@pytest.mark.parametrize("name", ["people.csv", "people.jsonl", "people.txt"])
def test_people_of_a_file_are_added_listed_and_removed(run: Run, history: History, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    lines = [json.dumps({"phone": number}) for number in NUMBERS] if name.endswith("jsonl") else ["phone", *NUMBERS]
    file.write_text("\n".join(lines))
    people = [str(file), "--kind", "phone", "-o", "json"]

    assert run("suppress", "add", *people, "--reason", "asked us").json == {"people": 2, "added": 2}
    assert run("suppress", "add", *people).json == {"people": 2, "added": 0}
    listed = run("suppress", "list", "-o", "json").json
    assert [(one["reason"], one["source"]) for one in listed] == [("asked us", "command line")] * 2
    assert not any(number in run("suppress", "list").out for number in NUMBERS)
    assert len(run("suppress", "list", "--limit", "1", "-o", "json").json) == 1

    file.write_text("\n".join(lines[:-1]))
    assert run("suppress", "remove", *people).json == {"people": 1, "removed": 1}
    assert len(list(suppression.entries(history))) == 1


def test_an_empty_list(run: Run, history: History) -> None:
    assert run("suppress", "list").out == "Nobody is on the list\n"
    assert run("suppress", "list", "-o", "yaml").out == "[]\n"


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("phone\n+447700900001\nnobody\n", [], "number 2"),
        ("phone,name\n+447700900001,Jo\n", [], "one column, or the parameter column"),
        ("phone,name\n+447700900001,Jo\n", ["--column", "mobile"], "a column 'mobile'"),
        ("phone\n07700900001\n", [], "+ and country code"),
        ("phone\n+447700900001\n", ["--region", "XX"], "--region"),
        (None, [], "people.csv"),
    ],
)
def test_a_file_that_is_not_understood_changes_nothing(
    run: Run, history: History, tmp_path: Path, *, text: str | None, options: list[str], said: str
) -> None:
    file = tmp_path / "people.csv"
    if text:
        file.write_text(text)
    ran = run("suppress", "add", str(file), "--kind", "phone", *options)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err
    assert list(suppression.entries(history)) == []


@pytest.mark.parametrize(
    ("argv", "said", "code"),
    [
        (["suppress", "list"], "history_conn_id, got neither", 2),
        (["history", "init", "--history-conn-id", "none"], "expected the id of an Airflow connection", 2),
        (["history", "init", "--history-conn-id", "web"], "a connection of type postgres, mysql or sqlite", 2),
        (["history", "init", "--history-conn-id", "nowhere"], "history database 'nowhere'", 1),
        (["suppress", "list", "--limit", "0"], "--limit", 2),
        (["suppress", "add", "+447700900001", "--kind", "phone"], "file: expected", 2),
    ],
)
def test_errors_are_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, argv: list[str], said: str, code: int
) -> None:
    extra = {"hash_key": "a secret of these tests"}
    lost = {"conn_type": "sqlite", "host": str(tmp_path / "no" / "folder" / "history.db"), "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_WEB", json.dumps({"conn_type": "http", "extra": extra}))
    monkeypatch.setenv("AIRFLOW_CONN_NOWHERE", json.dumps(lost))
    ran = run(*argv)
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert said in ran.err
