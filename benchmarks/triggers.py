"""
A thousand triggers in Airflow's own trigger runner, and a hundred watchers of one account that share a poll.

``python -m benchmarks.triggers`` prints the table. Each measurement is a process of its own: the runner that a
triggerer starts, with a supervisor that hands out the triggers and keeps the state of assets in memory, and the sandbox
in another process. The triggers start as after a restart of the triggerer: all at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks.report import Table

ROOT = Path(__file__).parents[1]
INTERVAL = 10.0
WARM_UP = 2 * INTERVAL
MEASURED = 6 * INTERVAL
PROBE = 0.01
# One campaign of this many numbers for each trigger: its status comes with all of them.
NUMBERS = 100


def table() -> Table:
    """Measure the triggers, then the watchers."""
    head = ("", "delay p50, ms", "p99, ms", "max, ms", "MB", "KB each", "requests/min")
    rows = [
        ("1,000 sensors, each its own campaign", *_row("sensors", 1_000)),
        ("100 watchers of one account", *_row("watchers", 100)),
    ]
    return Table(
        f"Triggers that poll every {INTERVAL:.0f} s: how long the event loop makes others wait",
        head,
        rows,
        f"Over {MEASURED:.0f} s, probed every {PROBE * 1000:.0f} ms; the memory is the whole process's, and what each "
        f"trigger added to it.",
    )


def _row(kind: str, count: int) -> tuple[str, ...]:
    with TemporaryDirectory() as home, _sandbox() as url:
        campaigns = _create(url, count if kind == "sensors" else 20)
        arguments = json.dumps({"kind": kind, "count": count, "campaigns": campaigns})
        environment = {**os.environ, **_environment(home, url)}
        command = [sys.executable, "-m", "benchmarks.triggers", "run"]
        ran = subprocess.run(
            command, cwd=ROOT, env=environment, input=arguments, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise RuntimeError(f"the triggers ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
        found = json.loads(ran.stdout.splitlines()[-1])
    return (
        f"{found['p50']:.1f}",
        f"{found['p99']:.1f}",
        f"{found['max']:.1f}",
        f"{found['megabytes']:.0f}",
        f"{found['added'] / count:.0f}",
        f"{found['requests'] * 60 / MEASURED:,.0f}",
    )


@contextmanager
def _sandbox() -> Iterator[str]:
    command = [sys.executable, "-m", "airflow_provider_campaigns.sandbox", "--port", "0", "--limits", "off"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[3]
        finally:
            process.terminate()


def _create(url: str, count: int) -> list[str]:
    """Create campaigns that begin tomorrow, and return their ids."""
    import pendulum

    from airflow_provider_campaigns.sandbox import exotel
    from airflow_provider_campaigns.sandbox.testing import SandboxClient

    campaign = {
        "caller_id": "02025550100",
        "read_via_text": "Hello there",
        "from": [f"+4477009{number:05}" for number in range(NUMBERS)],
        "schedule": {"send_at": pendulum.now().add(days=1).isoformat(timespec="seconds")},
    }
    session = SandboxClient(url)._session  # noqa: SLF001 - it minds no proxy
    reply = session.post(
        f"{url}/exotel/v2/accounts/{exotel.ACCOUNT_SID}/campaigns",
        json={"campaigns": [{**campaign, "name": f"Campaign {number}"} for number in range(count)]},
        auth=(exotel.API_KEY, exotel.API_TOKEN),
    )
    return [item["data"]["id"] for item in reply.json()["response"]]


def _environment(home: str, url: str) -> dict[str, str]:
    from airflow_provider_campaigns.sandbox import exotel

    connection = {
        "conn_type": "exotel",
        "host": f"{url}/exotel",
        "login": exotel.API_KEY,
        "password": exotel.API_TOKEN,
        "extra": {"account_sid": exotel.ACCOUNT_SID},
    }
    return {
        "AIRFLOW_HOME": home,
        "AIRFLOW_CONN_EXOTEL_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }


# -- the process that is measured


class Supervisor:
    """
    What a trigger runner talks to.

    :param workloads: the triggers to run.
    """

    _reader_task: asyncio.Task[Any]

    def __init__(self, workloads: list[Any]) -> None:
        self.states: dict[tuple[str, str], Any] = {}
        self._workloads = workloads

    def send(self, message: Any) -> Any:
        """Answer what a trigger asks in passing."""
        return None

    async def asend(self, message: Any) -> Any:
        """Answer a message."""
        from airflow.jobs.triggerer_job_runner import messages
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        match message:
            case messages.TriggerStateChanges():
                created, self._workloads = self._workloads, []
                numbers = [entry.persist_seq for entry in message.events or [] if entry.persist_seq is not None]
                return messages.TriggerStateSync(to_create=created, to_cancel=set(), events_persisted=numbers)
            case comms.SetAssetStateStoreByName():
                self.states[message.name, message.key] = message.value
                return comms.OKResponse(ok=True)
            case comms.GetAssetStateStoreByName() if (message.name, message.key) in self.states:
                return comms.AssetStateStoreResult(value=self.states[message.name, message.key])
            case comms.GetAssetStateStoreByName():
                return comms.ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)
        return None


def _workloads(kind: str, count: int, campaigns: list[str]) -> list[Any]:
    import time

    from airflow.executors.workloads.trigger import RunTrigger
    from airflow.models.trigger import Trigger

    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
    from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger

    def trigger(number: int) -> Any:
        if kind == "watchers":
            return ExotelCampaignFinishedTrigger(name=f"Campaign {number}*", poll_interval=INTERVAL)
        return CampaignStatusTrigger(
            hook="airflow_provider_campaigns.hooks.exotel.ExotelHook",
            conn_id="exotel_default",
            poll_method="poll_campaign",
            arguments={"campaign_id": campaigns[number]},
            poll_interval=INTERVAL,
            deadline=time.time() + 3600,
            first_poll_at=time.time() - 1,
        )

    def workload(number: int) -> Any:
        path, kwargs = trigger(number).serialize()
        watched = {f"asset-{number}": f"asset-{number}"} if kind == "watchers" else None
        encrypted = Trigger.encrypt_kwargs(kwargs)
        return RunTrigger(id=number, classpath=path, encrypted_kwargs=encrypted, watched_assets=watched)

    return [workload(number) for number in range(count)]


async def _probe(delays: list[float], seconds: float) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (before := loop.time()) < end:
        await asyncio.sleep(PROBE)
        delays.append((loop.time() - before - PROBE) * 1000)


def _measure(kind: str, count: int, campaigns: list[str]) -> dict[str, float]:
    import psutil
    from airflow.jobs.triggerer_job_runner import TriggerRunner
    from airflow.sdk.execution_time import task_runner

    # Loaded here and once, whatever the number of triggers.
    from airflow_provider_campaigns.hooks import exotel  # noqa: F401
    from airflow_provider_campaigns.transports import driver, wire

    requests = 0

    def count_reply(*arguments: Any) -> None:
        nonlocal requests
        requests += 1
        wire.log_reply(*arguments)

    def memory() -> float:
        return float(psutil.Process().memory_info().rss) / 1024

    supervisor = Supervisor(_workloads(kind, count, campaigns))
    found: dict[str, float] = {}

    class Runner(TriggerRunner):
        async def init_comms(self) -> None:
            supervisor._reader_task = asyncio.create_task(asyncio.Event().wait())  # noqa: SLF001
            self.comms_decoder = task_runner.SUPERVISOR_COMMS = supervisor  # type: ignore[assignment]
            self.measuring = asyncio.create_task(self.measure())

        async def measure(self) -> None:
            delays: list[float] = []
            before = memory()
            await asyncio.sleep(WARM_UP)
            assert len(self.triggers) == count
            made = requests
            await _probe(delays, MEASURED)
            found["requests"] = requests - made
            found["megabytes"], found["added"] = memory() / 1024, memory() - before
            found["p50"], found["p99"], found["max"] = (
                quantiles(delays, n=2)[0],
                quantiles(delays, n=100)[98],
                max(delays),
            )
            assert len(self.triggers) == count
            self.stop = True
            for details in self.triggers.values():
                details["task"].cancel()

    # Airflow annotates neither its constructor nor its methods.
    make_runner: Callable[[], TriggerRunner] = Runner
    with patch.object(driver, "log_reply", count_reply):
        asyncio.run(make_runner().arun())
    return found


def main() -> None:
    """Print the table."""
    print(table())


if __name__ == "__main__":
    if sys.argv[1:] == ["run"]:
        print(json.dumps(_measure(**json.loads(sys.stdin.read()))))
    else:
        main()
