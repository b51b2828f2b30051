"""
No secret, phone number or e-mail address is left behind, whatever goes wrong and however much is logged.

What may hold recipients: the folder of outcomes; without one the XCom ``outcomes`` and the record of what was sent;
beside the outcomes also the copy of a query's result.
"""

from __future__ import annotations

import json
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskDeferred

from airflow_provider_campaigns.operators.base import idempotent_create
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor
from tests.connections import keep_tokens_in_memory
from tests.integration.conftest import AirflowProcess
from tests.integration.leaks import (
    AIRFLOWS_OWN,
    COLLECTOR_TOKEN,
    CONTACTS,
    NUMBERS,
    PHONES,
    RECIPIENTS,
    SECRETS,
    connections,
    files,
    found,
    probing_operators,
    rows,
)
from tests.operators.conftest import make_context
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import write_csv
from tests.stored_dags import stored_dag

__all__ = ["make_context"]

# Which connections the operators use, and the sandbox's fault.
FAILURES = {
    "none": ("sandbox", None),
    "refused": ("sandbox", "refuse"),
    "unauthorized": ("sandbox", "unauthorized"),
    "server error": ("sandbox", "500"),
    "drop": ("sandbox", "drop"),
    "reset": ("sandbox", "reset"),
    "cut": ("sandbox", "cut"),
    "HTML": ("sandbox", "html"),
    "echo in a 200": ("200", None),
    "echo in a 400": ("400", None),
    "echo in a 401": ("401", None),
    "echo in a 500": ("500", None),
    "echo in HTML": ("html", None),
    "echo when signing in": ("sign_in", None),
}
# Those that Airflow itself runs: each way that an error takes idempotent_create.
IN_DAGS = ("none", "unauthorized", "drop", "echo in a 400", "echo in HTML", "echo when signing in")
OPERATORS = [operator.task_id for operator in probing_operators("sandbox", "contacts.csv", "numbers.csv", None)]


def accepted_by(operator: str) -> int:
    """Return how many contacts an operator sends: of phone numbers also the one that begins with ``tel:``."""
    return 7 if operator in {"lead", "bulk"} else 6


@pytest.fixture
def people(tmp_path: Path) -> tuple[str, str]:
    """Files of contacts, and of numbers for Exotel."""
    return write_csv(tmp_path / "contacts.csv", CONTACTS), write_csv(tmp_path / "numbers.csv", NUMBERS)


def left_behind(airflow: AirflowProcess) -> Iterator[tuple[str, str]]:
    """Yield all that an Airflow left, with where it is; of the database, the table and the key if there is one."""
    yield "output", "\n".join(line for line in airflow.output().splitlines() if not AIRFLOWS_OWN.search(line))
    for name, text in files(airflow.home):
        if not Path(name).name.startswith("airflow.db"):
            yield name, text
    for table, row in rows(airflow.home / "airflow.db"):
        yield " ".join((table, row.get("key", ""))), json.dumps(row)


def test_the_search_finds_what_must_not_be_there() -> None:
    text = f"{PHONES[0]}, probe-11%40example.com, {COLLECTOR_TOKEN}, xebo-token-1"
    assert len(found(text, [*SECRETS, COLLECTOR_TOKEN, *RECIPIENTS])) == 4


@pytest.mark.parametrize("failure", IN_DAGS)
def test_airflow_keeps_nothing(
    airflow: AirflowProcess, sandbox: SandboxClient, people: tuple[str, str], tmp_path: Path, failure: str
) -> None:
    kind, fault = FAILURES[failure]
    if fault:
        sandbox.fault(fault, times=-1)

    run = airflow.run(f"""
from tests.integration.leaks import probing_operators

probing_operators({kind!r}, {people[0]!r}, {people[1]!r}, {str(tmp_path / "outcomes")!r})
""")

    receipts = {task.task_id: task.xcoms["receipt"] for task in run.tasks if "receipt" in task.xcoms}
    # A created campaign has one too.
    assert len(receipts) == (7 if failure == "none" else 6)
    for name, receipt in receipts.items():
        assert receipt["accepted"] == (accepted_by(name) if failure == "none" else 0), name
    for place, text in left_behind(airflow):
        assert found(text, [*SECRETS, COLLECTOR_TOKEN, *RECIPIENTS]) == [], place
    outcomes = "".join(text for _, text in files(tmp_path / "outcomes"))
    assert found(outcomes, SECRETS) == []
    assert found(outcomes, RECIPIENTS[:1])


def test_without_a_folder_only_the_outcomes_name_recipients(airflow: AirflowProcess, sandbox: SandboxClient) -> None:
    run = airflow.run("""
from tests.integration.leaks import CONTACTS, NUMBERS, probing_operators

probing_operators("sandbox", CONTACTS, NUMBERS, None)
""")

    assert {task.task_id: task.state for task in run.tasks} == {
        name: "failed" if name == "update" else "success" for name in OPERATORS
    }
    for place, text in left_behind(airflow):
        allowed = place == "xcom outcomes" or place.startswith("task_state_store outcomes-")
        assert found(text, [*SECRETS, COLLECTOR_TOKEN, *([] if allowed else RECIPIENTS)]) == [], place
    rendered = [text for place, text in left_behind(airflow) if place.startswith("rendered_task_instance_fields")]
    assert any("10 contacts" in text for text in rendered)


def test_the_copy_of_a_querys_result_is_only_where_the_outcomes_are(
    airflow: AirflowProcess, sandbox: SandboxClient, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
        database.execute("CREATE TABLE people (phone TEXT, email TEXT)")
        database.executemany("INSERT INTO people VALUES (:phone, :email)", CONTACTS)
    crm = json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")})

    run = airflow.run(f"""
import os

os.environ["AIRFLOW_CONN_CRM"] = {crm!r}
query = {{"sql": "SELECT phone AS phoneNumber FROM people", "sql_conn_id": "crm", "campaign_name": "Demo"}}
AddCampaignLeadOperator(task_id="store", **query)
AddCampaignLeadOperator(task_id="folder", outcomes_path={str(tmp_path / "outcomes")!r}, **query)
""")

    assert {task.task_id: task.xcoms["receipt"]["contacts"] for task in run.tasks} == {"store": 10, "folder": 10}
    for place, text in left_behind(airflow):
        allowed = place.startswith(("xcom outcomes", "task_state_store outcomes-", "task_state_store contacts-"))
        assert found(text, [*SECRETS, *([] if allowed else RECIPIENTS)]) == [], place
    (copy,) = tmp_path.glob("outcomes/*/*/folder/contacts/*")
    assert found(copy.read_text(), RECIPIENTS)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, echo_url: str) -> None:
    """Set what operators need that are executed outside Airflow."""
    for name, value in connections(sandbox.url, echo_url).items():
        monkeypatch.setenv(name, value)
    keep_tokens_in_memory(monkeypatch)
    monkeypatch.setattr(idempotent_create, "lookup_delays", lambda timeout: [0.0])


@pytest.mark.newest_airflow
@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("failure", FAILURES)
def test_an_operator_keeps_nothing(
    *,
    sandbox: SandboxClient,
    people: tuple[str, str],
    tmp_path: Path,
    make_context: MakeContext,
    logs: Callable[[], str],
    failure: str,
    name: str,
) -> None:
    kind, fault = FAILURES[failure]
    if fault:
        sandbox.fault(fault, times=-1)
    operators = probing_operators(kind, *people, str(tmp_path / "outcomes"), COLLECTOR_TOKEN)
    operator = next(operator for operator in operators if operator.task_id == name)
    state: dict[str, str] = {}
    context = make_context(state=state)

    raised = ""
    try:
        operator.execute(context)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what an author sees
        raised = "".join(traceback.format_exception(error))

    pushed = context["ti"].pushed
    assert raised or name == "call" or pushed["receipt"]["accepted"] == (accepted_by(name) if failure == "none" else 0)
    places = {"logs": logs(), "error": raised, "state": json.dumps(state), "XComs": json.dumps(pushed)}
    for place, text in places.items():
        assert found(text, [*SECRETS, COLLECTOR_TOKEN, *RECIPIENTS]) == [], place
    for place, text in files(tmp_path / "outcomes"):
        assert found(text, SECRETS) == [], place


WAITING: dict[str, Any] = {"task_id": "wait", "deferrable": True}
DEFERRING: dict[str, Callable[[], BaseOperator]] = {
    "ozonetel": lambda: OzonetelCampaignSensor(campaign_name="Demo", ozonetel_conn_id="ozonetel_sandbox", **WAITING),
    "xebo": lambda: XeboResponsesSensor(survey_id="s", minimum_responses=1, xebo_conn_id="xebo_sandbox", **WAITING),
    "xtremepush": lambda: XtremepushCampaignSensor(
        campaign_id="draft", xtremepush_conn_id="xtremepush_sandbox", **WAITING
    ),
    "exotel": lambda: CreateExotelCampaignOperator(
        name="Probe",
        caller_id="+442079460000",
        read_via_text="Hello",
        contacts=NUMBERS,
        wait_for_completion=True,
        pause_on_kill=True,
        exotel_conn_id="exotel_sandbox",
        **WAITING,
    ),
}


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("vendor", DEFERRING)
def test_a_trigger_carries_nothing(make_context: MakeContext, vendor: str) -> None:
    with pytest.raises(TaskDeferred) as deferred:
        DEFERRING[vendor]().execute(make_context())

    stored = json.dumps(deferred.value.trigger.serialize())
    assert f"{vendor}_sandbox" in stored
    assert found(stored, [*SECRETS, *RECIPIENTS]) == []


def test_a_serialized_dag_holds_no_literal_contacts() -> None:
    with DAG("probe", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        probing_operators("sandbox", CONTACTS, NUMBERS, None)

    stored = stored_dag(dag)

    assert "10 contacts" in stored
    assert found(stored, [*SECRETS, *RECIPIENTS]) == []
