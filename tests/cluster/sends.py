"""A send on a cluster: its contacts and outcomes are in object storage, or its outcomes in a worker's own folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

from running_airflow import FINISHED

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.storage import locate, write_whole
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.cluster.cluster import STORAGE, WORKERS, Cluster
from tests.integration.crashes import Send
from tests.integration.scheduler import Task
from tests.integration.sends import SENDS

# A retry waits for a heartbeat that does not come, and for a worker that starts.
END_SECONDS = 600.0
NAME = "ozonetel"

_numbers = count(1)


@dataclass
class ClusterSend(Send):
    """
    A send under way on a cluster.

    :param outcomes_path: of the task.
    """

    cluster: Cluster = field(kw_only=True)
    outcomes_path: str = field(kw_only=True)

    @classmethod
    def start(
        cls,
        cluster: Cluster,
        sandbox: SandboxClient,
        people: int,
        *,
        outcomes_path: str = f"{STORAGE}/outcomes",
        conn_id: str = "ozonetel_default",
    ) -> Self:
        """Trigger a send to so many people, to a campaign of its own."""
        kind, number = SENDS[NAME], next(_numbers)
        keys = kind.people(people)
        contacts = f"{STORAGE}/contacts/{number}.csv"
        write_whole(locate(contacts), (f"{line}\n".encode() for line in (kind.column, *keys)))
        conf = {
            "campaign": kind.campaign_form.format(number),
            "contacts": contacts,
            "outcomes": outcomes_path,
            "on_unknown": "skip",
            "conn_id": conn_id,
        }
        before = sandbox.counts(kind.vendor)["requests"]
        run = cluster.trigger(NAME, **conf)
        return cls(
            kind,
            sandbox,
            run,
            str(conf["campaign"]),
            keys,
            before,
            Path(contacts),
            cluster=cluster,
            outcomes_path=outcomes_path,
        )

    # -- under way

    def some_requests(self, number: int) -> None:
        """Wait until the vendor received so many more."""
        assert self.wait_for_requests(self.requests() + number), "it was over before it was disturbed"

    def worker(self) -> str:
        """Return the worker that runs the task."""
        pid = self.run.running().pid
        assert pid
        return self.cluster.worker_of(pid)

    def left(self, pid: int) -> None:
        """Take note that a process does not count as the one that runs any more."""
        self.run._killed.add(pid)

    def next_try(self) -> Task:
        """Return the next try, once it runs."""
        now = self.run.task().try_number
        return self.run.until(
            "is tried again",
            lambda task: task.state in FINISHED or (task.try_number > now and self.run._runs(task)),
            END_SECONDS,
        )

    # -- what became of it

    def finish(self) -> Task:
        """Wait for the end, and count each try but the last as one that was killed."""
        ended = self.run.end(END_SECONDS, poll=0.5)
        self.kills = max(self.kills, ended.try_number - 1)
        return ended

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes; of a worker's own folder those of the last worker that wrote there."""
        below = f"{self.run.dag_id}/{self.run.run_id}/send"
        if "://" in self.outcomes_path:
            return list(read_outcomes(f"{self.outcomes_path}/{below}"))
        found: list[Outcome] = []
        folders = [self.cluster.home / worker / self.outcomes_path / below for worker in WORKERS]
        for folder in sorted((one for one in folders if one.exists()), key=lambda one: one.stat().st_mtime):
            try:
                found = list(read_outcomes(folder))
            except InputError:
                continue
        return found

    def problems_of(self, ended: Task) -> tuple[list[str], Mapping[str, Any]]:
        """Return in what it broke the promise, and its receipt."""
        receipt = self.run.xcom("receipt")
        found = self.problems(receipt)
        if receipt["contacts"] != len(self.people):
            found.append(f"the receipt has {receipt['contacts']} contacts")
        if ended.state != "success":
            found.append(f"ended as {ended.state}")
        return found, receipt

    def contacted_twice(self) -> int:
        """Return how many people the vendor contacted more than once."""
        return sum(times > 1 for times in Counter(self.received()).values())
