"""Contacts come from a database, through Airflow's own connection and hook."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from tests.delivery.conftest import empty_bucket
from tests.delivery.world import World, phones
from tests.operators.base.acme import AcmeOperator, refuse_after, statuses
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import outcomes_of

Make = Callable[..., AcmeOperator]

SQL = "SELECT phone, name FROM people"


class Crm:
    """A database with a table ``people``, behind the connection ``crm``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("CREATE TABLE people (phone TEXT, name TEXT)")

    def write(self, sql: str, rows: Iterable[Any] = ((),)) -> None:
        with closing(sqlite3.connect(self.path)) as database, database:
            database.executemany(sql, rows)

    def fill(self, people: Iterable[str]) -> None:
        """Put these people into the table, in this order, in place of those who are there."""
        self.write("DELETE FROM people")
        self.write("INSERT INTO people VALUES (?, 'Zoë')", [(phone,) for phone in people])


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crm:
    crm = Crm(tmp_path / "crm.db")
    crm.fill(phones(5))
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(crm.path)}))
    return crm


@pytest.fixture
def query(world: World, crm: Crm) -> Callable[..., AcmeOperator]:
    """Return a function that makes an operator whose contacts are in the database."""

    def make(**parameters: Any) -> AcmeOperator:
        return AcmeOperator(**{"task_id": "send", "world": world, "sql": SQL, "sql_conn_id": "crm", **parameters})

    return make


# -- what is sent


@pytest.mark.parametrize("kept", ["store", "folder", "bucket"])
def test_the_rows_of_a_query_are_contacts(
    tmp_path: Path, world: World, query: Make, make_context: MakeContext, kept: str
) -> None:
    path = {"store": None, "folder": str(tmp_path), "bucket": empty_bucket()}[kept]
    context = make_context()

    receipt = query(outcomes_path=path).execute(context)

    outcomes = outcomes_of(receipt) if path else context["ti"].pushed["outcomes"]
    assert [(line["row"], line["key"], line["status"]) for line in outcomes] == [
        (number, phone, "accepted") for number, phone in enumerate(phones(5), 1)
    ]
    assert (receipt["contacts"], receipt["accepted"]) == (5, 5)
    assert sorted(world.contacted) == phones(5)


def test_columns_and_exclude_hold_for_a_query_too(
    world: World, query: Make, make_context: MakeContext, crm: Crm
) -> None:
    sql = "SELECT phone AS mobile, name, 'secret' AS salary FROM people;"

    receipt = query(sql=sql, columns={"phone": "mobile"}, exclude=phones(2)).execute(make_context())

    assert (receipt["accepted"], receipt["invalid"]) == (3, 2)
    assert sorted(world.contacted) == phones(5)[2:]


def test_rows_that_cannot_be_sent_are_invalid_with_their_number_and_the_rest_is_delivered(
    world: World, query: Make, make_context: MakeContext, crm: Crm
) -> None:
    crm.write("INSERT INTO people VALUES (?, ?)", [(None, "Nobody"), ("+447700900077", b"\xff\xd8"), (phones(1)[0], 1)])
    context = make_context()

    query().execute(context)

    assert [(line["row"], line["status"], line["reason"]) for line in context["ti"].pushed["outcomes"]][5:] == [
        (6, "invalid", "phone: expected digits, got "),
        (7, "invalid", "column 'name': a value of type bytes that JSON cannot hold"),
        (8, "duplicate", "the contacts have it more than once"),
    ]
    assert sorted(world.contacted) == phones(5)


def test_its_log_names_the_query_and_no_recipient(
    query: Make, make_context: MakeContext, logs: Callable[[], str]
) -> None:
    query(sql="SELECT phone FROM people WHERE phone != '+447700900000'").execute(make_context())

    text = logs()
    assert "Delivering 4 rows of sql to spring" in text
    assert "447700900" not in text


# -- tries


@pytest.mark.parametrize("kept", ["store", "folder"])
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda crm: crm.fill(reversed(phones(5))), id="another order"),
        pytest.param(lambda crm: crm.fill(phones(3, first=2)), id="rows that vanished"),
        pytest.param(lambda crm: crm.fill([*phones(4, first=50), *phones(5)]), id="rows that appeared"),
        pytest.param(lambda crm: crm.fill([]), id="no rows"),
        pytest.param(lambda crm: crm.write("DROP TABLE people"), id="no table"),
    ],
)
def test_whatever_the_table_says_later_a_retry_sends_to_the_rest_of_the_first_result(
    *,
    tmp_path: Path,
    world: World,
    query: Make,
    make_context: MakeContext,
    crm: Crm,
    kept: str,
    change: Callable[[Crm], None],
) -> None:
    path = str(tmp_path / "outcomes") if kept == "folder" else None
    state: dict[str, str] = {}
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        query(outcomes_path=path, max_concurrency=1).execute(make_context(state=state))
    world.answer = None
    change(crm)

    receipt = query(outcomes_path=path).execute(make_context(2, state=state))

    assert (receipt["contacts"], receipt["accepted"]) == (5, 5)
    assert world.contacted == phones(5)


def test_a_retry_may_have_another_batch_size(world: World, query: Make, make_context: MakeContext, crm: Crm) -> None:
    state: dict[str, str] = {}
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        query(batch_size=2, max_concurrency=1).execute(make_context(state=state))
    world.answer = None
    crm.fill(reversed(phones(5)))

    assert query(batch_size=1).execute(make_context(2, state=state))["accepted"] == 5

    assert world.requests[0] == phones(2)
    assert sorted(world.contacted) == phones(5)


def test_a_complete_delivery_that_is_cleared_needs_no_database(
    query: Make, make_context: MakeContext, crm: Crm
) -> None:
    state: dict[str, str] = {}
    receipt = query().execute(make_context(state=state))
    crm.path.unlink()

    assert query().execute(make_context(2, max_tries=1, state=state)) == receipt


def test_a_cleared_task_that_sends_again_runs_the_query_again(
    tmp_path: Path, world: World, query: Make, make_context: MakeContext, crm: Crm
) -> None:
    state: dict[str, str] = {}
    place = {"outcomes_path": str(tmp_path / "outcomes")}
    query(**place).execute(make_context(state=state))
    crm.fill(phones(2, first=4))
    world.contacted.clear()

    receipt = query(**place, on_cleared="resend").execute(make_context(2, max_tries=1, state=state))

    assert world.contacted == phones(2, first=4)
    folder = Path(receipt["outcomes_path"] or "")
    assert folder.name == "resend-1"
    assert (folder / "contacts" / "contacts-002.jsonl").read_text().count("\n") == 2
    assert (folder.parent / "contacts" / "contacts-001.jsonl").read_text().count("\n") == 5


# -- a preview


@pytest.mark.parametrize("path", [None, "outcomes"])
def test_a_preview_keeps_no_copy(
    *, tmp_path: Path, world: World, query: Make, make_context: MakeContext, crm: Crm, path: str | None
) -> None:
    outcomes_path = path and str(tmp_path / path)
    context = make_context()
    assert query(preview=True, outcomes_path=outcomes_path).execute(context)["unsent"] == 5
    assert context["task_state_store"].values == {}
    assert not (tmp_path / "outcomes").exists()
    crm.fill(phones(2))

    state = context["task_state_store"].values
    assert query(outcomes_path=outcomes_path).execute(make_context(state=state))["accepted"] == 2

    assert world.contacted == phones(2)


# -- mistakes


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sql_conn_id": None}, "sql_conn_id: expected the id of a connection to a database, got nothing"),
        ({"sql_conn_id": "nowhere"}, "sql_conn_id: expected a connection to a database that can be reached, .*nowhere"),
        ({"sql_conn_id": "strange"}, "sql_conn_id: expected a connection .* got 'strange': Unknown hook type"),
        ({"sql_conn_id": "xebo"}, "sql_conn_id: expected a connection to a database, got 'xebo', with a XeboHook"),
        ({"sql_conn_id": "locked"}, "sql_conn_id: expected a connection .*, got 'locked': unable to open database"),
        ({"sql": "SELECT phone FROM leads"}, "sql: expected a query that the database answers, got no such table"),
        ({"sql": "SELECT phone, phone FROM people"}, "sql: expected each column once, got 'phone' more than once"),
        ({"sql": "CREATE TABLE more (a)"}, "sql: expected a query that returns rows, got a statement that returns"),
        ({"sql": "SELECT name FROM people"}, "sql: expected a column 'phone', got columns 'name'"),
        ({"sql": f"{SQL} WHERE phone = ''"}, "sql: expected at least one contact, got none"),
        ({"max_recipients": 4}, r"sql: expected at most 4 contacts to be sent to \(max_recipients\), got 5"),
        ({"outcomes_path": "/proc/nowhere"}, "outcomes_path: expected a folder, path or URL, that can be written to"),
    ],
)
def test_a_mistake_is_reported_before_the_first_request_and_can_be_corrected(
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    query: Make,
    make_context: MakeContext,
    parameters: Mapping[str, Any],
    message: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_STRANGE", '{"conn_type": "strange"}')
    monkeypatch.setenv("AIRFLOW_CONN_XEBO", '{"conn_type": "xebo"}')
    monkeypatch.setenv("AIRFLOW_CONN_LOCKED", json.dumps({"conn_type": "sqlite", "host": str(tmp_path)}))
    state: dict[str, str] = {}

    with pytest.raises(InputError, match=f"^{message}"):
        query(**parameters).execute(make_context(state=state))

    assert world.requests == []
    assert query().execute(make_context(2, max_tries=2, state=state))["accepted"] == 5


def test_more_rows_than_fit_into_an_xcom_need_a_folder(
    tmp_path: Path, world: World, query: Make, make_context: MakeContext, crm: Crm
) -> None:
    crm.fill(phones(501))
    state: dict[str, str] = {}

    with pytest.raises(InputError, match="outcomes_path: expected a folder for more than 500 contacts"):
        query().execute(make_context(state=state))

    assert world.requests == []
    assert query(outcomes_path=str(tmp_path)).execute(make_context(2, state=state))["accepted"] == 501
    crm.fill(phones(500))
    assert query().execute(make_context())["accepted"] == 500


# -- templates


def test_sql_and_its_connection_are_templates(query: Make, make_context: MakeContext) -> None:
    operator = query(sql=SQL + " WHERE phone > '{{ params.after }}'", sql_conn_id="{{ params.database }}")

    operator.render_template_fields({"params": {"after": "+447700900002", "database": "crm"}})

    assert operator.execute(make_context())["contacts"] == 2


def test_sql_may_be_in_a_file(tmp_path: Path, query: Make, make_context: MakeContext) -> None:
    (tmp_path / "people.sql").write_text(SQL + " LIMIT {{ params.most }} -- the first ones\n")
    with DAG("campaigns", schedule=None, template_searchpath=str(tmp_path)):
        operator = query(sql="people.sql")
    operator.resolve_template_files()

    operator.render_template_fields({"params": {"most": 3}})

    assert operator.execute(make_context())["contacts"] == 3
    assert operator.template_fields_renderers["sql"] == "sql"


def test_making_an_operator_asks_for_no_connection(world: World) -> None:
    AcmeOperator(task_id="send", world=world, sql=SQL, sql_conn_id="there is none")


def test_after_a_refused_call_the_rows_are_unsent(query: Make, make_context: MakeContext, world: World) -> None:
    refuse_after(world, 0)
    context = make_context()

    with pytest.raises(CallRefusedError):
        query().execute(context)

    assert statuses(context["ti"].pushed["outcomes"]) == ["unsent"] * 5
