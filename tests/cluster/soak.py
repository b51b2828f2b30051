"""
Does to a cluster what happens to clusters, while a delivery runs, and prints what became of the contacts.

``make cluster-soak`` runs it; ``python -m tests.cluster.soak --help`` names the options. It ends with 1 when somebody
was contacted twice, or lost, or a receipt does not add up. A run of all rows writes its table to docs/scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
from airflow import __version__
from running_airflow import wait_for

from airflow_provider_campaigns.delivery.run.write_buffer import BETWEEN_PARTS
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.cluster.cluster import CLUSTER_SECONDS, PACED, TRIGGERERS, Cluster, running_cluster
from tests.cluster.rows import DISTURBANCES, ELSEWHERE, Disturb, retry_elsewhere
from tests.cluster.sends import END_SECONDS, ClusterSend
from tests.integration.crashes import LATENCY
from tests.integration.sends import PHONES
from tests.operators.deliveries import write_csv

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
PEOPLE = 1_500
PACED_PEOPLE = 200
NUMBERS = PHONES[-20:]
# Calls a minute that keep a campaign running.
SLOW = 1.0

# What they cost: in few seconds, read in few requests.
MANY_PEOPLE = 10_000
SHORT_LATENCY = 0.05
MOST_GETS = 20

MANY_ROW = f"nothing, {MANY_PEOPLE:,} contacts"
PACED_ROW = f"nothing, at {PACED} requests a minute"
TRIGGERER_ROW = "one triggerer of two stopped, then the other"

HEAD = """\
| disturbance | contacts | tries | accepted | unknown | at most | PUTs | GETs | seconds | |
|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"""
_TABLE = re.compile(r"(?<=<!-- make cluster-soak -->\n).*?(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """
    What one disturbance came to.

    :param puts: requests that wrote outcomes to object storage; None: they are in no object storage.
    :param gets: requests that read all of them afterwards.
    """

    disturbance: str
    contacts: int = 0
    tries: int = 0
    accepted: int = 0
    unknown: int = 0
    most: int = 0
    puts: int | None = None
    gets: int | None = None
    seconds: float = 0.0
    problems: Sequence[str] = ()

    def __str__(self) -> str:
        """Return it as a row of a Markdown table."""
        numbers = (self.contacts, self.tries, self.accepted, self.unknown, self.most, self.puts, self.gets)
        cells = ["" if number is None else f"{number:,}" for number in numbers]
        return f"| {' | '.join([self.disturbance, *cells, f'{self.seconds:.0f}', self.verdict])} |"

    @property
    def verdict(self) -> str:
        """Whether the promise was kept, or in what it was not."""
        return "; ".join(self.problems) or "holds"


@dataclass
class ClusterSoak:
    """The rows, on one cluster and one sandbox."""

    cluster: Cluster
    sandbox: SandboxClient

    def rows(self, wanted: str) -> Iterator[Row]:
        """Yield the rows whose names have ``wanted`` in them."""
        scenarios: dict[str, Callable[[str], Row]] = {
            **dict.fromkeys(DISTURBANCES, self._disturbed),
            ELSEWHERE: self._elsewhere,
            MANY_ROW: self._many,
            PACED_ROW: self._paced,
            TRIGGERER_ROW: self._triggerers,
        }
        for name, scenario in scenarios.items():
            if wanted not in name:
                continue
            self.sandbox.latency(LATENCY)
            try:
                self.cluster.wait_until_ready()
                yield scenario(name)
            except (AssertionError, TimeoutError, ValueError, OSError) as error:
                traceback.print_exc()
                yield Row(name, problems=[f"{type(error).__name__}: {str(error).splitlines()[0]}"])

    def _disturbed(self, name: str) -> Row:
        return self._sent(name, DISTURBANCES[name], ClusterSend.start(self.cluster, self.sandbox, PEOPLE))

    def _elsewhere(self, name: str) -> Row:
        # A relative path is below the folder of the worker.
        send = ClusterSend.start(self.cluster, self.sandbox, PEOPLE, outcomes_path="outcomes")
        return self._sent(name, retry_elsewhere, send)

    def _many(self, name: str) -> Row:
        self.sandbox.latency(SHORT_LATENCY)
        send = ClusterSend.start(self.cluster, self.sandbox, MANY_PEOPLE)
        row = self._sent(name, DISTURBANCES["nothing"], send)
        if row.gets is None or row.gets > MOST_GETS:
            row = replace(row, problems=[*row.problems, f"more than {MOST_GETS} GETs"])
        return row

    def _paced(self, name: str) -> Row:
        send = ClusterSend.start(self.cluster, self.sandbox, PACED_PEOPLE, conn_id="ozonetel_paced")
        row = self._sent(name, DISTURBANCES["nothing"], send)
        most = row.seconds / BETWEEN_PARTS + 1
        if row.puts is None or row.puts > most:
            row = replace(row, problems=[*row.problems, f"more than {most:.0f} PUTs"])
        return row

    def _sent(self, name: str, disturb: Disturb, send: ClusterSend) -> Row:
        stored = "://" in send.outcomes_path
        puts, began = self._requests("PUT"), time.monotonic()
        disturb(send)
        ended = send.finish()
        seconds, puts, gets = time.monotonic() - began, self._requests("PUT") - puts, self._requests("GET")
        problems, receipt = send.problems_of(ended)
        return Row(
            name,
            contacts=len(send.people),
            tries=ended.try_number,
            accepted=receipt["accepted"],
            unknown=receipt["unknown"],
            most=send.most_unknown(),
            puts=puts if stored else None,
            gets=self._requests("GET") - gets if stored else None,
            seconds=seconds,
            problems=problems,
        )

    def _requests(self, method: str) -> int:
        return self.cluster.storage_requests(lambda line: f"{method} /" in line and "/part-" in line)

    def _triggerers(self, name: str) -> Row:
        """Let a campaign be waited for by one triggerer, and then by the other."""
        self.sandbox.control("exotel", starts_after=0.5, calls_per_minute=SLOW)
        contacts = write_csv(self.cluster.home / "numbers.csv", [{"number": number} for number in NUMBERS])
        before, began = self._campaigns(), time.monotonic()
        run = self.cluster.trigger("campaign", name=f"Soak {time.time():.0f}", contacts=contacts)
        run.until("is deferred", lambda task: task.state == "deferred", END_SECONDS)
        for triggerer in TRIGGERERS:
            self._wait_for_polls("both triggerers", 3)
            self.cluster.stop(triggerer)
            self._wait_for_polls(f"without {triggerer}", 5)
            self.cluster.begin(triggerer)
            wait_for("two triggerers", self._both_run, CLUSTER_SECONDS, poll=0.5)
        campaign = self.cluster.call("GET", f"{run._path}/xcomEntries/campaign_id")["value"]
        self.sandbox.control("exotel", campaign=campaign, status="Completed")
        ended = run.end(END_SECONDS, poll=0.5)
        created = self._campaigns() - before
        problems = [
            *([] if ended.state == "success" else [f"ended as {ended.state}"]),
            *([] if created == 1 else [f"{created} campaigns were created"]),
        ]
        seconds = time.monotonic() - began
        return Row(name, len(NUMBERS), ended.try_number, created * len(NUMBERS), seconds=seconds, problems=problems)

    def _campaigns(self) -> int:
        requests = self.sandbox.received("exotel")["requests"]
        return sum(one["method"] == "POST" and "/campaigns" in one["path"] for one in requests)

    def _wait_for_polls(self, what: str, number: int) -> None:
        most = self.sandbox.counts("exotel")["requests"] + number
        wait_for(f"polls, {what}", lambda: self.sandbox.counts("exotel")["requests"] >= most, CLUSTER_SECONDS, poll=0.5)

    def _both_run(self) -> bool:
        with self.cluster.database() as database, database.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM job WHERE job_type = 'TriggererJob' AND state = 'running'"
                " AND latest_heartbeat > now() - interval '4 seconds'"
            )
            ((number,),) = cursor.fetchall()
            return bool(number == len(TRIGGERERS))


def machine() -> str:
    """Return on what this runs, and when."""
    gigabytes = psutil.virtual_memory().total / 2**30
    names = {}
    with suppress(OSError):
        lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
        names = {name.strip(): value.strip() for name, _, value in lines}
    processor = names.get("model name", platform.machine())
    today = datetime.now(UTC).date().isoformat()
    return f"{today}, Airflow {__version__}, {os.cpu_count()} cores ({processor}), {gigabytes:.0f} GB"


def write(rows: Sequence[Row], where: str) -> None:
    """Replace the table of the page."""
    table = "\n".join([f"{where}\n", HEAD, *map(str, rows)])
    PAGE.write_text(_TABLE.sub(lambda _: f"\n{table}\n\n", PAGE.read_text()))


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="?", default="", help="only those rows whose names have this in them")
    wanted = parser.parse_args().rows
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    where, rows = machine(), list[Row]()
    print(f"{where}\n\n{HEAD}")
    with SandboxServer(limits=False) as server, running_cluster(server.url) as cluster:
        # Contacts are written, and outcomes read, through the connection that the tasks use.
        os.environ["AIRFLOW_CONN_AWS"] = json.dumps(cluster.aws)
        for row in ClusterSoak(cluster, SandboxClient(server.url)).rows(wanted):
            print(row)
            rows.append(row)
    if not wanted:
        write(rows, where)
    return int(not rows or any(row.problems for row in rows))


if __name__ == "__main__":
    sys.exit(main())
