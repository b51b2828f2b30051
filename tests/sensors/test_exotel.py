"""ExotelCampaignSensor against the sandbox: what is not in the shared table of behaviours."""

from __future__ import annotations

from typing import Any, cast

import pytest

from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.exotel import ExotelCampaignSensor
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.connections import connect

NUMBERS = ["+447700900100", "+447700900991"]
FAILING = ["+447700900993"]


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "exotel")


def create(numbers: list[str] = NUMBERS, **options: Any) -> str:
    text = "Your parcel is here."
    campaign = CreateCampaign(name="Spring", caller_id="02025550100", read_via_text=text, numbers=numbers, **options)
    return str(ExotelHook().create_campaign(campaign)["id"])


def sensor(campaign_id: str, **options: Any) -> ExotelCampaignSensor:
    return ExotelCampaignSensor(task_id="wait", campaign_id=campaign_id, **{"poke_interval": 0.01, **options})


def test_it_waits_until_the_campaign_is_completed(sandbox: SandboxClient) -> None:
    identifier = create()
    assert not sensor(identifier).poke({}).is_done
    sandbox.clock(advance=61)
    assert not sensor(identifier).poke({}).is_done
    sandbox.clock(advance=60)
    result: Any = sensor(identifier).poke({})
    assert result.is_done
    assert result.xcom_value["status"] == "Completed"
    assert result.xcom_value["campaign_id"] == identifier
    assert (result.xcom_value["stats"]["completed"], result.xcom_value["stats"]["failed"]) == (1, 1)
    assert result.xcom_value["report_url"].endswith(f"{identifier}.csv")
    assert not any(number in str(result.xcom_value) for number in NUMBERS)


def test_a_paused_campaign_is_waited_for(sandbox: SandboxClient) -> None:
    identifier = create()
    ExotelHook().update_campaign(identifier, "pause")
    sandbox.clock(advance=3600)
    assert not sensor(identifier).poke({}).is_done


def test_an_archived_campaign_is_done(sandbox: SandboxClient) -> None:
    identifier = create()
    sandbox.clock(advance=3600)
    ExotelHook().update_campaign(identifier, "archive")
    result: Any = sensor(identifier).poke({})
    assert result.xcom_value["status"] == "Archived"


@pytest.mark.parametrize("status", ["in-progress", "In Progress", "CREATED", "completed", "ARCHIVED"])
def test_a_status_is_known_however_it_is_written(
    sandbox: SandboxClient, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    identifier = create()
    sandbox.control("exotel", campaign=identifier, status=status)
    assert sensor(identifier).poke({}).is_done == (status in {"completed", "ARCHIVED"})
    assert "documents" not in caplog.text


@pytest.mark.parametrize("status", ["Completed soon", "not completed", "-"])
def test_only_whole_words_are_known(sandbox: SandboxClient, status: str, caplog: pytest.LogCaptureFixture) -> None:
    identifier = create()
    sandbox.control("exotel", campaign=identifier, status=status)
    assert not sensor(identifier).poke({}).is_done
    assert "documents" in caplog.text


def test_a_campaign_of_which_no_call_could_be_made(sandbox: SandboxClient) -> None:
    identifier = create(FAILING)
    sandbox.clock(advance=3600)
    with pytest.raises(CampaignFailed, match="exotel: campaign failed: ended as Failed"):
        sensor(identifier).poke({})


def test_its_fields_are_templates() -> None:
    operator = sensor("{{ campaign }}", exotel_conn_id="exotel_{{ country }}")
    operator.render_template_fields(cast("Any", {"campaign": "id-1", "country": "in"}))
    assert (operator.arguments(), operator.hook.conn_id) == ({"campaign_id": "id-1"}, "exotel_in")
