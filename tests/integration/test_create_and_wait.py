"""A campaign created, waited for and reported to other DAGs, run by Airflow itself."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, contacted
from tests.integration.conftest import AirflowProcess

PHONES = [f"+4477009001{number:02}" for number in range(4)]
WAYS = {"poke": "", "reschedule": 'mode="reschedule",', "deferrable": "deferrable=True,"}

CREATE = """
CreateExotelCampaignOperator(task_id="create", name="Reminder", caller_id="+442079460000", read_via_text="Hello",
    numbers={numbers}, retries=2, wait_for_completion=True, poke_interval=0.2, timeout=60, {more})
"""

# The event of an outlet, as a DAG that it starts would see it.
ANNOUNCED = """
from airflow.providers.common.compat.sdk import Asset

SENT = Asset("campaigns://sent")

@task(inlets=[SENT])
def follow(*, inlet_events):
    return dict(inlet_events[SENT][-1].extra)

{operator} >> follow()
"""


def announced(airflow: AirflowProcess, operator: str) -> dict[str, Any]:
    """Run an operator with an outlet and return what its event says."""
    run = airflow.run(ANNOUNCED.format(operator=operator.strip()))
    assert run.state == "success"
    extra: dict[str, Any] = run["follow"].xcoms["return_value"]
    return extra


@pytest.mark.parametrize("way", WAYS)
def test_it_is_created_once_and_waited_for(airflow: AirflowProcess, sandbox: SandboxClient, way: str) -> None:
    sandbox.control("exotel", starts_after=0.6, calls_per_minute=60_000.0)

    create = airflow.run(CREATE.format(numbers=PHONES, more=WAYS[way]))["create"]

    assert (create.state, create.try_number) == ("success", 1)
    campaign = create.xcoms["return_value"]
    assert (campaign["status"], campaign["from"]) == ("Completed", len(PHONES))
    assert contacted(sandbox, "exotel") == PHONES
    assert calls(sandbox, "exotel").count("create_campaign") == 1
    # What the UI shows: these are there from the moment the campaign is.
    assert create.xcoms["campaign_id"] == campaign["id"]
    assert create.xcoms["_link_ExotelCampaignLink"] == f"{sandbox.url}/exotel{campaign['uri']}"
    assert create.xcoms["_link_ExotelReportLink"] == campaign["report_url"]


@pytest.mark.parametrize("way", ["poke", "deferrable"])
def test_the_campaign_is_reported_to_the_dags_that_its_outlets_start(
    airflow: AirflowProcess, sandbox: SandboxClient, way: str
) -> None:
    sandbox.control("exotel", starts_after=0.6, calls_per_minute=60_000.0)
    create = CREATE.format(numbers=[*PHONES, PHONES[0]], more=WAYS[way] + "outlets=[SENT],")

    receipt = announced(airflow, create)

    assert receipt["campaign"].startswith("Reminder ")
    assert receipt["campaign_id"]
    assert (receipt["vendor"], receipt["contacts"], receipt["accepted"], receipt["duplicate"]) == ("exotel", 5, 4, 1)


def test_a_delivery_is_reported_to_the_dags_that_its_outlets_start(
    airflow: AirflowProcess, sandbox: SandboxClient
) -> None:
    send = f"""AddCampaignLeadOperator(task_id="send", campaign_name="Demo", outlets=[SENT],
        contacts=[{{"phoneNumber": "{PHONES[0]}"}}])"""

    receipt = announced(airflow, send)

    assert (receipt["vendor"], receipt["campaign"], receipt["accepted"]) == ("ozonetel", "Demo", 1)
