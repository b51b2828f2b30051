"""A campaign created and waited for under a real scheduler and triggerer, which are killed meanwhile."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from running_airflow import wait_for

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, contacted
from tests.integration.scheduler import WAIT_SECONDS, Run, ScheduledAirflow
from tests.operators.deliveries import write_csv

# A busy machine takes minutes for what Airflow's processes do in seconds on an idle one.
pytestmark = pytest.mark.timeout(400)

PEOPLE = [f"+447700900{number:03}" for number in range(30)]
# Sandbox seconds after which a campaign has rung all of them.
LONG = 3_600


@pytest.fixture
def sandbox(unlimited: SandboxClient) -> SandboxClient:
    unlimited.reset()
    return unlimited


@pytest.fixture
def begin(scheduled: ScheduledAirflow) -> Callable[[str], Run]:
    contacts = write_csv(scheduled.home / "contacts.csv", [{"number": number} for number in PEOPLE])
    return lambda name: scheduled.trigger("campaign", name=name, contacts=contacts)


def account_polls(sandbox: SandboxClient) -> int:
    """How often the vendor was asked how the campaign is doing."""
    return calls(sandbox, "exotel").count("get_campaign")


def test_a_triggerer_that_is_killed_while_it_waits(
    scheduled: ScheduledAirflow, sandbox: SandboxClient, begin: Callable[[str], Run]
) -> None:
    run = begin("Triggerer")

    with scheduled.triggerer():
        run.wait_until_deferred()
        before = account_polls(sandbox)
        wait_for("polls by the triggerer", lambda: account_polls(sandbox) > before + 2, WAIT_SECONDS)
        links = run.links()
    sandbox.clock(advance=LONG)
    with scheduled.triggerer():
        ended = run.end()

    assert (ended.state, ended.try_number) == ("success", 1)
    assert calls(sandbox, "exotel").count("create_campaign") == 1
    assert contacted(sandbox, "exotel") == PEOPLE
    # While it waited, the UI led to the campaign; afterwards also to its report.
    campaign_id = run.xcom("return_value")["id"]
    assert links["Campaign at Exotel"] == f"{sandbox.url}/exotel/v2/accounts/sandbox1/campaigns/{campaign_id}"
    assert not links["Campaign report"]
    assert run.links()["Campaign report"] == f"https://campaigns-reports.example.com/{campaign_id}.csv"


def test_a_worker_that_is_killed_between_the_request_and_the_stored_id(
    scheduled: ScheduledAirflow, sandbox: SandboxClient, begin: Callable[[str], Run]
) -> None:
    sandbox.fault("hang-after", vendor="exotel", method="POST", path="/campaigns", seconds=60)
    run = begin("Worker")

    wait_for("the campaign", lambda: bool(contacted(sandbox, "exotel")), WAIT_SECONDS)
    assert run.signal(signal.SIGKILL)
    with scheduled.triggerer():
        run.wait_until_deferred()
        sandbox.clock(advance=LONG)
        ended = run.end()

    assert (ended.state, ended.try_number) == ("success", 2)
    assert calls(sandbox, "exotel").count("create_campaign") == 1
    assert contacted(sandbox, "exotel") == PEOPLE
