"""Kills a send again and again until it is done, and counts what became of the contacts."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from running_airflow import FINISHED

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome
from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.scheduler import Run, ScheduledAirflow, Task
from tests.integration.sends import PHONES, SENDS, SendKind
from tests.operators.deliveries import write_csv

LATENCY = 0.2
LOOK_SECONDS = 0.02
ASK_SECONDS = 0.5
# Faults after which nobody knows whether the request was carried out.
UNANSWERED = frozenset({"500", "500-after", "cut", "drop", "hang", "hang-after", "html", "reset"})
# What a contact may end as when nothing refuses it.
DELIVERED = ("accepted", "unknown")

# Where the creation of an Exotel campaign is killed; in the middle of its request, by us.
IN_THE_REQUEST = "in the request"
# The intent is stored, but the request has not left: a later try finds no campaign, and must not create one.
NOBODY_KNOWS = "after intended"
POINTS = ("before intended", NOBODY_KNOWS, IN_THE_REQUEST, "before id", "after id")
NUMBERS_PER_CAMPAIGN = 5

_numbers = count(1)
_creations = count()


@dataclass
class Send:
    """A run of a send under way, and what it is to send."""

    kind: SendKind
    sandbox: SandboxClient
    run: Run
    campaign: str
    people: Sequence[str]
    requests_before: int
    contacts: Path
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
        impatient: bool = False,
    ) -> Send:
        """Trigger a send to so many people, to a campaign of its own."""
        kind = SENDS[name]
        number = next(_numbers)
        campaign = kind.campaign_form.format(number)
        keys = kind.people(people)
        contacts = write_csv(airflow.home / f"contacts-{number}.csv", [{kind.column: key} for key in keys])
        conf = {
            "campaign": campaign,
            "contacts": contacts,
            "outcomes": str(airflow.home / "outcomes"),
            "on_unknown": on_unknown,
            "conn_id": f"{kind.vendor}_{'impatient' if impatient else 'default'}",
        }
        before = sandbox.counts(kind.vendor)["requests"]
        return cls(kind, sandbox, airflow.trigger(dag_id or name, **conf), campaign, keys, before, Path(contacts))

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
        if not self.run.signal(signal.SIGKILL, supervisor=supervisor, task=task):
            return False
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

    def sent(self) -> list[dict[str, Any]]:
        """Return the requests that took contacts to the vendor; the only ones, if no other send is under way."""
        requests = self.sandbox.received(self.kind.vendor)["requests"][self.requests_before :]
        return [request for request in requests if request["method"] == "POST" and self.kind.path in request["path"]]

    def most_unknown(self) -> int:
        """Return how many contacts may be unknown: of requests that were open at a kill, or never got an answer."""
        if self.kind.safe:
            return 0
        unanswered = sum(request["fault"] in UNANSWERED for request in self.sent())
        return (self.kills * AHEAD * self.kind.max_concurrency + unanswered) * self.kind.batch_size

    def problems(self, receipt: Mapping[str, Any]) -> list[str]:
        """Return in what a send that is over broke the promise: nobody twice, nobody lost, no needless doubt."""
        outcomes, received = self.outcomes(), self.received()
        accepted, unknown = ({line["key"] for line in outcomes if line["status"] == status} for status in DELIVERED)
        if self.kind.safe:
            # The campaign is new: what it has already is from a request of this send whose reply was lost.
            accepted |= {line["key"] for line in outcomes if line["status"] == "duplicate"}
        counts = Counter(line["status"] for line in outcomes)
        rows, all_rows = Counter(line["row"] for line in outcomes), range(1, len(self.people) + 1)
        twice = {} if self.kind.contacts_nobody else {key for key, times in received.items() if times > 1}
        found = {
            "contacted twice": twice,
            "accepted, but not received": accepted - {*received},
            "neither accepted nor unknown": {*self.people} - accepted - unknown,
            "rows without exactly one outcome": {row for row in {*all_rows, *rows} if rows[row] != 1},
            "differences between receipt and outcomes": {name for name in STATUSES if receipt[name] != counts[name]},
            "more unknown than may be": max(0, counts["unknown"] - self.most_unknown()),
        }
        return [f"{what}: {those}" for what, those in found.items() if those]


@dataclass
class Creation:
    """A run that creates an Exotel campaign, for numbers that no other run has, and is killed at one of ``POINTS``."""

    sandbox: SandboxClient
    run: Run
    point: str
    numbers: Sequence[str]

    @classmethod
    def begin(cls, airflow: ScheduledAirflow, sandbox: SandboxClient, point: str) -> Creation:
        """Trigger it, and kill it if it does not die by itself."""
        first = next(_creations) * NUMBERS_PER_CAMPAIGN
        numbers = PHONES[first : first + NUMBERS_PER_CAMPAIGN]
        before = sandbox.counts("exotel")["requests"]
        creation = cls(sandbox, airflow.trigger("exotel", dies=point, numbers=numbers), point, numbers)
        if point == IN_THE_REQUEST:
            creation.run.wait("a request", lambda: sandbox.counts("exotel")["requests"] > before, poll=LOOK_SECONDS)
            assert creation.run.signal(signal.SIGKILL)
        return creation

    def received(self) -> int:
        """Return how many campaigns there are for its numbers."""
        campaigns = Counter(contact["contact"] for contact in self.sandbox.received("exotel")["contacts"])
        (received,) = {campaigns[number] for number in self.numbers}
        return received

    def problems(self, ended: Task) -> list[str]:
        """Return in what it broke the promise: one campaign; none only if the task failed since nobody knows."""
        received = self.received()
        expected = 1 if ended.state == "success" else 0
        found = []
        if received > 1 or received < expected:
            found.append(f"{received} campaigns, the task ended as {ended.state}")
        if ended.state == "failed" and "Nobody knows whether the campaign" not in self.run.log():
            found.append("it failed for another reason than that nobody knows")
        if ended.try_number < 2 and ended.state == "success":
            found.append("it was not killed")
        return [f"{self.point}: {problem}" for problem in found]
