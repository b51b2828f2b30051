"""
A cluster on this machine: PostgreSQL, Redis, CeleryExecutor with two workers, two triggerers, and object storage.

Everything is in one folder and on free ports of 127.0.0.1, and is killed in the end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg2
import requests
from installed import write_metadata
from running_airflow import AIRFLOW, START_SECONDS, free_port, wait_for

from tests.integration.scheduler import ScheduledAirflow
from tests.postgres.server import USER, PostgresServer

BUCKET = "campaigns"
STORAGE = f"s3://aws@{BUCKET}"
"""The object storage, as paths of contacts and outcomes name it."""

# Seconds without a heartbeat after which a task counts as dead: longer than a part of the cluster takes to start again.
HEARTBEAT_SECONDS = 30
# Seconds that a supervisor waits at the most before it repeats a call of the API server.
API_WAIT_SECONDS = 2.0
# A dozen processes start on a machine of two cores.
CLUSTER_SECONDS = 4 * START_SECONDS
# Requests a minute of the connection ``ozonetel_paced``.
PACED = 300

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")


class Cluster(ScheduledAirflow):
    """
    An Airflow whose parts can be stopped, started and killed one by one.

    A part that ends by itself, or is killed, is started again, as by a service manager.

    :param folder: an empty folder.
    :param sandbox_url: where the connections lead to.
    :param postgres: a server with an empty database.
    """

    def __init__(self, folder: Path, sandbox_url: str, postgres: PostgresServer) -> None:
        self.postgres = postgres
        self.redis_port, self.s3_port = free_port(), free_port()
        database = f"{USER}@/postgres?host={postgres.folder}"
        heartbeat = str(HEARTBEAT_SECONDS)
        super().__init__(
            folder,
            sandbox_url,
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"postgresql+psycopg2://{database}",
            AIRFLOW__CORE__EXECUTOR="CeleryExecutor",
            AIRFLOW__CELERY__BROKER_URL=f"redis://127.0.0.1:{self.redis_port}/0",
            AIRFLOW__CELERY__RESULT_BACKEND=f"db+postgresql+psycopg2://{database}",
            AIRFLOW__CELERY__WORKER_CONCURRENCY="2",
            AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER="1",
            AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC=heartbeat,
            AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT=heartbeat,
            AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD=heartbeat,
            # While a supervisor waits to repeat a call, it sends no heartbeat.
            AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX=str(API_WAIT_SECONDS),
            AIRFLOW__API__WORKERS="1",
            AIRFLOW_CONN_AWS=json.dumps(self.aws),
        )
        paced = json.loads(self._environment["AIRFLOW_CONN_OZONETEL_DEFAULT"])
        paced["extra"]["requests_per_minute"] = PACED
        self._environment["AIRFLOW_CONN_OZONETEL_PACED"] = json.dumps(paced)
        self._guards: dict[str, subprocess.Popen[str]] = {}

    @property
    def aws(self) -> dict[str, Any]:
        """The fields of the Airflow connection to the object storage."""
        extra = {"endpoint_url": f"http://127.0.0.1:{self.s3_port}", "region_name": "us-east-1"}
        return {"conn_type": "aws", "login": "example-key", "password": "example-secret", "extra": extra}

    def __enter__(self) -> Self:
        write_metadata(self.home / "installed")
        with ExitStack() as undo:
            undo.callback(self.__exit__)
            for name in ("redis", "s3"):
                self.begin(name)
            self.run(*AIRFLOW, "db", "migrate")
            for name in self.commands():
                if name not in self._guards:
                    self.begin(name)
            try:
                wait_for("object storage", self._makes_bucket, CLUSTER_SECONDS)
                self.wait_until_ready()
            except BaseException as error:
                error.add_note(self.printed(2_000))
                raise
            undo.pop_all()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for name in reversed([*self._guards]):
            self.stop(name)

    def commands(self) -> dict[str, list[str]]:
        """Return the commands of all parts, by their names."""
        worker = [*AIRFLOW, "celery", "worker", "--skip-serve-logs", "--without-mingle", "--without-gossip"]
        redis = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.redis_port), "--appendonly", "yes"]
        return {
            "redis": [*redis, "--save", "", "--dir", str(self._folder("redis"))],
            "s3": ["moto_server", "--host", "127.0.0.1", "--port", str(self.s3_port)],
            "api-server": [*AIRFLOW, "api-server"],
            "scheduler": [*AIRFLOW, "scheduler", "--skip-serve-logs"],
            "dag-processor": [*AIRFLOW, "dag-processor"],
            # Each in a folder of its own, so that a relative path leads each of them somewhere else.
            **{
                name: ["env", f"--chdir={self._folder(name)}", *worker, "--celery-hostname", f"{name}@%h"]
                for name in WORKERS
            },
            **{name: [*AIRFLOW, "triggerer", "--skip-serve-logs"] for name in TRIGGERERS},
        }

    def _folder(self, name: str) -> Path:
        folder = self.home / name
        folder.mkdir(exist_ok=True)
        return folder

    def asked(self, method: str, path: str, **body: Any) -> requests.Response:
        """Call the REST API and return its response, once it can be reached: it may be starting again."""
        answers: list[requests.Response] = []

        def is_reached() -> bool:
            with suppress(requests.ConnectionError):
                answers.append(super(Cluster, self).asked(method, path, **body))
            return bool(answers)

        wait_for("Airflow's REST API", is_reached, CLUSTER_SECONDS)
        return answers[0]

    # -- parts

    def begin(self, name: str) -> None:
        """Start a part."""
        self._guards[name] = self.start({name: self.commands()[name]})

    def stop(self, name: str) -> None:
        """Kill a part and all that it started; it is not started again."""
        self._guards.pop(name).communicate()

    def process(self, name: str) -> psutil.Process:
        """Return the first process of a part."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = psutil.Process(self._guards[name].pid).children()
            return bool(found)

        wait_for(name, is_there, CLUSTER_SECONDS)
        return found[0]

    def kill(self, name: str) -> None:
        """Kill the processes of a part at once; it is started again."""
        first = self.process(name)
        for one in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()

    def worker_of(self, pid: int) -> str:
        """Return the worker that a task's process belongs to."""
        parents = {one.pid for one in psutil.Process(pid).parents()}
        return next(name for name in WORKERS if self.process(name).pid in parents)

    def is_ready(self, worker: str) -> bool:
        """Whether a worker listens for tasks: that it does is what it printed last of starting."""
        log = self.home / f"{worker}.log"
        printed = log.read_text(errors="replace") if log.exists() else ""
        return printed.rfind(" ready.") > printed.rfind("[config]")

    def wait_until_ready(self) -> None:
        """Wait until all parts that may have been killed are there again."""
        wait_for("Airflow's REST API", self._is_there, CLUSTER_SECONDS)
        wait_for("two workers", lambda: all(map(self.is_ready, WORKERS)), CLUSTER_SECONDS)

    def _is_there(self) -> bool:
        with suppress(requests.ConnectionError):
            return self._answers()
        return False

    def _makes_bucket(self) -> bool:
        with suppress(requests.ConnectionError):
            return requests.put(f"http://127.0.0.1:{self.s3_port}/{BUCKET}", timeout=10).ok
        return False

    # -- what is in them

    @contextmanager
    def database(self) -> Iterator[Any]:
        """Open a connection to Airflow's database."""
        connection = psycopg2.connect(host=str(self.postgres.folder), user=USER, dbname="postgres")
        try:
            yield connection
        finally:
            connection.close()

    def redis(self, *arguments: str) -> str:
        """Run a command of Redis, and return what it prints."""
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(self.redis_port), "--raw", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def storage_requests(self, counts: Callable[[str], bool]) -> int:
        """Return how many lines of the object storage's log count."""
        return sum(map(counts, (self.home / "s3.log").read_text(errors="replace").splitlines()))


@contextmanager
def running_cluster(sandbox_url: str) -> Iterator[Cluster]:
    """
    Run a cluster in a private folder, which is removed in the end.

    :param sandbox_url: where the connections lead to.
    """
    folder = Path(mkdtemp(prefix="campaigns-cluster-"))
    try:
        with PostgresServer(max_connections=300) as postgres, Cluster(folder, sandbox_url, postgres) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)
