"""No secret, phone number or e-mail address is left behind by tasks of a real scheduler and triggerer, at DEBUG."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
from running_airflow import FINISHED, LAST, wait_for

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.leaks import (
    AIRFLOWS_OWN,
    COLLECTOR_TOKEN,
    CONTACTS,
    NUMBERS,
    RECIPIENTS,
    SECRETS,
    files,
    found,
    rows,
)
from tests.integration.scheduler import WAIT_SECONDS, Run, ScheduledAirflow
from tests.operators.deliveries import write_csv

pytestmark = pytest.mark.timeout(600)

# Sandbox seconds between two polls, fewer than a token lasts.
STEP = 120
PROBES = [*SECRETS, COLLECTOR_TOKEN, *RECIPIENTS]


def test_a_scheduler_and_a_triggerer_keep_nothing(
    scheduled: ScheduledAirflow, unlimited: SandboxClient, tmp_path: Path
) -> None:
    unlimited.reset()
    conf = {
        "contacts": write_csv(tmp_path / "contacts.csv", CONTACTS),
        "numbers": write_csv(tmp_path / "numbers.csv", NUMBERS),
        "outcomes": str(tmp_path / "outcomes"),
    }
    runs = {dag_id: scheduled.start_run(dag_id, **conf) for dag_id in ("leaks-sandbox", "leaks-400")}

    def path(dag_id: str) -> str:
        return f"dags/{dag_id}/dagRuns/{runs[dag_id]}"

    def states(dag_id: str) -> dict[str, str]:
        instances = scheduled.call("GET", f"{path(dag_id)}/taskInstances?limit=100")["task_instances"]
        return {f"{one['task_id']} {one['map_index']}": one["state"] for one in instances}

    def over() -> bool:
        # Leads that are added later are dialled later.
        unlimited.clock(advance=STEP)
        return all(scheduled.call("GET", path(dag_id))["state"] in FINISHED for dag_id in runs)

    with scheduled.triggerer():
        Run(scheduled, "leaks-sandbox", runs["leaks-sandbox"], "campaign").wait_until_deferred(2 * WAIT_SECONDS)
        wait_for("the ends of the runs", over, 3 * WAIT_SECONDS, poll=1.0)

    ended = states("leaks-sandbox")
    failed = {name for name, state in ended.items() if state != "success"}
    log = partial(scheduled.task_log, "leaks-sandbox", runs["leaks-sandbox"])
    assert failed == {"update -1"}, "\n".join(log(name.split()[0])[-LAST:] for name in failed)
    assert {"rows 0", "rows 1", "files 0"} <= ended.keys()
    assert {state for name, state in states("leaks-400").items() if name[:6] not in {"people", "paths "}} == {"failed"}
    for place, text in left_behind(scheduled):
        assert found(text, PROBES) == [], place


def left_behind(airflow: ScheduledAirflow) -> list[tuple[str, str]]:
    """Return all that was logged and stored, with where; but for what a task returned, which is its author's."""
    logged = [
        (name, "\n".join(line for line in text.splitlines() if not AIRFLOWS_OWN.search(line)))
        for name, text in files(airflow.home)
        if name.endswith(".log")
    ]
    stored = [
        (" ".join((table, row.get("task_id", ""), row.get("key", ""))), json.dumps(row))
        for table, row in rows(airflow.home / "airflow.db")
    ]
    return [*logged, *((place, text) for place, text in stored if place != "xcom people return_value")]
