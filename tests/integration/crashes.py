"""Kills a send again and again until it is done, and counts what became of the contacts."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.engine import AHEAD
from airflow_provider_campaigns.delivery.outcomes import STATUSES, Outcome
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.scheduler import FINISHED, Run, ScheduledAirflow
from tests.integration.sends import SENDS, SendKind
from tests.operators.deliveries import write_csv

LATENCY = 0.2
LOOK_SECONDS = 0.01
ASK_SECONDS = 0.5
# Faults after which nobody knows whether the request was carried out.
UNANSWERED = frozenset({"500", "500-after", "cut", "drop", "hang", "hang-after", "html", "reset"})
# What a contact may end as when nothing refuses it.
DELIVERED = ("accepted", "unknown")

_numbers = count(1)


@dataclass
class Send:
    """A run of a send under way, and what it was told to send."""

    kind: SendKind
    sandbox: SandboxClient
    run: Run
    campaign: str
    people: Sequence[str]
    requests_before: int
    kills: int = 0

    @classmethod
    def begin(
        cls,
        airflow: ScheduledAirflow,
        sandbox: SandboxClient,
        name: str,
        people: int,
        *,
        dag_id: str | None = None,
        on_unknown: str = "skip",
    ) -> Send:
        """Trigger a send to so many people, to a campaign of its own."""
        kind = SENDS[name]
        number = next(_numbers)
        campaign = kind.campaign_form.format(number)
        keys = kind.people(people)
        contacts = write_csv(airflow.home / f"contacts-{number}.csv", [{kind.column: key} for key in keys])
        conf = {"campaign": campaign, "contacts": contacts, "on_unknown": on_unknown}
        before = sandbox.counts(kind.vendor)["requests"]
        run = airflow.trigger(dag_id or name, outcomes=str(airflow.home / "outcomes"), **conf)
        return cls(kind, sandbox, run, campaign, keys, before)

    # -- under way

    def requests(self) -> int:
        """Return how many requests the vendor received, also of other sends."""
        return self.sandbox.counts(self.kind.vendor)["requests"]

    def wait_for_requests(self, number: int) -> bool:
        """Return True once the vendor received so many, False if the send ends before."""
        while self.requests() < number:
            deadline = time.monotonic() + ASK_SECONDS
            while self.requests() < number and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
            if self.run.task().state in FINISHED:
                return self.requests() >= number
        return True

    def kill(self, dice: random.Random, most: int, *, supervisor: bool = False, task: bool = True) -> bool:
        """Kill it at a random request of the next ``most``, or a moment later; False if it ends before."""
        if not self.wait_for_requests(self.requests() + dice.randint(1, most)):
            return False
        time.sleep(dice.uniform(0, LATENCY))
        if self.run.task().state in FINISHED:
            return False
        self.run.signal(signal.SIGKILL, supervisor=supervisor, task=task)
        self.kills += 1
        return True

    # -- what became of it

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes so far."""
        return list(read_outcomes(self.run.airflow.home / "outcomes" / self.run.dag_id / self.run.run_id / "send"))

    def received(self) -> Counter[str]:
        """Return how often the vendor took each contact; one it has and refuses to take again does not count."""
        contacts = self.sandbox.received(self.kind.vendor)["contacts"]
        ours = (line for line in contacts if line["campaign"] == self.campaign and line["outcome"] == "accepted")
        return Counter(line["contact"] for line in ours)

    def struck(self) -> int:
        """Return how many of its requests a fault left without an answer that tells what became of them."""
        requests = self.sandbox.received(self.kind.vendor)["requests"][self.requests_before :]
        return sum(self.kind.path in request["path"] and request["fault"] in UNANSWERED for request in requests)

    def problems(self, receipt: Mapping[str, Any]) -> list[str]:
        """Return in what a send that is over broke the promise: nobody twice, nobody lost, no needless doubt."""
        outcomes, received = self.outcomes(), self.received()
        accepted, unknown = ({line["key"] for line in outcomes if line["status"] == status} for status in DELIVERED)
        counts = Counter(line["status"] for line in outcomes)
        rows, all_rows = Counter(line["row"] for line in outcomes), range(1, len(self.people) + 1)
        bound = (self.kills * AHEAD * self.kind.max_concurrency + self.struck()) * self.kind.batch_size
        twice = {} if self.kind.contacts_nobody else {key for key, times in received.items() if times > 1}
        found = {
            "contacted twice": twice,
            "accepted, but not received": accepted - {*received},
            "neither accepted nor unknown": {*self.people} - accepted - unknown,
            "rows without exactly one outcome": {row for row in {*all_rows, *rows} if rows[row] != 1},
            "differences between receipt and outcomes": {name for name in STATUSES if receipt[name] != counts[name]},
            "more unknown than may be": max(0, counts["unknown"] - (0 if self.kind.safe else bound)),
        }
        return [f"{what}: {those}" for what, those in found.items() if those]
