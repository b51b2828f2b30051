"""A whole Airflow of its own, as processes with a REST API, for the live demo and for tests."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import dag_runs
import requests
from installed import write_metadata

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "dags_examples"
GUARD = Path(__file__).with_name("guard.py")
AIRFLOW = [sys.executable, "-m", "airflow"]
# Without an import of Airflow, which would make itself a home.
AIRFLOW_3 = not version("apache-airflow").startswith("2.")

START_SECONDS = 100.0
ANSWER_SECONDS = 20.0
# One request: on a busy machine others may keep SQLite's lock for long.
REQUEST_SECONDS = 60.0
POLL_SECONDS = 0.1
# States of a DAG run, or of a task that is not skipped, that do not change any more.
FINISHED = frozenset({"success", "failed"})
# Characters of a log that are shown when something was waited for in vain.
LAST = 4000

# Makes a scheduler start things quickly.
STARTING = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
}

SECRET = "known to the processes of this Airflow alone, and to whoever reads its tests"


class RunningAirflow:
    """
    ``airflow standalone``, on free ports: scheduler, triggerer, DAG processor and API server, all killed in the end.

    Nobody has to sign in, neither to its UI at ``url`` nor to its REST API. DAGs are paused at first.

    :param home: an empty folder, which gets its database (SQLite) and its logs.
    :param dags: folder of its DAGs.
    :param sandbox_url: where the connections ``<vendor>_default`` lead to.
    :param settings: environment variables; None does not set one that would be set here.
    """

    def __init__(self, home: Path, dags: Path, sandbox_url: str, **settings: str | None) -> None:
        self.home = home
        self.port = free_port()
        self._session = requests.Session()
        self._session.trust_env = False
        wanted = {**_inherited(), **_configuration(home, dags, self.port, sandbox_url), **settings}
        self._environment = {name: value for name, value in wanted.items() if value is not None}

    @property
    def url(self) -> str:
        """The address of its UI."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        write_metadata(self.home / "installed")
        self.prepare()
        self._guard = self.start(self.commands())
        try:
            wait_for("Airflow's REST API", self._answers, START_SECONDS)
        except BaseException as error:
            self.__exit__()
            error.add_note(self.printed(LAST))
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._guard.communicate()

    def prepare(self) -> None:
        """Do what must be done before the commands are started; ``airflow standalone`` makes its database by itself."""

    def commands(self) -> dict[str, list[str]]:
        """Return what is started, by the names of the logs."""
        return {"standalone": [*AIRFLOW, "standalone"]}

    def start(self, commands: Mapping[str, Sequence[str]]) -> subprocess.Popen[str]:
        """Start commands, each with a log of its name, and return their guard, which kills them when its stdin ends."""
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

    def unpause(self, dag_id: str) -> None:
        """Let a DAG run, once it is known."""
        self.wait_for_dag(dag_id)
        self.call("PATCH", f"dags/{dag_id}", is_paused=False)

    def start_run(self, dag_id: str, **conf: Any) -> str:
        """Start a run of a DAG, once it is known, and return the run's id."""
        self.wait_for_dag(dag_id)
        logical_date = {"logical_date": None} if AIRFLOW_3 else {}
        run_id: str = self.call("POST", f"dags/{dag_id}/dagRuns", conf=conf, **logical_date)["dag_run_id"]
        return run_id

    def call(self, method: str, path: str, **body: Any) -> Any:
        """
        Call the REST API, again when SQLite was locked, and return what it answers.

        :raises requests.HTTPError: it refuses.
        """
        answers = [self.asked(method, path, **body)]

        def is_answered() -> bool:
            if answers[-1].status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                answers.append(self.asked(method, path, **body))
            return answers[-1].status_code < HTTPStatus.INTERNAL_SERVER_ERROR

        wait_for(f"an answer to {method} {path}", is_answered, ANSWER_SECONDS)
        if not answers[-1].ok:
            raise requests.HTTPError(f"{method} {path}: {answers[-1].text}", response=answers[-1])
        return answers[-1].json()

    def asked(self, method: str, path: str, **body: Any) -> requests.Response:
        """Call the REST API once and return its response, whatever it says."""
        url = f"{self.url}/api/{'v2' if AIRFLOW_3 else 'v1'}/{path}"
        return self._session.request(method, url, json=body or None, timeout=REQUEST_SECONDS)

    def command(self, *arguments: str) -> None:
        """Run a command of Airflow's."""
        self.run(*AIRFLOW, *arguments)

    def printed(self, last: int = sys.maxsize) -> str:
        """Return what its processes printed, of each the ``last`` characters."""
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-last:]}" for log in self.home.glob("*.log"))

    def task_log(self, dag_id: str, run_id: str, task_id: str) -> str:
        """Return the log of a task, of all its tries and map indices."""
        logs = self.home.glob(f"logs/dag_id={dag_id}/run_id={run_id}/task_id={task_id}/**/*.log")
        return "\n".join(log.read_text(errors="replace") for log in sorted(logs))

    def run(self, *command: str) -> None:
        """Run a command of any kind in this Airflow's environment."""
        subprocess.run(command, env=self._environment, check=True, stdin=subprocess.DEVNULL, capture_output=True)

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until a DAG is parsed."""
        wait_for(f"the DAG {dag_id}", lambda: self.asked("GET", f"dags/{dag_id}").ok, START_SECONDS)

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            if AIRFLOW_3:
                token = self._session.get(f"{self.url}/auth/token", timeout=REQUEST_SECONDS)
                self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
            return self.asked("GET", "dags").ok
        return False


@contextmanager
def running_examples(sandbox_url: str, poke_interval: float = 1.0, **settings: str) -> Iterator[RunningAirflow]:
    """
    Run an Airflow with the example DAGs and their pools in a private folder, which is removed in the end.

    Not all examples exist before Airflow 3.1, and this waits for each of them.

    :param sandbox_url: where the connections lead to.
    :param poke_interval: seconds between two polls of the examples' sensors and watchers.
    :param settings: environment variables.
    """
    with TemporaryDirectory(prefix="airflow-examples.") as folder:
        home = Path(folder)
        settings = {
            "AIRFLOW_VAR_CAMPAIGNS_OUTCOMES": f"{home}/outcomes",
            "CAMPAIGNS_POKE_INTERVAL": str(poke_interval),
            # A task whose request to Airflow takes too long is tried again, and soon.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": str(REQUEST_SECONDS),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            **settings,
        }
        with RunningAirflow(home, EXAMPLES, sandbox_url, **settings) as airflow:
            # Once all of them are parsed, the database is free.
            for example in EXAMPLES.glob("*.py"):
                airflow.wait_for_dag(example.stem)
            for name, pool in json.loads((EXAMPLES / "pools.json").read_text()).items():
                airflow.call("POST", "pools", name=name, **pool)
            yield airflow


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


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _inherited() -> dict[str, str]:
    """Return this process's environment, without what is meant for its own Airflow, and for measuring coverage."""
    foreign = ("AIRFLOW", "COVERAGE_", "COV_CORE_")
    # A dozen processes import Airflow: without their bytecode kept, each of them compiles all of it.
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
        "PYTHONDONTWRITEBYTECODE": ""
    }


def _configuration(home: Path, dags: Path, port: int, sandbox_url: str) -> dict[str, str]:
    """Return Airflow's settings: those it needs, and those that make it start things quickly."""
    return {
        **dag_runs.environment(home, dags, sandbox_url),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join((str(home / "installed"), str(ROOT / "scripts"), str(ROOT))),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor" if AIRFLOW_3 else "SequentialExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": SECRET,
        "AIRFLOW__API__SECRET_KEY": SECRET,
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__WEBSERVER__SECRET_KEY": SECRET,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        **STARTING,
    }
