"""Mapped sends whose upstream task yields its shards in another order each time it is cleared."""

from __future__ import annotations

import json
import random
import signal
from ast import literal_eval
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from running_airflow import FINISHED, RunningAirflow, wait_for

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome
from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.sends import PHONES

SHARDS = 4
SHARD_CONCURRENCY = 4
CONTACTS_PER_SHARD = 40
# A run that is disturbed, or cleared, comes to its end within.
END_SECONDS = 200.0
# Ended, but not by a success.
FAILED = frozenset({"failed", "upstream_failed"})
REFUSED = ("sends, or sent, these contacts", "are not those of an earlier try")

_numbers = count(1)


@dataclass
class ShardedSend:
    """A run of the DAG ``shards``: a task that yields lists of contacts, and one mapped send for each of them."""

    airflow: RunningAirflow
    sandbox: SandboxClient
    run_id: str
    campaign: str
    contacts: Path
    shards: Sequence[Sequence[str]]
    kills: int = 0

    @classmethod
    def begin(cls, airflow: RunningAirflow, sandbox: SandboxClient) -> ShardedSend:
        """Trigger a run, to a campaign of its own."""
        number = next(_numbers)
        campaign, contacts = f"Shards{number}", airflow.home / f"shards-{number}.json"
        people = PHONES[: SHARDS * CONTACTS_PER_SHARD]
        shards = [people[first::SHARDS] for first in range(SHARDS)]
        write_shards(contacts, shards)
        conf = {"campaign": campaign, "contacts": str(contacts), "outcomes": str(airflow.home / "outcomes")}
        return cls(airflow, sandbox, airflow.start_run("shards", **conf), campaign, contacts, shards)

    def disturb(self, dice: random.Random) -> None:
        """Kill one of the sends that run, and clear all once they have ended, with the shards in another order."""
        self.kill(dice)
        self.end()
        write_shards(self.contacts, dice.sample(self.shards, len(self.shards)))
        self.clear()

    def finish(self) -> list[str]:
        """
        Give each map index what it sent first, until the run succeeds, and return what broke the promise.

        A person does that who reads the outcomes, when map indices have refused other contacts than theirs.
        """
        problems: list[str] = []
        if self.end() != "success":
            refused = [index for index, state in self.states().items() if state in FAILED]
            problems += [f"map index {index} does not say why" for index in refused if not self.says_why(index)]
            write_shards(self.contacts, self.as_sent())
            self.clear()
            if self.end() != "success":
                problems.append(f"the sends ended as {self.states()}")
        return problems + self.problems()

    # -- the run

    def kill(self, dice: random.Random) -> None:
        """Kill a send at one of the next requests, if there is one."""
        before, most = self.requests(), dice.randint(1, SHARDS * CONTACTS_PER_SHARD // 2)
        wait_for("requests", lambda: self.requests() >= before + most or self.is_over(), END_SECONDS)
        pids = [fields["pid"] for fields in self.instances() if fields["state"] == "running" and fields["pid"]]
        with suppress(psutil.NoSuchProcess, IndexError):
            psutil.Process(dice.choice(pids)).send_signal(signal.SIGKILL)
            self.kills += 1

    def end(self) -> str:
        """Return how the run ended."""
        wait_for(f"the end of {self.run_id}", self.is_over, END_SECONDS)
        return str(self._run()["state"])

    def is_over(self) -> bool:
        return self._run()["state"] in FINISHED

    def clear(self) -> None:
        """Clear the task that yields the shards, and with it the sends."""
        order: dict[str, Any] = {
            "dry_run": False,
            "only_failed": False,
            "reset_dag_runs": True,
            "include_downstream": True,
        }
        self.airflow.call(
            "POST", "dags/shards/clearTaskInstances", dag_run_id=self.run_id, task_ids=["shards"], **order
        )
        wait_for("a run that is cleared", lambda: not self.is_over(), END_SECONDS)

    def instances(self) -> list[Mapping[str, Any]]:
        """Return the mapped task instances, as the REST API shows them."""
        instances = self.airflow.call("GET", f"{self._path}/taskInstances")["task_instances"]
        return [fields for fields in instances if fields["task_id"] == "send" and fields["map_index"] >= 0]

    def states(self) -> dict[int, str]:
        """Return how each map index stands."""
        return {fields["map_index"]: fields["state"] for fields in self.instances()}

    def says_why(self, index: int) -> bool:
        """Return whether the log of a send's last try says that it was given contacts that are not its own."""
        folder = f"logs/dag_id=shards/run_id={self.run_id}/task_id=send/map_index={index}"
        last = max(self.airflow.home.glob(f"{folder}/*.log"), key=lambda log: log.stat().st_mtime)
        return any(words in last.read_text() for words in REFUSED)

    def _run(self) -> Mapping[str, Any]:
        run: Mapping[str, Any] = self.airflow.call("GET", self._path)
        return run

    @property
    def _path(self) -> str:
        return f"dags/shards/dagRuns/{self.run_id}"

    # -- what became of the contacts

    def requests(self) -> int:
        """Return how many requests the vendor received, also of other sends."""
        return self.sandbox.counts("ozonetel")["requests"]

    def outcomes(self, index: int) -> list[Outcome]:
        """Return the outcomes of a map index so far."""
        folder = self.airflow.home / "outcomes" / "shards" / self.run_id / "send" / str(index)
        try:
            return list(read_outcomes(folder))
        except InputError:
            return []

    def as_sent(self) -> list[Sequence[str]]:
        """Return the shards in the order in which the map indices sent, or began to send, them."""
        sent = {index: {line["key"] for line in self.outcomes(index)} for index in range(SHARDS)}
        fits = {index: next((shard for shard in self.shards if sent[index] & {*shard}), None) for index in sent}
        others = [shard for shard in self.shards if shard not in fits.values()]
        return [fits[index] or others.pop(0) for index in range(SHARDS)]

    def problems(self) -> list[str]:
        """Return in what the promise is broken: nobody twice, nobody lost, receipts that add up."""
        received = self.received()
        outcomes = [line for index in range(SHARDS) for line in self.outcomes(index)]
        status = {line["key"]: line["status"] for line in outcomes}
        people = {key for shard in self.shards for key in shard}
        lost = {key for key in people if not received[key] and status.get(key) != "unknown"}
        found = {
            "contacted twice": {key for key, times in received.items() if times > 1},
            "lost": lost,
            "rows without exactly one outcome": len(outcomes) - len(people),
            "differences between receipts and outcomes": self._differences(),
            "more unknown than may be": max(0, self.unknown() - self.most_unknown()),
        }
        return [f"{what}: {those}" for what, those in found.items() if those]

    def received(self) -> Counter[str]:
        """Return how often the vendor took each contact."""
        contacts = self.sandbox.received("ozonetel")["contacts"]
        ours = (line for line in contacts if line["campaign"] == self.campaign and line["outcome"] == "accepted")
        return Counter(line["contact"] for line in ours)

    def unknown(self) -> int:
        """Return of how many contacts nobody knows."""
        return sum(line["status"] == "unknown" for index in range(SHARDS) for line in self.outcomes(index))

    def most_unknown(self) -> int:
        """Return how many contacts may be unknown."""
        return self.kills * AHEAD * SHARD_CONCURRENCY

    def _differences(self) -> set[str]:
        found = set()
        for index in range(SHARDS):
            receipt = self.receipt(index)
            counts = Counter(line["status"] for line in self.outcomes(index))
            found |= {f"{index} {name}" for name in STATUSES if receipt[name] != counts[name]}
        return found

    def receipt(self, index: int) -> Mapping[str, Any]:
        """Return the receipt of a map index."""
        path = f"{self._path}/taskInstances/send/xcomEntries/receipt?map_index={index}"
        value = self.airflow.call("GET", path)["value"]
        receipt: Mapping[str, Any] = literal_eval(value) if isinstance(value, str) else value
        return receipt


def write_shards(path: Path, shards: Sequence[Sequence[str]]) -> None:
    """Write what the task ``shards`` yields."""
    path.write_text(json.dumps([[{"phoneNumber": key} for key in shard] for shard in shards]))
