"""A function that yields many contacts, in a task that is killed half way, under a real scheduler."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from running_airflow import wait_for

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.scheduler import ScheduledAirflow

pytestmark = pytest.mark.timeout(300)

NUMBER, FEW = 100_000, 1_000
# Kilobytes; the contacts alone, as dicts in a list, take more than this.
MOST_MEMORY = 20_000


def test_a_hundred_thousand_contacts_are_sent_once_though_the_task_is_killed_half_way(
    scheduled: ScheduledAirflow, unlimited: SandboxClient, tmp_path: Path
) -> None:
    notes, outcomes = tmp_path / "notes", tmp_path / "outcomes"
    scheduled.trigger("decorated", number=FEW, notes=str(notes), outcomes=str(outcomes)).end()
    unlimited.reset()
    unlimited.latency(0.1)

    run = scheduled.trigger("decorated", number=NUMBER, notes=str(notes), outcomes=str(outcomes))
    run.running()
    wait_for("half of the requests", lambda: unlimited.counts("xtremepush")["requests"] >= NUMBER // 2_000, 100)
    assert run.signal(signal.SIGKILL)
    ended = run.end()

    receipt = run.xcom("return_value")
    assert (ended.state, ended.try_number) == ("success", 2)
    sent = Counter(contact["contact"] for contact in unlimited.received("xtremepush")["contacts"])
    assert set(sent.values()) == {1}, "nobody twice"
    unknown = {str(line["key"]) for line in read_outcomes(receipt, "unknown")}
    assert sent.keys() | unknown == {f"user-{number}" for number in range(NUMBER)}, "nobody lost"
    assert receipt["accepted"] + receipt["unknown"] == NUMBER
    # The requests that were in flight: two of 1,000, and as many ahead.
    assert len(unknown) == receipt["unknown"] <= 4_000
    noted = [line.split() for line in notes.read_text().splitlines()]
    assert [what for what, _ in noted] == ["called", "delivered"] * 2, "the second try reads the copy"
    assert int(noted[3][1]) - int(noted[1][1]) < MOST_MEMORY
    with closing(sqlite3.connect(scheduled.home / "airflow.db")) as database:
        rows = database.execute("SELECT key, value FROM xcom WHERE run_id = ?", (run.run_id,)).fetchall()
    assert {key for key, _ in rows} >= {"return_value", "receipt"}
    assert "user-" not in json.dumps([str(value) for _, value in rows])
