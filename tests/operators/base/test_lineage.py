"""What OpenLineage gets of a delivery, made of its client's own types."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.serde import Serde

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.base.lineage import lineage_of
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, keep_tokens_in_memory
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import write_csv

PHONE, NAME = "+447700900100", "Zoë"
Deliver = Callable[..., tuple[CampaignDeliveryOperator[Any], Any]]


@pytest.fixture
def deliver(sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    """Return a function that delivers leads to the sandbox, and returns the operator and the receipt."""
    connect(monkeypatch, sandbox, "ozonetel")
    keep_tokens_in_memory(monkeypatch)

    def run(**options: Any) -> tuple[CampaignDeliveryOperator[Any], Any]:
        operator = AddCampaignLeadOperator(task_id="add", campaign_name="Demo", **options)
        return operator, operator.execute(make_context())

    return run


def event_of(operator: CampaignDeliveryOperator[Any], receipt: Any) -> dict[str, Any]:
    """Return the event that the client would emit, as JSON."""
    lineage = lineage_of(operator, receipt)
    event = RunEvent(
        eventType=RunState.COMPLETE,
        eventTime=datetime.now(UTC).isoformat(),
        run=Run(runId=str(uuid4()), facets=lineage.run_facets),
        job=Job(namespace="default", name="leads.add", facets={**lineage.job_facets}),
        producer="https://github.com/example/airflow-provider-campaigns",
        inputs=lineage.inputs,
        outputs=lineage.outputs,
    )
    made: dict[str, Any] = json.loads(Serde.to_json(event))
    return made


def named(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["namespace"], one["name"]) for one in datasets]


def test_a_file_that_goes_to_a_campaign(deliver: Deliver, tmp_path: Path, sandbox: SandboxClient) -> None:
    rows = [{"phoneNumber": number, "Name": NAME} for number in (PHONE, PHONE, "none")]
    path = write_csv(tmp_path / "leads.csv", rows)

    event = event_of(*deliver(contacts=path, max_invalid=None))

    assert named(event["inputs"]) == [("file", path)]
    host = sandbox.url.removeprefix("http://")
    assert named(event["outputs"]) == [(f"ozonetel://{host}", "Demo")]
    assert event["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 1
    receipt = event["run"]["facets"]["campaignReceipt"]
    assert {name: number for name, number in receipt.items() if not name.startswith("_")} == {
        "contacts": 3,
        "accepted": 1,
        "duplicate": 1,
        "rejected": 0,
        "invalid": 1,
        "capped": 0,
        "unsent": 0,
        "unknown": 0,
        "requests": 1,
    }
    text = json.dumps(event, ensure_ascii=False)
    assert PHONE not in text
    assert NAME not in text


def test_contacts_in_the_dag_have_no_input(deliver: Deliver) -> None:
    event = event_of(*deliver(contacts=[{"phoneNumber": PHONE}]))
    assert event["inputs"] == []
    assert PHONE not in json.dumps(event)


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        ("/data/leads.csv", ("file", "/data/leads.csv")),
        ("file:///data/leads.csv", ("file", "/data/leads.csv")),
        ("s3://aws_default@bucket/leads/2026.parquet", ("s3://bucket", "leads/2026.parquet")),
        ("gs://bucket", ("gs://bucket", "/")),
        (Path("/data/leads.csv"), ("file", "/data/leads.csv")),
    ],
)
def test_files_are_named_as_openlineage_names_them(contacts: Any, expected: tuple[str, str], deliver: Deliver) -> None:
    _, receipt = deliver(contacts=[{"phoneNumber": PHONE}])
    for given in (contacts, [contacts]):
        operator = AddCampaignLeadOperator(task_id="other", campaign_name="Demo", contacts=given)
        assert named(event_of(operator, receipt)["inputs"]) == [expected]


def test_a_query_is_a_facet_of_the_job(deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps(fields))
    sql = "SELECT '+447700900100' AS phoneNumber"
    event = event_of(*deliver(sql=sql, sql_conn_id="crm"))
    assert event["job"]["facets"]["sql"]["query"] == "SELECT '+44***00' AS phoneNumber"
    # Without Airflow's OpenLineage provider nobody knows the tables.
    assert event["inputs"] == []


@pytest.mark.parametrize("missing", ["airflow.providers.openlineage.extractors", "openlineage.client.generated.base"])
def test_without_openlineage_there_is_none(missing: str, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, _ = deliver(contacts=[{"phoneNumber": PHONE}])
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "airflow_provider_campaigns.operators.base.lineage", raising=False)
    assert operator.get_openlineage_facets_on_complete(None) is None
