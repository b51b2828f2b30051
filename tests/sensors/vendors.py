"""The five vendors as the shared table of behaviours needs them: what is waited for, and how it is moved on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.sandbox import exotel, ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sandbox.xebo import COMPLETE
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from airflow_provider_campaigns.sensors.exotel import ExotelCampaignSensor
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor
from airflow_provider_campaigns.vendors.exotel import status
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign

HOUR = 3600.0


class Later(datetime):
    """A clock by which every campaign's end has come."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime(2100, 1, 1, tzinfo=tz)


class Waiting:
    """
    Something at a vendor that is not over, and its sensor.

    ``failures`` end it badly: what does so, and the words that the task's failure then holds.
    """

    vendor: str
    poll: str
    """The journal's name of the call that a poll makes."""
    path: str
    """Part of its path."""
    signs_in = False
    status: str
    """While it is waited for."""
    done: dict[str, Any]
    """Part of the sensor's result."""
    unknown: str | None
    """The undocumented status that ``become_unknown`` gives it, as the log has it; None: no status is read."""

    def __init__(self, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.monkeypatch = monkeypatch
        self.failures: dict[str, tuple[Callable[[], object], str]] = {}
        self.begin()

    def begin(self) -> None:
        """Begin it."""

    def finish(self) -> None:
        """End it well."""
        raise NotImplementedError

    def become_unknown(self) -> None:
        """Give it a status that no page has."""
        raise NotImplementedError

    def sensor(self, **options: Any) -> CampaignSensor:
        """Return the sensor."""
        raise NotImplementedError

    def missing(self, **options: Any) -> CampaignSensor:
        """Return the sensor of something that does not exist."""
        raise NotImplementedError


class Exotel(Waiting):
    vendor, poll, path = "exotel", "get_campaign", "/campaigns/"
    status = "Created"
    unknown = "Reviewing"

    def begin(self) -> None:
        numbers = ["+447700900100", "+447700900991"]
        campaign = CreateCampaign(name="Spring", caller_id="02025550100", read_via_text="Hello there", numbers=numbers)
        self.id = str(ExotelHook().create_campaign(campaign)["id"])
        self.done = {"status": "Completed", "campaign_id": self.id}
        self.failures = {
            "Failed": (lambda: self.show("Failed"), "ended as Failed"),
            "Canceled": (self.cancel, "ended as Canceled"),
            "Deleted": (self.delete, "ended as Deleted"),
            "Paused": (self.pause_beyond_its_end, r"ended as Paused \(reason paused when its end_at came"),
        }

    def show(self, status: str) -> None:
        self.sandbox.control("exotel", campaign=self.id, status=status)

    def cancel(self) -> None:
        ExotelHook().update_campaign(self.id, "pause")
        self.sandbox.clock(advance=31 * 24 * HOUR)

    def pause_beyond_its_end(self) -> None:
        self.show("Paused")
        self.monkeypatch.setattr(status, "datetime", Later)

    def delete(self) -> None:
        ExotelHook().call("DELETE", f"/v2/accounts/{exotel.ACCOUNT_SID}/campaigns/{self.id}")

    def finish(self) -> None:
        self.show("")
        self.sandbox.clock(advance=HOUR)

    def become_unknown(self) -> None:
        self.show("Reviewing")

    def sensor(self, **options: Any) -> CampaignSensor:
        return ExotelCampaignSensor(**{"campaign_id": self.id, **options})

    def missing(self, **options: Any) -> CampaignSensor:
        return self.sensor(campaign_id="unknown", **options)


class Ozonetel(Waiting):
    vendor, poll, path = "ozonetel", "get_status", "campaignStatus"
    signs_in = True
    status = "READY"
    unknown = "ARCHIVED"
    done = {"status": "COMPLETED", "position": "COMPLETED"}  # noqa: RUF012

    def begin(self) -> None:
        body = {"campaignName": "Demo", "phoneNumber": "+447700900100", "userName": ozonetel.USER}
        OzonetelHook().call("POST", "/ca_apis/AddCampaignData", json=body)

    def finish(self) -> None:
        self.show("COMPLETED")

    def show(self, position: str) -> None:
        self.sandbox.control("ozonetel", campaign="Demo", position=position)

    def become_unknown(self) -> None:
        self.show("ARCHIVED")

    def sensor(self, **options: Any) -> CampaignSensor:
        return OzonetelCampaignSensor(**{"campaign_name": "Demo", **options})

    def missing(self, **options: Any) -> CampaignSensor:
        return self.sensor(campaign_name="unknown", **options)


class Collect(Waiting):
    vendor, poll, path = "collect", "get_request", "/v1/requests/"
    status = "pending"
    unknown = "with the notary"

    def begin(self) -> None:
        (request,) = CollectHook().send_requests("xvr69EYLKXvTkfYuk", [{"email": "pending@example.com"}])["requests"]
        self.id = request["_id"]
        self.done = {"status": "completed", "counts": {"completed": 1}, "requests": {self.id: "completed"}}
        self.failures = {
            status: (partial(self.show, status), f"ended as {status}") for status in ("error", "cancelled", "archived")
        }

    def show(self, status: str) -> None:
        self.sandbox.control("collect", request=self.id, status=status)

    def finish(self) -> None:
        self.show("completed")

    def become_unknown(self) -> None:
        self.show("with the notary")

    def sensor(self, **options: Any) -> CampaignSensor:
        return CollectRequestSensor(**{"request_id": self.id, **options})

    def missing(self, **options: Any) -> CampaignSensor:
        return self.sensor(request_id="another", **options)


class Xtremepush(Waiting):
    vendor, poll, path = "xtremepush", "info", "info/campaign"
    status = "not live"
    unknown = "active 7"
    done = {"status": "live", "active": 1}  # noqa: RUF012

    def begin(self) -> None:
        self.show(0)

    def show(self, active: int) -> None:
        self.sandbox.control("xtremepush", campaign="7345", active=active)

    def finish(self) -> None:
        self.show(1)

    def become_unknown(self) -> None:
        self.show(7)

    def sensor(self, **options: Any) -> CampaignSensor:
        return XtremepushCampaignSensor(**{"campaign_id": "7345", **options})

    def missing(self, **options: Any) -> CampaignSensor:
        return self.sensor(campaign_id="unknown-1", **options)


class Xebo(Waiting):
    vendor, poll, path = "xebo", "responses", "export/responses"
    signs_in = True
    status = "0 of 2 responses"
    unknown = None
    done = {"status": "2 of 2 responses", "responses": 2}  # noqa: RUF012

    def answer(self, status: int) -> None:
        self.sandbox.control("xebo", answers=2, collector="66c70e71f57bd9efe12d691d", status=status)

    def finish(self) -> None:
        self.answer(COMPLETE)

    def become_unknown(self) -> None:
        self.answer(7)

    def sensor(self, **options: Any) -> CampaignSensor:
        survey = "0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10"
        return XeboResponsesSensor(**{"survey_id": survey, "minimum_responses": 2, **options})

    def missing(self, **options: Any) -> CampaignSensor:
        return self.sensor(survey_id="unknown-survey", **options)


VENDORS: dict[str, type[Waiting]] = {one.vendor: one for one in (Collect, Exotel, Ozonetel, Xebo, Xtremepush)}
# Whose sensors show every behaviour in every mode: one signs in with each request, the other shares a token.
THOROUGH = ("exotel", "ozonetel")
FAILURES = [
    ("collect", "error"),
    ("collect", "cancelled"),
    ("collect", "archived"),
    ("exotel", "Failed"),
    ("exotel", "Canceled"),
    ("exotel", "Deleted"),
    ("exotel", "Paused"),
]
