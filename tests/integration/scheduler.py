"""A whole Airflow of its own, scheduler, executor and REST API, for what happens between the tries of a task."""

from __future__ import annotations

import json
import sys
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dag_runs
import psutil
from running_airflow import AIRFLOW, AIRFLOW_3, FINISHED, LAST, POLL_SECONDS, RunningAirflow, wait_for

from tests.migrated import copy_database

DAGS = Path(__file__).with_name("dags")

# A task starts within seconds; on a busy machine that has to notice a dead supervisor first, it takes longer.
WAIT_SECONDS = 100.0
IMPATIENT_SECONDS = 2.0
# Seconds without a heartbeat after which a task counts as dead, and a triggerer.
HEARTBEAT_SECONDS = 15
TRIGGERER_SECONDS = 5

# Makes it notice quickly what has died.
NOTICING = {
    "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": str(HEARTBEAT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_SECONDS),
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": str(HEARTBEAT_SECONDS),
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "2",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_SECONDS),
}

# What it does not do again and again: parse files that do not change, and import the same modules in each task.
DOING_ONCE = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
    **({"AIRFLOW__CORE__EXECUTOR": "tests.integration.executor.WarmLocalExecutor"} if AIRFLOW_3 else {}),
}


@dataclass(frozen=True)
class Task:
    """What Airflow says of a task instance; ``pid`` is the process that executes the operator."""

    state: str | None
    try_number: int
    pid: int | None


class ScheduledAirflow(RunningAirflow):
    """
    Starts the parts of Airflow by themselves, so that a test may kill a triggerer; what dies is noticed soon.

    :param folder: an empty folder.
    :param sandbox_url: where the connections lead to; ``<vendor>_impatient`` do not wait long for an answer.
    :param settings: environment variables; None does not set one that would be set here.
    """

    def __init__(self, folder: Path, sandbox_url: str, **settings: str | None) -> None:
        connections = _impatient(dag_runs.environment(folder, DAGS, sandbox_url))
        unpaused = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False"}
        super().__init__(folder, DAGS, sandbox_url, **{**unpaused, **NOTICING, **DOING_ONCE, **connections, **settings})

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        """Run a triggerer, which is killed in the end."""
        guard = self.start({"triggerer": [*AIRFLOW, "triggerer", "--skip-serve-logs"]})
        try:
            yield
        finally:
            guard.communicate()

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Start a run of a DAG, whose only task is ``send``."""
        return Run(self, dag_id, self.start_run(dag_id, **conf))

    def prepare(self) -> None:
        """Create the database."""
        if not copy_database(self.home):
            self.run(sys.executable, "-c", "import dag_runs; dag_runs.migrate()")

    def commands(self) -> dict[str, list[str]]:
        """Return the scheduler, and what serves the REST API and parses the DAGs."""
        scheduler = {"scheduler": [*AIRFLOW, "scheduler", "--skip-serve-logs"]}
        if AIRFLOW_3:
            return {
                **scheduler,
                "api-server": [*AIRFLOW, "api-server"],
                "dag-processor": [*AIRFLOW, "dag-processor"],
            }
        # Airflow's own command starts gunicorn, which takes three processes and twice as long.
        (self.home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
        flask = [sys.executable, "-m", "flask", "--app", "airflow.www.app:cached_app", "run"]
        return {**scheduler, "webserver": [*flask, "--host", "127.0.0.1", "--port", str(self.port)]}


@dataclass
class Run:
    """One run of a DAG, and its task of interest."""

    airflow: ScheduledAirflow
    dag_id: str
    run_id: str
    task_id: str = "send"
    _killed: set[int] = field(default_factory=set)

    def task(self) -> Task:
        """Return the task instance as it is now."""
        fields = self.airflow.call("GET", self._path)
        return Task(fields["state"], fields["try_number"] or 0, fields["pid"])

    def running(self) -> Task:
        """Return the task instance once it runs in a process that has not been killed."""
        return self.until("runs", self._runs)

    def _runs(self, task: Task) -> bool:
        return task.state == "running" and task.pid not in {None, *self._killed}

    def end(self, seconds: float = WAIT_SECONDS, poll: float = POLL_SECONDS) -> Task:
        """Return the task instance once it succeeded, or failed for good."""
        return self.until("ends", lambda task: task.state in FINISHED, seconds, poll)

    def until(
        self, what: str, reached: Callable[[Task], bool], seconds: float = WAIT_SECONDS, poll: float = POLL_SECONDS
    ) -> Task:
        """Return the task instance once it is as ``reached`` wants it."""
        found: list[Task] = []

        def is_reached() -> bool:
            found[:] = [self.task()]
            return reached(found[0])

        self.wait(f"a task that {what}", is_reached, seconds, poll)
        return found[0]

    def wait(
        self, what: str, condition: Callable[[], bool], seconds: float = WAIT_SECONDS, poll: float = POLL_SECONDS
    ) -> None:
        """Return once ``condition`` holds, as ``wait_for``; the error of a wait in vain has all logs."""
        try:
            wait_for(f"{what} of {self.dag_id}", condition, seconds, poll)
        except TimeoutError as error:
            error.add_note("\n".join((str(self.task()), self.log()[-LAST:], self.airflow.printed(LAST))))
            raise

    def clear(self) -> None:
        """Clear the task, as a person does, once more if need be: a scheduler that is just ending the run undoes it."""
        self._clear()

        def is_cleared() -> bool:
            if self.task().state is not None:
                return True
            if self.airflow.call("GET", self._run_path)["state"] in FINISHED:
                self._clear()
            return False

        self.wait("a task that is cleared", is_cleared)

    def _clear(self) -> None:
        if not AIRFLOW_3 and self.task().state == "running":
            self._clear_by_command()
            return
        order = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "task_ids": [self.task_id]}
        self.airflow.call("POST", f"dags/{self.dag_id}/clearTaskInstances", dag_run_id=self.run_id, **order)

    def _clear_by_command(self) -> None:
        """Clear it by the command line: the REST API of Airflow 2 does not end a running task."""
        date = self.airflow.call("GET", self._run_path)["logical_date"]
        self.airflow.command("tasks", "clear", "--yes", "--start-date", date, "--end-date", date, self.dag_id)

    def mark_failed(self) -> None:
        """Mark the task failed, as a person does."""
        dry_run = {} if AIRFLOW_3 else {"dry_run": False}
        self.airflow.call("PATCH", self._path, new_state="failed", **dry_run)

    def signal(self, number: int, *, supervisor: bool = False, task: bool = True) -> bool:
        """
        Signal the process that executes the operator, and the parent that watches over it; False if it has ended.

        The parent is the executor's worker on Airflow 3, ``airflow tasks run --local`` on 2.
        """
        found = self.until("runs or has ended", lambda task: task.state in FINISHED or self._runs(task))
        if found.state in FINISHED:
            return False
        pid = found.pid
        assert pid
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            # The parent first: it would report the child's end.
            for victim in (process.parent() if supervisor else None, process if task else None):
                if victim:
                    victim.send_signal(number)
        self._killed.add(pid)
        return True

    def wait_until_deferred(self, seconds: float = WAIT_SECONDS) -> None:
        """
        Return once the task is deferred, and the scheduler knows that the try's process has ended.

        If the trigger fires before, Airflow takes the end of that process for that of the resumed task, and fails it.
        Airflow 2's SequentialExecutor runs everything that is queued before the scheduler knows of any end.
        """
        known = "Received executor event with state success for task instance TaskInstanceKey("
        key = f"dag_id={self.dag_id!r}, task_id={self.task_id!r}, run_id={self.run_id!r}, try_number="
        log = self.airflow.home / "scheduler.log"

        def is_known(task: Task) -> bool:
            return not AIRFLOW_3 or f"{known}{key}{task.try_number}, " in log.read_text()

        self.until("is deferred", lambda task: task.state == "deferred" and is_known(task), seconds)

    def links(self) -> dict[str, str | None]:
        """Return the task's extra links, as the UI shows them."""
        answer = self.airflow.call("GET", f"{self._path}/links")
        links: dict[str, str | None] = answer.get("extra_links", answer) if AIRFLOW_3 else answer
        return links

    def xcom(self, key: str) -> Any:
        """Return an XCom of the last try, which is a collection."""
        value = self.airflow.call("GET", f"{self._path}/xcomEntries/{key}")["value"]
        return literal_eval(value) if isinstance(value, str) else value  # Airflow 2 answers with Python's words for it

    def log(self) -> str:
        """Return the task's log, of all tries."""
        return self.airflow.task_log(self.dag_id, self.run_id, self.task_id)

    @property
    def _run_path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}"

    @property
    def _path(self) -> str:
        return f"{self._run_path}/taskInstances/{self.task_id}"


def _impatient(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a second connection for each, ``<vendor>_impatient``, which does not wait long for an answer."""
    connections = {name: json.loads(text) for name, text in environment.items() if name.startswith("AIRFLOW_CONN_")}
    return {
        name.replace("_DEFAULT", "_IMPATIENT"): json.dumps(
            fields | {"extra": fields.get("extra", {}) | {"timeout": IMPATIENT_SECONDS}}
        )
        for name, fields in connections.items()
    }
