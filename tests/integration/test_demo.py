"""The demo, which `make demo` runs: what it reports when the sandbox received something else than the receipts say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import demo
import pytest
from dag_runs import DagRun, TaskRun
from demo import Contacted, Example

from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect, keep_tokens_in_memory
from tests.operators.conftest import make_context
from tests.operators.contexts import MakeContext

__all__ = ["make_context"]

pytestmark = pytest.mark.newest_airflow

EXAMPLES = Path(__file__).parents[2] / "dags_examples"

LEAD = Contacted("ozonetel", "Demo", "+447700900100", "accepted")
OTHER = LEAD._replace(contact="+447700900101")


@pytest.fixture
def sent(sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    """A task that has sent a lead to the sandbox."""
    connect(monkeypatch, sandbox, "ozonetel")
    keep_tokens_in_memory(monkeypatch)
    context = make_context()
    lead = {"phoneNumber": LEAD.contact}
    AddCampaignLeadOperator(task_id="add", campaign_name=LEAD.campaign, contacts=[lead]).execute(context)
    return TaskRun("add", -1, "success", 1, context["ti"].pushed)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    example = Example("ozonetel_leads", tmp_path / "ozonetel_leads.log")
    example.log.write_text("the last line of its log\n")
    return example


def reported(example: Example, run: DagRun, sandbox: SandboxClient, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the demo prints of a run."""
    demo.compare(example, run, demo.received_since(sandbox, 0))
    demo.report([example], 1)
    return capsys.readouterr().out


def test_a_run_that_reached_whom_its_receipts_name(
    sandbox: SandboxClient, sent: TaskRun, example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = reported(example, DagRun("ozonetel_leads", "run", "success", [sent]), sandbox, capsys)

    assert "1 DAGs, 1 contacts, 1 s: the sandbox received what the receipts say, contact by contact" in printed
    assert example.problems == []


def test_a_contact_that_is_reached_past_the_operators_is_reported(
    sandbox: SandboxClient, sent: TaskRun, example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    lead = {"campaignName": OTHER.campaign, "phoneNumber": OTHER.contact, "userName": "sandbox"}
    OzonetelHook().call("POST", "ca_apis/AddCampaignData", json=lead)

    printed = reported(example, DagRun("ozonetel_leads", "run", "success", [sent]), sandbox, capsys)

    assert (
        "ozonetel_leads:\n  ozonetel Demo, +447700900101: accepted 0 times by the outcomes, 1 times at the sandbox\n"
    ) in printed
    assert "the last line of its log" in printed
    assert "1 DAGs, 1 contacts, 1 s: 1 went wrong" in printed


def test_a_task_that_failed_is_reported(
    sandbox: SandboxClient, example: Example, capsys: pytest.CaptureFixture[str]
) -> None:
    run = DagRun("ozonetel_leads", "run", "failed", [TaskRun("add", -1, "failed", 1)])

    printed = reported(example, run, sandbox, capsys)

    assert "ozonetel_leads:\n  task add is failed\n  the DAG run is failed\n" in printed
    assert "1 DAGs, 0 contacts, 1 s: 1 went wrong" in printed


def test_an_example_that_is_no_dag_is_reported(tmp_path: Path) -> None:
    lost = "xebo_survey_links"
    others = {file.stem for file in EXAMPLES.glob("*.py")} - {lost}

    (example,) = demo.missing(EXAMPLES, others, tmp_path)

    assert (example.dag_id, example.problems) == (lost, ["no such DAG"])
    assert demo.missing(EXAMPLES, {*others, lost}, tmp_path) == []


@pytest.mark.parametrize(
    ("said", "received", "reported"),
    [
        ([LEAD], [], ["+447700900100: accepted 1 times by the outcomes, 0 times"]),
        ([], [LEAD], ["+447700900100: accepted 0 times by the outcomes, 1 times"]),
        ([LEAD], [LEAD, LEAD], ["+447700900100: accepted 1 times by the outcomes, 2 times"]),
        ([LEAD], [OTHER], ["+447700900100: accepted 1 times", "+447700900101: accepted 0 times"]),
        ([LEAD], [LEAD._replace(outcome="duplicate")], ["accepted 1 times", "duplicate 0 times"]),
        ([LEAD], [LEAD._replace(campaign="Zeta")], ["Demo, +447700900100", "Zeta, +447700900100"]),
        ([LEAD], [LEAD._replace(vendor="xebo")], ["ozonetel Demo", "xebo Demo"]),
        ([LEAD, OTHER, LEAD], [LEAD, LEAD, OTHER], []),
    ],
)
def test_every_difference_is_reported(said: list[Contacted], received: list[Contacted], reported: list[str]) -> None:
    sentences = demo.differences(Counter(said), Counter(received))

    assert len(sentences) == len(reported)
    assert all(words in sentence for words, sentence in zip(reported, sentences, strict=True))
