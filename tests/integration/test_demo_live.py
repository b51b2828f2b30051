"""What the live demo finds wrong, and what a person is shown who approves a delivery."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import demo
import demo_live
import jinja2
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS
from dag_runs import DagRun, TaskRun

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "approve_before_sending.py"
LEADS = [
    {"phoneNumber": "+447700900100", "Name": "*Zoë* | zoe@example.com", "Mobile": "00 44 7700 900 111"},
    {"phoneNumber": "447700900100"},
    {"phoneNumber": "not given"},
]


@pytest.fixture
def example() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLE))


def test_who_approves_is_shown_the_audience_and_nobodys_address(
    example: dict[str, Any], sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, "ozonetel")
    preview = AddCampaignLeadOperator(task_id="preview", campaign_name="Offers", contacts=LEADS, preview=True)
    ti = SimpleNamespace(xcom_pull={"preview": (receipt := preview.execute({}))}.__getitem__)

    def rendered(template: str) -> str:
        text: str = jinja2.Template(template.replace("task_ids=", "")).render(ti=ti)
        return text

    assert rendered(example["SUBJECT"]) == "Hand 1 leads to the campaign Offers?"
    assert "| 1 | 1 | 1 |" in rendered(example["BODY"])
    # In code spans, so that no part of it counts as Markdown.
    assert "\n| `+44***00` | `*Zoë* \\| z***@example.com` |" in rendered(example["BODY"])
    assert demo_live.shown_addresses(rendered(example["BODY"]), receipt) == []
    assert sandbox.received("ozonetel")["requests"] == []


def test_there_is_something_to_approve_where_airflow_can_ask(example: dict[str, Any]) -> None:
    assert ("approve" in example) is AIRFLOW_V_3_1_PLUS


@pytest.mark.parametrize("address", ["+447700900100", "9900000017", "jo.b+x@example.co.uk"])
def test_an_address_in_clear_is_found(address: str) -> None:
    assert demo_live.shown_addresses({"body": f"| {address} |"}, "+44***00") == [f"{address} is shown in clear"]


@pytest.mark.parametrize(("state", "problems"), [("skipped", []), ("success", ["task send is success"])])
def test_what_was_rejected_must_have_been_skipped(tmp_path: Path, state: str, problems: list[str]) -> None:
    example = demo.Example("approve_before_sending", tmp_path)
    run = DagRun(example.dag_id, "run", "success", [TaskRun("send", -1, state, 1)])

    assert demo.account(example, run, skipped={"send"}) == {}
    assert example.problems == problems
