"""The demo: every example DAG runs, and what it says is held against what the sandbox received."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import demo
import pytest
from demo import Contacted

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "dags_examples"

LEAD = Contacted("ozonetel", "Demo", "+447700900100", "accepted")
OTHER = LEAD._replace(contact="+447700900101")

# A task that reaches a contact past the operators, and a task that fails.
DAGS = """
from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

def dag(name):
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc))

def add(campaign):
    return AddCampaignLeadOperator(task_id="add", campaign_name=campaign, contacts=[{"phoneNumber": "+447700900100"}])

with dag("honest"):
    add("Honest")

with dag("more_than_it_says"):
    @task
    def past_the_operators():
        lead = {"campaignName": "More", "phoneNumber": "+447700900101", "userName": "sandbox"}
        OzonetelHook().call("POST", "ca_apis/AddCampaignData", json=lead)

    add("More") >> past_the_operators()

with dag("refused"):
    add("unknown")
"""


def run_demo(home: Path, dags: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), "--home", str(home), "--dags", str(dags)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_every_example_does_what_it_says(tmp_path: Path) -> None:
    ran = run_demo(tmp_path, EXAMPLES)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "the sandbox received what the receipts say, contact by contact" in ran.stdout
    for example in EXAMPLES.glob("*.py"):
        left_out = '"live"' in example.read_text()
        assert left_out or f"{example.stem} ..." in ran.stdout.splitlines()


def test_the_demo_fails_when_the_sandbox_received_something_else(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "dags.py").write_text(DAGS)

    ran = run_demo(tmp_path / "home", dags)

    assert ran.returncode == 1
    assert "honest:" not in ran.stdout
    assert (
        "more_than_it_says:\n  ozonetel More, +447700900101: accepted 0 times by the outcomes, 1 times at the sandbox\n"
    ) in ran.stdout
    assert "refused:\n  task add is failed\n" in ran.stdout
    assert "3 DAGs, 3 contacts" in ran.stdout
    assert "2 went wrong" in ran.stdout


@pytest.mark.parametrize(
    ("said", "received", "told"),
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
def test_every_difference_is_told(said: list[Contacted], received: list[Contacted], told: list[str]) -> None:
    sentences = demo.differences(Counter(said), Counter(received))

    assert len(sentences) == len(told)
    assert all(words in sentence for words, sentence in zip(told, sentences, strict=True))
