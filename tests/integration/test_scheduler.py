"""What happens between the tries of a task, under a real scheduler: killed, cleared, marked failed, timed out."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable

import psutil
import pytest
from running_airflow import AIRFLOW_3

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.integration.crashes import LATENCY, Send
from tests.integration.disturbances import OF_PROCESSES, OF_WHAT_IS_STORED, Disturb
from tests.integration.scheduler import Run, ScheduledAirflow
from tests.integration.shards import ShardedSend

# Longer than what any of them waits for, so that the error names what it waited for in vain.
pytestmark = pytest.mark.timeout(300)

KILLS = 2


@pytest.fixture
def sandbox(unlimited: SandboxClient) -> SandboxClient:
    unlimited.latency(LATENCY)
    return unlimited


def test_a_task_that_is_killed_again_and_again_contacts_nobody_twice_and_loses_nobody(
    scheduled: ScheduledAirflow, sandbox: SandboxClient
) -> None:
    dice = random.Random(7)
    send = Send.begin(scheduled, sandbox, "ozonetel", 200, on_unknown="fail")

    for _ in range(KILLS):
        assert send.kill(dice, 20)
    ended = send.run.end()
    receipt = send.run.xcom("receipt")

    assert send.problems(receipt) == []
    assert ended.try_number == KILLS + 1
    assert ended.state == ("failed" if receipt["unknown"] else "success")
    if receipt["unknown"]:
        assert "AirflowFailException" in send.run.log()
        assert f"{receipt['unknown']} contacts may have been sent" in send.run.log()

    # Cleared, it ends with the same receipt, and sends nothing.
    requests = send.requests()
    send.run.clear()

    assert send.run.end().state == ended.state
    assert send.run.xcom("receipt") == receipt
    assert send.requests() == requests


@pytest.mark.parametrize("marked", [False, True], ids=["cleared", "marked failed and cleared"])
def test_a_task_that_is_cleared_half_way_resumes(
    scheduled: ScheduledAirflow, sandbox: SandboxClient, marked: bool
) -> None:
    # On Airflow 2 a running task is cleared by the command line, which takes seconds.
    send = Send.begin(scheduled, sandbox, "ozonetel", 300 if AIRFLOW_3 else 900)
    send.wait_for_requests(send.requests_before + 60)

    if marked:
        send.run.mark_failed()
    send.run.clear()
    send.kills += 1  # both processes run for some seconds

    ended = send.run.end()
    assert (ended.state, ended.try_number) == ("success", 2)
    assert send.problems(send.run.xcom("receipt")) == []


@pytest.mark.parametrize("disturbances", [OF_WHAT_IS_STORED, OF_PROCESSES], ids=["what is stored", "processes"])
def test_a_task_that_is_disturbed_contacts_nobody_twice_and_loses_nobody(
    scheduled: ScheduledAirflow, sandbox: SandboxClient, disturbances: tuple[Disturb, ...]
) -> None:
    send, dice = Send.begin(scheduled, sandbox, "ozonetel", 300), random.Random(7)

    for disturb in disturbances:
        kills = send.kills
        disturb(send, dice)
        assert send.kills > kills, "it had ended before"

    assert send.run.end().state == "success"
    assert send.problems(send.run.xcom("receipt")) == []


def test_mapped_sends_whose_shards_are_shuffled_contact_nobody_twice_and_lose_nobody(
    scheduled: ScheduledAirflow, sandbox: SandboxClient
) -> None:
    send = ShardedSend.begin(scheduled, sandbox)

    send.disturb(random.Random(7))

    assert send.finish() == []
    assert send.kills == 1


ENDS: dict[str, tuple[str, Callable[[Run], object]]] = {
    "SIGTERM": ("once", lambda run: run.signal(signal.SIGTERM)),
    "marked failed": ("once", Run.mark_failed),
    "execution_timeout": ("times-out", lambda _: None),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_task_that_is_asked_to_end_settles_what_it_sent(
    scheduled: ScheduledAirflow, sandbox: SandboxClient, how: str
) -> None:
    sandbox.latency(1)
    dag_id, end = ENDS[how]
    send = Send.begin(scheduled, sandbox, "ozonetel", 100, dag_id=dag_id)
    send.wait_for_requests(send.requests_before + 20)
    process = psutil.Process(send.run.running().pid)

    end(send.run)

    assert send.run.end().state == "failed"
    gone, _ = psutil.wait_procs([process], timeout=30)
    assert gone
    status = Counter(line["status"] for line in send.outcomes())
    assert status == {"accepted": sum(send.received().values()), "unsent": status["unsent"]}
    assert status["unsent"] > 0

    # A clear sends the rest.
    sandbox.latency(0)
    send.run.clear()

    assert send.run.end().state == "success"
    assert send.problems(send.run.xcom("receipt")) == []
