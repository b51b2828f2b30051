"""
Kills tasks of a real scheduler, many times, for every vendor, and prints what became of the contacts.

``make soak`` runs it on each Airflow; ``python -m tests.integration.soak --help`` names the options. It ends with 1
when somebody was contacted twice, or lost, or more contacts are unknown than may be.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from airflow import __version__

from airflow_provider_campaigns.delivery.run.rounds import AHEAD
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.crashes import LATENCY, NOBODY_KNOWS, NUMBERS_PER_CAMPAIGN, POINTS, UNANSWERED, Creation, Send
from tests.integration.disturbances import DISTURBANCES, start_twice
from tests.integration.scheduler import ScheduledAirflow
from tests.integration.sends import SENDS
from tests.integration.shards import ShardedSend

EXOTEL = "exotel"
MAPPED = "mapped"
NAMES = [*SENDS, EXOTEL, MAPPED]
# The runs whose shards are shuffled: so many times in a row each.
SHUFFLES = 3

FEWEST_REQUESTS = 500
# A kill comes at a random request of the next so many, by requests in flight.
NEXT_REQUESTS = {2: 10, 16: 20}
# On a busy machine it comes later: there are so many times the requests that the kills need, and what is left when
# they are over goes to a vendor that answers at once.
ENOUGH = {2: 4, 16: 12}
# Whom a kill strikes, the process that watches over the task or the task's own, and how often of twenty times.
STRIKES = {(False, True): 18, (True, True): 1, (True, False): 1}
END_SECONDS = 900.0

FAULTS = ("drop", "cut", "hang", "hang-after", "500", "500-after", "reset", "429")
SHARE = 0.2
RETRY_AFTER = 0.5
# How often tokens end, -1: as often as the other faults come. Ozonetel makes ten an hour, for all sends together.
TOKENS_THAT_END = {"xebo": -1, "ozonetel": 2}


@dataclass(frozen=True)
class Line:
    """
    What one scenario of one send came to.

    :param contacted: contacts that the vendor has.
    :param unknown: contacts of which nobody knows; ``most`` may be so.
    """

    send: str
    scenario: str
    kills: int = 0
    tries: int = 0
    requests: int = 0
    contacts: int = 0
    contacted: int = 0
    unknown: int = 0
    most: int = 0
    seconds: float = 0.0
    problems: Sequence[str] = ()

    def __str__(self) -> str:
        """Return it as a row of a Markdown table."""
        numbers = (self.kills, self.tries, self.requests, self.contacts, self.contacted, self.unknown, self.most)
        verdict = "; ".join(self.problems) or "ok"
        cells = [__version__, self.send, self.scenario, *(f"{number:,}" for number in numbers), f"{self.seconds:.0f}"]
        return f"| {' | '.join([*cells, verdict])} |"


HEAD = """\
| Airflow | send | scenario | kills | tries | requests | contacts | contacted | unknown | at most | seconds | |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"""


@dataclass(frozen=True)
class Soak:
    """
    The scenarios, on one Airflow and one sandbox.

    :param kills: per send.
    :param seed: of everything random.
    """

    airflow: ScheduledAirflow
    sandbox: SandboxClient
    kills: int
    seed: str

    def lines(self, names: Sequence[str]) -> Iterator[Line]:
        """Yield a line per scenario of these sends."""
        for name in names:
            scenarios = self._scenarios(name)
            for scenario, run in scenarios.items():
                self.sandbox.latency(LATENCY)
                try:
                    yield run(scenario)
                except (AssertionError, TimeoutError, ValueError) as error:
                    traceback.print_exc()
                    yield Line(name, scenario, problems=[f"{type(error).__name__}: {error}"])
                self.sandbox.clear_faults()

    def _scenarios(self, name: str) -> dict[str, Callable[[str], Line]]:
        if name == MAPPED:
            return {"shards shuffled": self._shuffled}
        return self._creations() if name == EXOTEL else self._sends(name)

    def _sends(self, name: str) -> dict[str, Callable[[str], Line]]:
        return {
            "killed": partial(self._killed, name),
            "killed, the vendor fails": partial(self._killed, name, failing=True),
            **({} if SENDS[name].safe else {"disturbed": partial(self._disturbed, name)}),
            "the vendor hangs for good": partial(self._hanging, name),
        }

    def _creations(self) -> dict[str, Callable[[str], Line]]:
        return {"killed": self._created, "killed, the vendor fails": partial(self._created, failing=True)}

    # -- scenarios

    def _killed(self, name: str, scenario: str, *, failing: bool = False) -> Line:
        """Kill a send again and again, so that it is done some requests after the last kill at the earliest."""
        dice = self._dice(name, scenario)
        kind = SENDS[name]
        most = NEXT_REQUESTS[kind.max_concurrency]
        kills = self._fewer(failing)
        lost = kills * AHEAD * kind.max_concurrency
        requests = max(FEWEST_REQUESTS, ENOUGH[kind.max_concurrency] * kills * most) + lost
        if failing:
            self._fail(kind.vendor, kind.path, dice)
        began = time.monotonic()
        send = Send.begin(self.airflow, self.sandbox, name, requests * kind.batch_size, impatient=failing)
        while send.kills < kills:
            ((supervisor, task),) = dice.choices(list(STRIKES), list(STRIKES.values()))
            if not send.kill(dice, most, supervisor=supervisor, task=task):
                break
        self.sandbox.latency(0)
        return self._line(send, name, scenario, began, kills)

    def _disturbed(self, name: str, scenario: str) -> Line:
        """Shuffle contacts, lose outcomes and records, pause processes until their successors have sent."""
        dice = self._dice(name, scenario)
        kind = SENDS[name]
        began = time.monotonic()
        disturbances = [DISTURBANCES[number % len(DISTURBANCES)] for number in range(self._fewer(failing=True))]
        dice.shuffle(disturbances)
        # A send that was started twice runs to its end: two processes cannot be disturbed one by one.
        disturbances.sort(key=lambda disturb: disturb is start_twice)
        lost = 2 * len(disturbances) * AHEAD * kind.max_concurrency
        requests = max(FEWEST_REQUESTS, ENOUGH[kind.max_concurrency] * len(disturbances) * 10) + lost
        send = Send.begin(self.airflow, self.sandbox, name, requests * kind.batch_size)
        for disturb in disturbances:
            disturb(send, dice)
        self.sandbox.latency(0)
        return self._line(send, name, scenario, began)

    def _hanging(self, name: str, scenario: str) -> Line:
        """Let the vendor hang until the send stops by itself, then not, and see the send go on."""
        kind = SENDS[name]
        began = time.monotonic()
        self.sandbox.fault("hang", vendor=kind.vendor, path=kind.path, times=-1, skip=2 * kind.max_concurrency)
        send = Send.begin(self.airflow, self.sandbox, name, 10 * kind.max_concurrency * kind.batch_size, impatient=True)
        send.run.until("stops", lambda task: task.state == "up_for_retry" or task.try_number > 1)
        self.sandbox.clear_faults()
        left = Counter(line["status"] for line in send.outcomes())
        line = self._line(send, name, scenario, began)
        problems = [
            *([] if left["unsent"] else ["nothing was left unsent"]),
            *([] if left.total() == len(send.people) else [f"{left.total()} outcomes when it stopped"]),
        ]
        return replace(line, problems=[*line.problems, *problems])

    def _created(self, scenario: str, *, failing: bool = False) -> Line:
        """Create as many Exotel campaigns as there are to be kills, each killed at one point."""
        dice = self._dice(EXOTEL, scenario)
        if failing:
            self._fail("exotel", "/campaigns", dice)
        began, before = time.monotonic(), self.sandbox.counts(EXOTEL)["requests"]
        total: Counter[str] = Counter()
        problems: list[str] = []
        for number in range(self._fewer(failing)):
            creation = Creation.begin(self.airflow, self.sandbox, POINTS[number % len(POINTS)])
            ended = creation.run.end(END_SECONDS)
            contacts = len(creation.numbers)
            # A vendor that fails may keep it from the point at which it would have been killed.
            total.update(
                kills=int(ended.try_number > 1),
                tries=ended.try_number,
                contacts=contacts,
                contacted=contacts * creation.received(),
            )
            total["unknown"] += contacts * (ended.state == "failed")
            total["most"] += contacts * (creation.point == NOBODY_KNOWS)
            problems += creation.problems(ended)
        requests = self.sandbox.received(EXOTEL)["requests"][before:]
        total["most"] += NUMBERS_PER_CAMPAIGN * sum(request["fault"] in UNANSWERED for request in requests)
        seconds = time.monotonic() - began
        return Line(EXOTEL, scenario, requests=len(requests), seconds=seconds, problems=problems, **total)

    def _shuffled(self, scenario: str) -> Line:
        """Clear mapped sends, one of which was killed, and give them their shards in another order, again and again."""
        dice = self._dice(MAPPED, scenario)
        began, before = time.monotonic(), self.sandbox.counts("ozonetel")["requests"]
        total: Counter[str] = Counter()
        problems: list[str] = []
        for _ in range(-(-self._fewer(failing=True) // SHUFFLES)):
            send = ShardedSend.begin(self.airflow, self.sandbox)
            for _ in range(SHUFFLES):
                send.disturb(dice)
            problems += send.finish()
            total.update(
                kills=send.kills,
                tries=sum(fields["try_number"] for fields in send.instances()),
                contacts=sum(map(len, send.shards)),
                contacted=send.received().total(),
                unknown=send.unknown(),
                most=send.most_unknown(),
            )
        requests = self.sandbox.counts("ozonetel")["requests"] - before
        return Line(MAPPED, scenario, requests=requests, seconds=time.monotonic() - began, problems=problems, **total)

    # -- what they share

    def _fewer(self, failing: bool) -> int:
        """Return how many kills a scenario gets: half of them when the vendor's failures come on top."""
        return -(-self.kills // 2) if failing else self.kills

    def _dice(self, *names: str) -> random.Random:
        """Return dice of a scenario's own, so that it falls the same when the scenario runs alone."""
        return random.Random(" ".join((self.seed, *names)))

    def _fail(self, vendor: str, path: str, dice: random.Random) -> None:
        """Let a share of the calls that send fail, in every way."""
        share = 1 - (1 - SHARE) ** (1 / len(FAULTS))
        order = {"vendor": vendor, "path": path, "share": share, "retry_after": RETRY_AFTER}
        for fault in FAULTS:
            self.sandbox.fault(fault, times=-1, seed=dice.getrandbits(32), **order)
        if times := TOKENS_THAT_END.get(vendor):
            self.sandbox.fault("unauthorized", times=times, seed=dice.getrandbits(32), **order)

    def _line(self, send: Send, name: str, scenario: str, began: float, kills: int = 0) -> Line:
        """Wait for the end of a send that now may reach it."""
        ended = send.run.end(END_SECONDS)
        receipt = send.run.xcom("receipt")
        problems = send.problems(receipt)
        if ended.state != "success":
            problems.append(f"ended as {ended.state}")
        if send.kills < kills:
            problems.append(f"came to the end after {send.kills} kills")
        if kills and len(send.sent()) < FEWEST_REQUESTS:
            problems.append(f"took fewer than {FEWEST_REQUESTS} requests")
        return Line(
            name,
            scenario,
            kills=send.kills,
            tries=ended.try_number,
            requests=len(send.sent()),
            contacts=len(send.people),
            contacted=len(send.received()),
            unknown=receipt["unknown"],
            most=send.most_unknown(),
            seconds=time.monotonic() - began,
            problems=problems,
        )


def main() -> int:
    """Run what the command line asks for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="per send (default 50)")
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="of everything random")
    parser.add_argument("sends", nargs="*", default=NAMES, help=f"any of: {' '.join(NAMES)} (default all)")
    options = parser.parse_args()
    if unknown := {*options.sends} - {*NAMES}:
        parser.error(f"no such send: {' '.join(sorted(unknown))}; there are {' '.join(NAMES)}")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"Airflow {__version__}, {options.kills} kills per send, seed {options.seed}\n\n{HEAD}")
    failed = False
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        SandboxServer(limits=False) as server,
        ScheduledAirflow(Path(folder), server.url) as airflow,
    ):
        for line in Soak(airflow, SandboxClient(server.url), options.kills, options.seed).lines(options.sends):
            print(line)
            failed = failed or bool(line.problems)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
