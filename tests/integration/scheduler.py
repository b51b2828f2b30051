"""A whole Airflow of its own, scheduler, executor and REST API, for what happens between the tries of a task."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dag_runs
import psutil
import requests
from airflow import __version__

from tests.installed import write_metadata

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).with_name("dags")
GUARD = Path(__file__).with_name("guard.py")
AIRFLOW = [sys.executable, "-m", "airflow"]
AIRFLOW_3 = not __version__.startswith("2.")

START_SECONDS = 100.0
# A task starts within seconds; on a busy machine that has to notice a dead supervisor first, it takes longer.
WAIT_SECONDS = 100.0
ANSWER_SECONDS = 20.0
IMPATIENT_SECONDS = 2.0
# Characters of a log that are shown when something was waited for in vain.
LAST = 4000
POLL_SECONDS = 0.1
# Seconds without a heartbeat after which a task counts as dead, and a triggerer.
HEARTBEAT_SECONDS = 15
TRIGGERER_SECONDS = 10

FINISHED = frozenset({"success", "failed"})
SECRET = "known to the processes of this Airflow alone, and to whoever reads its tests"


@dataclass(frozen=True)
class Task:
    """What Airflow says of a task instance; ``pid`` is the process that executes the operator."""

    state: str | None
    try_number: int
    pid: int | None


class ScheduledAirflow:
    """
    Starts Airflow in a folder of its own, and kills all of it in the end.

    :param folder: an empty folder.
    :param sandbox_url: where the connections lead to.
    :param settings: environment variables.
    """

    def __init__(self, folder: Path, sandbox_url: str, **settings: str) -> None:
        self.home = folder
        self._port = _free_port()
        self._session = requests.Session()
        self._session.trust_env = False
        self._environment = {**_inherited(), **_configuration(folder, self._port, sandbox_url), **settings}

    def __enter__(self) -> Self:
        write_metadata(self.home / "installed")
        self._run(sys.executable, "-c", "import dag_runs; dag_runs.migrate()")
        self._guard = self._start(self._commands())
        try:
            wait_for("Airflow's REST API", self._answers, START_SECONDS)
        except BaseException as error:
            self.__exit__()
            error.add_note(self.logs())
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._guard.communicate()

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        """Run a triggerer, which is killed in the end."""
        guard = self._start({"triggerer": [*AIRFLOW, "triggerer", "--skip-serve-logs"]})
        try:
            yield
        finally:
            guard.communicate()

    def trigger(self, dag_id: str, **conf: Any) -> Run:
        """Start a run of a DAG, whose only task is ``send``."""
        wait_for(f"the DAG {dag_id}", lambda: self._asked("GET", f"dags/{dag_id}").ok, START_SECONDS)
        logical_date = {"logical_date": None} if AIRFLOW_3 else {}
        return Run(self, dag_id, self.call("POST", f"dags/{dag_id}/dagRuns", conf=conf, **logical_date)["dag_run_id"])

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Call the REST API, again when SQLite was locked, and return what it answers."""
        answers = [self._asked(method, path, **body)]

        def is_answered() -> bool:
            if answers[-1].status_code >= requests.codes.server_error:
                answers.append(self._asked(method, path, **body))
            return answers[-1].status_code < requests.codes.server_error

        wait_for(f"an answer to {method} {path}", is_answered, ANSWER_SECONDS)
        assert answers[-1].ok, f"{method} {path}: {answers[-1].text}"
        return answers[-1].json()

    def command(self, *arguments: str) -> None:
        """Run a command of Airflow's."""
        self._run(*AIRFLOW, *arguments)

    def _start(self, commands: Mapping[str, Sequence[str]]) -> subprocess.Popen[str]:
        """Start commands, each with a log of its name, and return their guard."""
        guard = subprocess.Popen(
            [sys.executable, str(GUARD)],
            stdin=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=self.home,
            start_new_session=True,
        )
        assert guard.stdin
        guard.stdin.write(json.dumps({str(self.home / f"{name}.log"): one for name, one in commands.items()}) + "\n")
        guard.stdin.flush()
        return guard

    def _run(self, *command: str) -> None:
        subprocess.run(command, env=self._environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def logs(self) -> str:
        """Return what scheduler, API server and DAG processor printed last."""
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-LAST:]}" for log in self.home.glob("*.log"))

    def _asked(self, method: str, path: str, **body: Any) -> requests.Response:
        version = "v2" if AIRFLOW_3 else "v1"
        url = f"http://127.0.0.1:{self._port}/api/{version}/{path}"
        return self._session.request(method, url, json=body or None, timeout=30)

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            if AIRFLOW_3:
                token = self._session.get(f"http://127.0.0.1:{self._port}/auth/token", timeout=30)
                self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            return self._asked("GET", "dags").ok
        return False

    def _commands(self) -> dict[str, list[str]]:
        host, port = ["--host", "127.0.0.1"], ["--port", str(self._port)]
        scheduler = {"scheduler": [*AIRFLOW, "scheduler", "--skip-serve-logs"]}
        if AIRFLOW_3:
            server = [*AIRFLOW, "api-server", *host, *port]
            return {**scheduler, "api-server": server, "dag-processor": [*AIRFLOW, "dag-processor"]}
        # Airflow's own command starts gunicorn, which takes three processes and twice as long.
        (self.home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = "Admin"\n')
        flask = [sys.executable, "-m", "flask", "--app", "airflow.www.app:cached_app", "run"]
        return {**scheduler, "webserver": [*flask, *host, *port]}


@dataclass
class Run:
    """One run of a DAG with a task ``send``."""

    airflow: ScheduledAirflow
    dag_id: str
    run_id: str
    _killed: set[int] = field(default_factory=set)

    def task(self) -> Task:
        """Return the task instance as it is now."""
        fields = self.airflow.call("GET", self._path)
        return Task(fields["state"], fields["try_number"] or 0, fields["pid"])

    def running(self) -> Task:
        """Return the task instance once it runs in a process that has not been killed."""
        return self.until("runs", lambda task: task.state == "running" and task.pid not in {None, *self._killed})

    def end(self, seconds: float = WAIT_SECONDS) -> Task:
        """Return the task instance once it succeeded, or failed for good."""
        return self.until("ends", lambda task: task.state in FINISHED, seconds)

    def until(self, what: str, reached: Callable[[Task], bool], seconds: float = WAIT_SECONDS) -> Task:
        """Return the task instance once it is as ``reached`` wants it."""
        found: list[Task] = []

        def is_reached() -> bool:
            found[:] = [self.task()]
            return reached(found[0])

        self.wait(f"a task that {what}", is_reached, seconds)
        return found[0]

    def wait(
        self, what: str, condition: Callable[[], bool], seconds: float = WAIT_SECONDS, poll: float = POLL_SECONDS
    ) -> None:
        """Return once ``condition`` holds, as ``wait_for``; what is waited for in vain is told with all logs."""
        try:
            wait_for(f"{what} of {self.dag_id}", condition, seconds, poll)
        except TimeoutError as error:
            error.add_note("\n".join((str(self.task()), self.log()[-LAST:], self.airflow.logs())))
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
        order = {"dry_run": False, "only_failed": False, "reset_dag_runs": True, "task_ids": ["send"]}
        self.airflow.call("POST", f"dags/{self.dag_id}/clearTaskInstances", dag_run_id=self.run_id, **order)

    def _clear_by_command(self) -> None:
        """Clear it by the command line: the REST API of Airflow 2 leaves a running task as it is."""
        date = self.airflow.call("GET", self._run_path)["logical_date"]
        self.airflow.command("tasks", "clear", "--yes", "--start-date", date, "--end-date", date, self.dag_id)

    def mark_failed(self) -> None:
        """Mark the task failed, as a person does."""
        dry_run = {} if AIRFLOW_3 else {"dry_run": False}
        self.airflow.call("PATCH", self._path, new_state="failed", **dry_run)

    def signal(self, number: int, *, supervisor: bool = False, task: bool = True) -> None:
        """
        Signal the process that executes the operator, and the parent that watches over it.

        The parent is the executor's worker on Airflow 3, ``airflow tasks run --local`` on 2.
        """
        pid = self.running().pid
        assert pid
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            # The parent first: it would report the child's end.
            for victim in (process.parent() if supervisor else None, process if task else None):
                if victim:
                    victim.send_signal(number)
        self._killed.add(pid)

    def links(self) -> dict[str, str | None]:
        """Return the task's extra links, as the UI shows them."""
        links: dict[str, str | None] = self.airflow.call("GET", f"{self._path}/links")
        return links.get("extra_links", links) if AIRFLOW_3 else links

    def xcom(self, key: str) -> Any:
        """Return an XCom of the last try, which is a collection."""
        value = self.airflow.call("GET", f"{self._path}/xcomEntries/{key}")["value"]
        return literal_eval(value) if isinstance(value, str) else value  # Airflow 2 answers with Python's words for it

    def log(self) -> str:
        """Return the task's log, of all tries."""
        logs = self.airflow.home.glob(f"logs/dag_id={self.dag_id}/run_id={self.run_id}/task_id=send/*.log")
        return "\n".join(log.read_text(errors="replace") for log in sorted(logs))

    @property
    def _run_path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{self.run_id}"

    @property
    def _path(self) -> str:
        return f"{self._run_path}/taskInstances/send"


def wait_for(what: str, condition: Callable[[], bool], seconds: float, poll: float = POLL_SECONDS) -> None:
    """
    Return once ``condition``, looked at every ``poll`` seconds, holds.

    :raises TimeoutError: it did not for so long.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(poll)


def _inherited() -> dict[str, str]:
    """Return this process's environment, without what is meant for its own Airflow, and for measuring coverage."""
    foreign = ("AIRFLOW", "COVERAGE_", "COV_CORE_")
    # A dozen processes import Airflow: without their bytecode kept, each of them compiles all of it.
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "PYTHONDONTWRITEBYTECODE": ""
    }


def _configuration(home: Path, port: int, sandbox_url: str) -> dict[str, str]:
    """Return Airflow's settings: those it needs, and those that make it notice and start things quickly."""
    environment = dag_runs.environment(home, DAGS, sandbox_url)
    return {
        **environment,
        **_impatient(environment),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(home / "installed"), str(ROOT / "scripts"), str(ROOT))),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor" if AIRFLOW_3 else "SequentialExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
        "AIRFLOW__API__SECRET_KEY": SECRET,
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__WEBSERVER__SECRET_KEY": SECRET,
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": str(HEARTBEAT_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_SECONDS),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
        "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": str(HEARTBEAT_SECONDS),
        "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "2",
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_SECONDS),
    }


def _impatient(environment: Mapping[str, str]) -> dict[str, str]:
    """Return a second connection for each, ``<vendor>_impatient``, which does not wait long for an answer."""
    connections = {name: json.loads(text) for name, text in environment.items() if name.startswith("AIRFLOW_CONN_")}
    return {
        name.replace("_DEFAULT", "_IMPATIENT"): json.dumps(
            fields | {"extra": fields.get("extra", {}) | {"timeout": IMPATIENT_SECONDS}}
        )
        for name, fields in connections.items()
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
