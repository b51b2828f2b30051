"""Two tasks at a time, in two processes, on one Ozonetel account whose tokens end in the middle."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest
from dag_runs import TaskRun

from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.conftest import AirflowProcess
from tests.operators.deliveries import write_csv

# The task that sends begins when the other process has come as far.
TASKS = """
import os

os.environ["AIRFLOW_CONN_SHARED_ACCOUNT"] = {connection!r}

@task
def meet():
    import time
    from pathlib import Path

    Path({contacts!r}).with_suffix(".ready").touch()
    deadline = time.monotonic() + 60
    while len(list(Path({folder!r}).glob("*.ready"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)

send = AddCampaignLeadOperator(task_id="send", campaign_name="Demo", contacts={contacts!r}, outcomes_path={folder!r},
    ozonetel_conn_id="shared_account")
meet() >> send
"""
# Requests a minute of each task. Together they are not all of the account's 100: of a process that wakes up late, a
# second is a minute of the account's.
SHARE = 45
SPEED = 60
HOUR = 3600
TOKENS_AN_HOUR = 10


@dataclass(frozen=True)
class Plan:
    """
    What two tasks send, and when the account's token ends.

    :param leads: of each task, at ``SHARE`` a minute.
    :param expiries: how often the token ends, evenly over the leads; each takes a token of the ten that the clients
        make in an hour of theirs.
    """

    leads: int
    expiries: int


@dataclass
class Account:
    """
    The account in the sandbox.

    :param made: tokens made before each expiry.
    :param minutes: from the first lead to the last, by its own clock.
    :param done: the tasks have ended.
    """

    client: SandboxClient
    made: list[int] = field(default_factory=list)
    minutes: float = 0.0
    done: Event = field(default_factory=Event)

    def end_tokens(self, plan: Plan) -> None:
        """End the token as planned, while the tasks run: all requests on their way are refused."""
        leads = 2 * plan.leads
        began = self._time_of(1)
        for number in range(1, plan.expiries + 1):
            self._time_of(leads * number // (plan.expiries + 1))
            self.made.append(self.tokens)
            self.client.clock(advance=HOUR)
        self.minutes = (self._time_of(leads) - began) / 60 - plan.expiries * HOUR / 60

    @property
    def tokens(self) -> int:
        return sum(request["call"] == "token" for request in self.client.received("ozonetel")["requests"])

    @property
    def leads(self) -> Counter[str]:
        """Those that were taken, and how often."""
        return Counter(contact["contact"] for contact in self.client.received("ozonetel")["contacts"])

    @property
    def connection(self) -> str:
        """A connection that says how many requests a minute a task may make."""
        return json.dumps(
            {
                "conn_type": "ozonetel",
                "host": f"{self.client.url}/ozonetel",
                "login": ozonetel.USER,
                "password": ozonetel.API_KEY,
                "extra": {"requests_per_minute": SHARE * SPEED},
            }
        )

    def _time_of(self, lead: int) -> float:
        """Wait for so many leads, unless the tasks end, and return the account's time."""
        while self.client.counts("ozonetel")["accepted"] < lead and not self.done.is_set():
            time.sleep(0.2)
        return self.client.clock()


def send_at_once(
    airflow: AirflowProcess, account: Account, leads: Sequence[Sequence[str]], folder: Path
) -> list[TaskRun]:
    """Send each of two lists of leads in a task and process of its own, and return how the tasks ended."""

    def send(process: AirflowProcess, leads: Sequence[str]) -> TaskRun:
        contacts = write_csv(folder / f"{leads[0]}.csv", [{"phoneNumber": lead} for lead in leads])
        tasks = TASKS.format(connection=account.connection, contacts=contacts, folder=str(folder))
        return process.run(tasks, alone=False)["send"]

    with airflow.twin() as twin, ThreadPoolExecutor() as threads:
        return list(threads.map(send, (airflow, twin), leads))


def share_an_account(airflow: AirflowProcess, plan: Plan, folder: Path) -> None:
    """Let two tasks carry out ``plan``, and hold what became of it against what they may do."""
    # Reserved for fiction: 100 of each area code.
    leads = [f"+1{201 + number // 100}55501{number % 100:02}" for number in range(2 * plan.leads)]
    with SandboxServer(speed=SPEED) as server, ThreadPoolExecutor() as threads:
        account = Account(SandboxClient(server.url))
        watching = threads.submit(account.end_tokens, plan)
        try:
            tasks = send_at_once(airflow, account, (leads[::2], leads[1::2]), folder)
        finally:
            account.done.set()
        watching.result()
        made = [0, *account.made, account.tokens]
        received = account.leads

    assert [(task.state, task.xcoms["receipt"]["accepted"]) for task in tasks] == [("success", plan.leads)] * 2
    assert received == Counter(leads)
    assert account.minutes >= plan.leads / SHARE
    # A token at first and after each end, and at most one too many.
    assert {after - before for before, after in pairwise(made)} <= {1, 2}
    assert made[-1] <= TOKENS_AN_HOUR


@pytest.mark.newest_airflow
def test_two_tasks_deliver_all_leads_in_their_minutes_with_a_token_for_each_that_ends(
    airflow: AirflowProcess, tmp_path: Path
) -> None:
    share_an_account(airflow, Plan(leads=180, expiries=3), tmp_path)
