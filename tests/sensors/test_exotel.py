"""ExotelCampaignSensor against the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox import exotel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.sensors.exotel import ExotelCampaignSensor
from airflow_provider_campaigns.vendors import exotel as dialect
from airflow_provider_campaigns.vendors.exotel_campaign import CreateCampaign
from tests.connections import calls, connect
from tests.triggering import event_of

NUMBERS = ["+447700900100", "+447700900991"]
FAILING = ["+447700900993"]


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "exotel", extra={"retry_limit": 0})


def create(numbers: list[str] = NUMBERS, **options: Any) -> str:
    text = "Your parcel is here."
    campaign = CreateCampaign(name="Spring", caller_id="02025550100", read_via_text=text, numbers=numbers, **options)
    return str(ExotelHook().create_campaign(campaign)["id"])


def sensor(campaign_id: str, **options: Any) -> ExotelCampaignSensor:
    return ExotelCampaignSensor(task_id="wait", campaign_id=campaign_id, **{"poke_interval": 0.01, **options})


def deferred(campaign_id: str, **options: Any) -> Any:
    with pytest.raises(TaskDeferred) as caught:
        sensor(campaign_id, deferrable=True, **options).execute({})
    return caught.value.trigger


class TestLooking:
    def test_it_goes_on_until_the_campaign_is_completed(self, sandbox: SandboxClient) -> None:
        identifier = create()
        assert not sensor(identifier).poke({}).is_done
        sandbox.clock(advance=61)
        assert not sensor(identifier).poke({}).is_done
        sandbox.clock(advance=60)
        result = sensor(identifier).poke({})
        assert result.is_done
        assert result.xcom_value["status"] == "Completed"
        assert result.xcom_value["campaign_id"] == identifier
        assert (result.xcom_value["stats"]["completed"], result.xcom_value["stats"]["failed"]) == (1, 1)
        assert result.xcom_value["report_url"].endswith(f"{identifier}.csv")
        assert not any(number in str(result.xcom_value) for number in NUMBERS)

    def test_a_paused_campaign_is_waited_for(self, sandbox: SandboxClient) -> None:
        identifier = create()
        ExotelHook().update_campaign(identifier, "pause")
        sandbox.clock(advance=3600)
        assert not sensor(identifier).poke({}).is_done

    def test_an_archived_campaign_is_done(self, sandbox: SandboxClient) -> None:
        identifier = create()
        sandbox.clock(advance=3600)
        ExotelHook().update_campaign(identifier, "archive")
        assert sensor(identifier).poke({}).xcom_value["status"] == "Archived"

    def test_poking(self, sandbox: SandboxClient) -> None:
        identifier = create()
        sandbox.clock(speed=2000)
        try:
            assert sensor(identifier).execute({})["status"] == "Completed"
        finally:
            sandbox.clock(speed=1)

    def test_it_fails_when_time_is_up(self) -> None:
        with pytest.raises(AirflowSensorTimeout):
            sensor(create(), timeout=0.02).execute({})


class TestFailing:
    def _fails(self, identifier: str, message: str) -> None:
        with pytest.raises(CampaignFailed, match=message) as caught:
            sensor(identifier).poke({})
        assert isinstance(caught.value, AirflowFailException)
        with pytest.raises(CampaignFailed, match=message):
            sensor(identifier, deferrable=True).execute({})

    def test_a_campaign_of_which_no_call_could_be_made(self, sandbox: SandboxClient) -> None:
        identifier = create(FAILING)
        sandbox.clock(advance=3600)
        self._fails(identifier, "exotel: campaign failed: ended as Failed")

    def test_a_campaign_paused_until_its_end_is_canceled(self, sandbox: SandboxClient) -> None:
        identifier = create()
        ExotelHook().update_campaign(identifier, "pause")
        sandbox.clock(advance=31 * 24 * 3600)
        self._fails(identifier, "ended as Canceled")

    def test_a_deleted_campaign(self) -> None:
        identifier = create()
        ExotelHook().call("DELETE", f"/v2/accounts/{exotel.ACCOUNT_SID}/campaigns/{identifier}")
        self._fails(identifier, "ended as Deleted")

    def test_a_campaign_still_paused_after_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Later(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime(2100, 1, 1, tzinfo=tz)

        identifier = create(end_at=datetime(2099, 1, 1, tzinfo=UTC))
        ExotelHook().update_campaign(identifier, "pause")
        monkeypatch.setattr(dialect, "datetime", Later)
        self._fails(identifier, r"ended as Paused \(reason paused when its end_at came")

    def test_a_campaign_that_does_not_exist(self) -> None:
        with pytest.raises(CallRefusedError, match="HTTP 404"):
            sensor("unknown").poke({})


class TestDeferring:
    def test_a_campaign_that_is_over_at_the_first_look_is_not_deferred(self, sandbox: SandboxClient) -> None:
        identifier = create()
        sandbox.clock(advance=3600)
        assert sensor(identifier, deferrable=True).execute({})["status"] == "Completed"
        assert calls(sandbox, "exotel").count("get_campaign") == 1

    def test_it_waits_in_the_triggerer(self, sandbox: SandboxClient) -> None:
        identifier = create()
        trigger = deferred(identifier)
        sandbox.clock(speed=2000)
        event = event_of(trigger)
        sandbox.clock(speed=1)
        assert event["state"] == "done"
        result = sensor(identifier).execute_complete({}, event)
        assert (result["status"], result["campaign_id"]) == ("Completed", identifier)

    def test_it_carries_ids_only(self) -> None:
        identifier = create()
        _, arguments = deferred(identifier, timeout=60).serialize()
        assert arguments["arguments"] == {"campaign_id": identifier}
        assert arguments["conn_id"] == "exotel_default"
        assert exotel.API_TOKEN not in str(arguments)

    def test_a_campaign_that_fails_meanwhile(self, sandbox: SandboxClient) -> None:
        identifier = create(FAILING)
        trigger = deferred(identifier)
        sandbox.clock(advance=3600)
        with pytest.raises(CampaignFailed, match="ended as Failed"):
            sensor(identifier).execute_complete({}, event_of(trigger))

    def test_it_fails_when_time_is_up(self) -> None:
        identifier = create()
        event = event_of(deferred(identifier, timeout=0.02))
        with pytest.raises(AirflowSensorTimeout, match="the last status was 'Created'"):
            sensor(identifier).execute_complete({}, event)

    def test_an_error_of_the_vendor_is_told(self, sandbox: SandboxClient) -> None:
        trigger = deferred(create())
        sandbox.fault("unauthorized", vendor="exotel")
        with pytest.raises(CampaignError, match="Authentication failed"):
            sensor("any").execute_complete({}, event_of(trigger))

    @pytest.mark.parametrize("event", [None, {}, {"state": "perhaps"}])
    def test_an_event_it_does_not_know_is_no_success(self, event: Any) -> None:
        with pytest.raises(CampaignError, match="not understood"):
            sensor("any").execute_complete({}, event)


def test_its_fields_are_templates() -> None:
    operator = sensor("{{ campaign }}", exotel_conn_id="exotel_{{ country }}")
    operator.render_template_fields({"campaign": "id-1", "country": "in"})
    assert (operator.arguments(), operator.hook.conn_id) == ({"campaign_id": "id-1"}, "exotel_in")
