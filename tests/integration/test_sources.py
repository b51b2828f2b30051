"""Contacts reach the vendor as they stand in their source, whatever it is; what is broken in it stays behind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, LedgerError
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, contacted
from tests.integration.conftest import AirflowProcess
from tests.operators.conftest import make_context
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends

__all__ = ["make_context"]

# Quotes, commas, newlines in quotes, other alphabets, a blank at the end, a leading zero.
PEOPLE = [
    {"user_id": "user-1", "name": 'Zoë "Zed" O\'Brien, Jr.', "address": "1 High St\nLeeds\r\nLS1"},
    {"user_id": "user-2", "name": "東京 太郎", "address": "\u2028A\u2028 "},
    {"user_id": "00123", "name": "Ångström; Łukasz", "address": "🏠"},
]
CSV = (
    '\ufeffuser_id,"name",address\r\n'
    'user-1,"Zoë ""Zed"" O\'Brien, Jr.","1 High St\nLeeds\r\nLS1"\r\n'
    '"user-2",東京 太郎,\u2028A\u2028 \r\n'
    "\r\n"
    "00123,Ångström; Łukasz,🏠"
)


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xtremepush")


def send(**parameters: Any) -> ExecuteXtremepushCampaignOperator:
    return ExecuteXtremepushCampaignOperator(**{"task_id": "send", "campaign_id": "7345", **parameters})


def received(sandbox: SandboxClient) -> list[dict[str, Any]]:
    """Return each contact that the vendor received, as a row."""
    contacts = sandbox.received("xtremepush")["contacts"]
    return [{"user_id": contact["contact"], **contact["fields"]["target_params"]} for contact in contacts]


def database_with(path: Path, people: list[dict[str, Any]]) -> str:
    """Return the Airflow connection to an SQLite database with a table of these people."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE people (user_id TEXT, name TEXT, address TEXT)")
        database.executemany("INSERT INTO people VALUES (:user_id, :name, :address)", people)
    return json.dumps({"conn_type": "sqlite", "host": str(path)})


@pytest.mark.parametrize("kind", ["list", "csv", "jsonl", "json", "parquet", "sql"])
def test_every_source_gives_the_vendor_the_same(
    *, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "people.csv").write_bytes(CSV.encode())
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, PEOPLE)))
    (tmp_path / "people.json").write_text(json.dumps(PEOPLE, ensure_ascii=False))
    pq.write_table(pa.Table.from_pylist(PEOPLE), tmp_path / "people.parquet", row_group_size=1)
    monkeypatch.setenv("AIRFLOW_CONN_CRM", database_with(tmp_path / "people.db", PEOPLE))
    given: dict[str, Any] = {"contacts": str(tmp_path / f"people.{kind}")}
    if kind == "list":
        given = {"contacts": PEOPLE}
    elif kind == "sql":
        given = {"sql": "SELECT user_id, name, address FROM people", "sql_conn_id": "crm"}

    receipt = send(**given).execute(make_context())

    assert receipt["accepted"] == len(PEOPLE)
    assert received(sandbox) == PEOPLE


BROKEN: dict[str, tuple[str, list[Any]]] = {
    "csv": (
        'user_id,name\nuser-1,Zoë\nuser-2\nuser-3,a,b\n"user-4"x,Zoë\n,Zoë\nuser-6,Zoë\n',
        [
            (None, "invalid", "1 values for 2 columns"),
            (None, "invalid", "3 values for 2 columns"),
            (None, "invalid", "not CSV: ',' expected after '\"' (a quote within quotes is written twice)"),
            ("Zoë", "invalid", "user_id: expected text or a whole number, got nothing"),
        ],
    ),
    "jsonl": (
        '{"user_id": "user-1", "name": "Zoë"}\n{"user_id": "us\n["user-3"]\n"user-4"\n{}\n{"user_id": "user-6"}\n',
        [
            (None, "invalid", "not JSON"),
            (None, "invalid", "expected an object, got list"),
            (None, "invalid", "expected an object, got str"),
            (None, "invalid", "user_id: expected text or a whole number, got nothing"),
        ],
    ),
    "json": (
        '[{"user_id": "user-1"}, 2, null, "user-4", {"user_id": 1.5}, {"user_id": "user-6"}]',
        [
            (None, "invalid", "expected an object, got int"),
            (None, "invalid", "expected an object, got NoneType"),
            (None, "invalid", "expected an object, got str"),
            ("1.5", "invalid", "user_id: expected text or a whole number, got 1.5"),
        ],
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_rows_are_invalid_with_their_number_and_the_rest_is_delivered(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path, kind: str
) -> None:
    content, problems = BROKEN[kind]
    (tmp_path / f"people.{kind}").write_text(content)
    context = make_context()

    receipt = send(contacts=str(tmp_path / f"people.{kind}")).execute(context)

    outcomes = context["ti"].pushed["outcomes"]
    assert [line["row"] for line in outcomes] == [1, 2, 3, 4, 5, 6]
    assert ends(outcomes) == [("user-1", "accepted", None), *problems, ("user-6", "accepted", None)]
    assert (receipt["accepted"], receipt["invalid"]) == (2, 4)
    assert contacted(sandbox, "xtremepush") == ["user-1", "user-6"]


def test_a_row_of_a_parquet_file_that_is_broken_is_invalid_and_the_rest_is_delivered(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
) -> None:
    table = pa.table({"user_id": ["user-1", "user-2", None], "photo": [None, b"\xff", None]})
    pq.write_table(table, tmp_path / "people.parquet", row_group_size=2)
    context = make_context()

    send(contacts=str(tmp_path / "people.parquet")).execute(context)

    assert ends(context["ti"].pushed["outcomes"]) == [
        ("user-1", "accepted", None),
        (None, "invalid", "column 'photo': a value of type bytes that JSON cannot hold"),
        (None, "invalid", "user_id: expected text or a whole number, got nothing"),
    ]


# -- what changes between two tries

MANY = [{"user_id": f"user-{number:02}"} for number in range(20)]


def refused_half_way(sandbox: SandboxClient, context: Any, **parameters: Any) -> None:
    sandbox.fault("unauthorized", vendor="xtremepush", skip=2, times=-1)
    with pytest.raises(CallRefusedError):
        send(**{"contacts": MANY, "batch_size": 3, "max_concurrency": 1, **parameters}).execute(context)
    sandbox.clear_faults()
    assert contacted(sandbox, "xtremepush") == [user["user_id"] for user in MANY[:6]]


@pytest.mark.parametrize("batch_size", [1, 2, 4, 7, 20])
def test_another_batch_size_sends_to_nobody_twice(
    sandbox: SandboxClient, make_context: MakeContext, batch_size: int
) -> None:
    state: dict[str, str] = {}
    refused_half_way(sandbox, make_context(state=state))

    receipt = send(contacts=MANY, batch_size=batch_size).execute(make_context(2, state=state))

    assert receipt["accepted"] == len(MANY)
    assert sorted(contacted(sandbox, "xtremepush")) == [user["user_id"] for user in MANY]


def test_another_campaign_is_an_error(sandbox: SandboxClient, make_context: MakeContext) -> None:
    state: dict[str, str] = {}
    refused_half_way(sandbox, make_context(state=state))

    with pytest.raises(LedgerError, match="campaign: an earlier try of this task used '7345', this one '7346'"):
        send(contacts=MANY, campaign_id="7346").execute(make_context(2, state=state))

    assert len(contacted(sandbox, "xtremepush")) == 6
    assert send(contacts=MANY).execute(make_context(3, state=state))["accepted"] == len(MANY)


def test_contacts_in_another_order_are_an_error(sandbox: SandboxClient, make_context: MakeContext) -> None:
    state: dict[str, str] = {}
    refused_half_way(sandbox, make_context(state=state))

    with pytest.raises(LedgerError, match=r"contacts: the first \d+ rows are not those of an earlier try"):
        send(contacts=MANY[::-1]).execute(make_context(2, state=state))

    assert len(contacted(sandbox, "xtremepush")) == 6


# -- as tasks of Airflow's own


def test_a_query_in_a_dag_resumes_after_a_failure_whatever_its_table_says_by_then(
    airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path
) -> None:
    people = [{"user_id": user["user_id"], "name": "Zoë", "address": ""} for user in MANY]
    crm = database_with(tmp_path / "crm.db", people)
    (airflow.dags / "people.sql").write_text("SELECT user_id FROM people -- {{ ti.task_id }} {{ ti.try_number }}\n")
    # It strikes after two requests, and then the table is emptied.
    sandbox.fault("unauthorized", vendor="xtremepush", skip=2)

    task = airflow.run(f"""
import os, sqlite3

os.environ["AIRFLOW_CONN_CRM"] = {crm!r}

def empty(context):
    with sqlite3.connect({str(tmp_path / "crm.db")!r}) as database:
        database.execute("DELETE FROM people")

ExecuteXtremepushCampaignOperator(task_id="send", campaign_id="7345", sql="people.sql", sql_conn_id="{{{{ 'crm' }}}}",
    batch_size=3, max_concurrency=1, retries=2, on_retry_callback=empty)
""")["send"]

    assert (task.state, task.try_number) == ("success", 2)
    assert task.xcoms["receipt"]["accepted"] == len(MANY)
    assert sorted(contacted(sandbox, "xtremepush")) == [user["user_id"] for user in MANY]
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        assert database.execute("SELECT count(*) FROM people").fetchall() == [(0,)]
