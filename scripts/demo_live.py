"""
Runs the example DAGs that wait for a person or for an event: ``airflow standalone``, answers through its REST API.

``make demo-live``, or ``python scripts/demo_live.py``. A delivery is approved, another one rejected; then a campaign
ends at Exotel, and the watcher in the triggerer starts the DAG that follows it up. Exits with 1 when a DAG fails, or
the sandbox received something else than the DAGs say. Airflow keeps its files in a folder that is gone afterwards.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from dag_runs import DagRun, TaskRun
from demo import SPEED, Example, account, differences, received_since, report
from running_airflow import FINISHED, RunningAirflow, running_examples, wait_for

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient

# On a busy machine Airflow takes its time.
WAIT_SECONDS = 100.0
# What a task that waits for a person is, from Airflow 3.3 on and before.
WAITING = frozenset({"awaiting_input", "deferred"})

APPROVAL, FORM, FOLLOW_UP = "approve_before_sending", "trigger_form", "exotel_follow_up"
# At the sandbox the line of the first is busy, the second does not answer.
NOT_REACHED = ["+447700900991", "+447700900992"]
NUMBERS = [*NOT_REACHED, "+447700900150", "+447700900151"]

ADDRESS = re.compile(r"\+?\d{7,}|[\w.+-]+@[\w.-]+\w")


def main() -> int:
    """Run the examples and return the exit status."""
    started = time.monotonic()
    print("airflow standalone ...", flush=True)
    with SandboxServer(speed=SPEED) as server, running_examples(server.url) as airflow:
        for dag_id in (APPROVAL, FORM, FOLLOW_UP):
            airflow.unpause(dag_id)
        sandbox = SandboxClient(server.url)
        examples = [
            approval(airflow, sandbox, "Approve"),
            approval(airflow, sandbox, "Reject"),
            follow_up(airflow, sandbox),
        ]
        report(examples, time.monotonic() - started)
    return int(any(example.problems for example in examples))


def approval(airflow: RunningAirflow, sandbox: SandboxClient, answer: str) -> Example:
    """Run the DAG that asks a person before it sends, and answer ``Approve`` or ``Reject``."""
    with _example(airflow, APPROVAL) as example:
        before = _contacts(sandbox)
        run = LiveRun(airflow, APPROVAL, airflow.start_run(APPROVAL))
        question = run.question("approve")
        example.problems += shown_addresses(question, run.xcoms("preview"))
        if _contacts(sandbox) > before:
            example.problems.append("contacts were reached before the answer")
        print(f"  {question['subject']} {answer}", flush=True)
        run.answer("approve", answer)
        said = account(example, run.end(), skipped={"send"} if answer == "Reject" else ())
        example.problems += differences(said, received_since(sandbox, before))
    return example


def follow_up(airflow: RunningAirflow, sandbox: SandboxClient) -> Example:
    """Let a campaign end at Exotel, and see the run that its watcher starts."""
    with _example(airflow, FOLLOW_UP) as example:
        before = _contacts(sandbox)
        # What is over before its first poll starts nothing.
        wait_for("a poll by the watcher", lambda: _is_watched(sandbox), WAIT_SECONDS)
        form = LiveRun(airflow, FORM, airflow.start_run(FORM, name="Renewals", numbers=NUMBERS))
        rung = account(example, form.end(), {("ring", -1): NUMBERS})
        wait_for("a run that the watcher starts", lambda: bool(_run_ids(airflow)), WAIT_SECONDS)
        print("  the campaign is over, and the watcher started a run", flush=True)
        leads = account(example, LiveRun(airflow, FOLLOW_UP, _run_ids(airflow)[0]).end())
        if sorted(lead.contact for lead in leads) != NOT_REACHED:
            example.problems.append(f"not {NOT_REACHED} became leads, but {sorted(lead.contact for lead in leads)}")
        example.problems += differences(rung + leads, received_since(sandbox, before))
    return example


def shown_addresses(*shown: Any) -> list[str]:
    """Return a sentence for each phone number and e-mail address that is shown in clear."""
    return [f"{address} is shown in clear" for one in shown for address in ADDRESS.findall(str(one))]


@dataclass(frozen=True)
class LiveRun:
    """A run of a DAG, by Airflow's REST API."""

    airflow: RunningAirflow
    dag_id: str
    run_id: str

    def question(self, task_id: str) -> dict[str, str]:
        """Return the ``subject`` and ``body`` of what a task asks, once it waits for the answer."""
        wait_for(f"a question of {task_id}", lambda: self._waits(task_id), WAIT_SECONDS)
        detail = self.airflow.call("GET", self._question(task_id))
        return {name: detail[name] for name in ("subject", "body")}

    def answer(self, task_id: str, option: str) -> None:
        """Answer what a task asks."""
        self.airflow.call("PATCH", self._question(task_id), chosen_options=[option], params_input={})

    def end(self) -> DagRun:
        """Return what the run left, once it is finished."""
        wait_for(f"the end of {self.dag_id}", lambda: self._state() in FINISHED, WAIT_SECONDS)
        tasks = self.airflow.call("GET", f"{self._path}/taskInstances")["task_instances"]
        return DagRun(self.dag_id, self.run_id, self._state(), [self._task(task) for task in tasks])

    def xcoms(self, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """Return the XComs of a task, by key."""
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries"
        index = f"map_index={map_index}"
        keys = [entry["key"] for entry in self.airflow.call("GET", f"{path}?{index}")["xcom_entries"]]
        return {key: self.airflow.call("GET", f"{path}/{key}?{index}")["value"] for key in keys}

    def _waits(self, task_id: str) -> bool:
        """
        Whether a task waits for an answer, and the scheduler knows that the process which asked has ended.

        Airflow fails a task that is answered, and queued again, before that. No person is so quick.
        """
        if self.airflow.call("GET", f"{self._path}/taskInstances/{task_id}")["state"] not in WAITING:
            return False
        parts = ("executor event", f"task_id='{task_id}'", f"run_id='{self.run_id}'")
        return any(all(text in line for text in parts) for line in self.airflow.printed().splitlines())

    def _task(self, task: dict[str, Any]) -> TaskRun:
        task_id, map_index = task["task_id"], task["map_index"]
        return TaskRun(task_id, map_index, task["state"], task["try_number"], self.xcoms(task_id, map_index))

    def _state(self) -> str:
        return str(self.airflow.call("GET", self._path)["state"])

    def _question(self, task_id: str) -> str:
        return f"{self._path}/taskInstances/{task_id}/-1/hitlDetails"

    @property
    def _path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}"


@contextmanager
def _example(airflow: RunningAirflow, dag_id: str) -> Iterator[Example]:
    """Give an example to be filled; what stops it is one of its problems."""
    print(f"{dag_id} ...", flush=True)
    example = Example(dag_id, airflow.home / f"{dag_id}.problems")
    try:
        yield example
    except (TimeoutError, requests.RequestException) as error:
        example.problems.append(str(error))
    if example.problems:
        failed = airflow.call("GET", "dags/~/dagRuns/~/taskInstances?state=failed")["task_instances"]
        logs = [airflow.task_log(task["dag_id"], task["dag_run_id"], task["task_id"]) for task in failed]
        example.log.write_text("\n".join(logs) or airflow.printed())


def _contacts(sandbox: SandboxClient) -> int:
    return len(sandbox.received()["contacts"])


def _is_watched(sandbox: SandboxClient) -> bool:
    return any(request["call"] == "list_campaigns" for request in sandbox.received("exotel")["requests"])


def _run_ids(airflow: RunningAirflow) -> list[str]:
    return [run["dag_run_id"] for run in airflow.call("GET", f"dags/{FOLLOW_UP}/dagRuns")["dag_runs"]]


if __name__ == "__main__":
    sys.exit(main())
