"""OzonetelHook against the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
from airflow_provider_campaigns.sandbox import ozonetel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, keep_no_pace, keep_tokens_in_memory

IST = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel")


def add_lead(campaign: str, number: str) -> dict[str, Any]:
    body = {"campaignName": campaign, "phoneNumber": number, "userName": ozonetel.USER}
    reply: dict[str, Any] = OzonetelHook().call("POST", "/ca_apis/AddCampaignData", json=body)
    return reply


class TestConnection:
    def test_the_button_asks_for_a_status_and_changes_nothing(self, sandbox: SandboxClient) -> None:
        assert OzonetelHook().test_connection() == (
            True,
            "Ozonetel takes the API key and user name (auth_mode token)",
        )
        assert calls(sandbox, "ozonetel") == ["get_status"]

    def test_basic_mode_needs_no_token(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        sandbox.control("ozonetel", auth_mode="BASIC_AUTH")
        connect(monkeypatch, sandbox, "ozonetel", extra={"auth_mode": "basic"})
        works, message = OzonetelHook().test_connection()
        assert (works, message) == (True, "Ozonetel takes the API key and user name (auth_mode basic)")
        assert [one["call"] for one in sandbox.received("ozonetel")["requests"]] == ["get_status"]

    @pytest.mark.parametrize(("account", "mode"), [("BASIC_AUTH", "token"), ("TOKEN_AUTH", "basic"), ("NONE", "basic")])
    def test_another_mode_than_the_accounts_is_explained(
        self, account: str, mode: str, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        sandbox.control("ozonetel", auth_mode=account)
        connect(monkeypatch, sandbox, "ozonetel", extra={"auth_mode": mode})
        works, message = OzonetelHook().test_connection()
        assert not works
        assert "set auth_mode to the account's" in message

    def test_a_mode_that_does_not_exist(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "ozonetel", extra={"auth_mode": "NONE"})
        with pytest.raises(InputError, match="auth_mode: expected token or basic, got NONE"):
            OzonetelHook().campaign_status("Demo")

    @pytest.mark.parametrize("field", ["login", "password"])
    def test_each_credential_is_required(
        self, field: str, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "ozonetel", **{field: ""})
        works, message = OzonetelHook().test_connection()
        assert not works
        assert message.startswith(f"{field} of connection 'ozonetel_default': expected the ")
        assert sandbox.received()["requests"] == []

    def test_a_key_the_vendor_does_not_take(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "ozonetel", password="another-key")
        works, message = OzonetelHook().test_connection()
        assert not works
        assert "Invalid userName or apiKey" in message
        assert "another-key" not in message

    def test_the_identity_shows_no_account(self) -> None:
        identity = OzonetelHook().identity
        assert identity["vendor"] == "ozonetel"
        assert ozonetel.USER not in identity.values()


class TestCalls:
    def test_a_campaign_is_started_and_stopped(self) -> None:
        hook = OzonetelHook()
        add_lead("Demo", "+447700900100")
        assert hook.campaign_status("Demo")["Position"] == "READY"
        assert hook.set_campaign_status("Demo", "start") == "SUCCESSFULLY UPDATED, Demo was started"
        assert hook.campaign_status("Demo")["Position"] == "RUNNING"
        hook.set_campaign_status("Demo", "Stop")
        assert hook.campaign_status("Demo")["Position"] == "STOPPED"

    def test_one_token_serves_all_tasks(self, sandbox: SandboxClient) -> None:
        for _ in range(3):
            OzonetelHook().campaign_status("Demo")
        assert [one["call"] for one in sandbox.received("ozonetel")["requests"]] == ["token", *["get_status"] * 3]

    def test_calls_of_a_day(self, sandbox: SandboxClient) -> None:
        hook = OzonetelHook()
        for number in ("+447700900100", "+447700900101"):
            add_lead("Demo", number)
        hook.set_campaign_status("Demo", "Start")
        now = sandbox.clock(advance=60)
        day = datetime.fromtimestamp(now, UTC).astimezone(IST).date()
        assert {call["CallerID"] for call in hook.call_records(day, "Demo")} == {"+447700900100", "+447700900101"}
        assert list(hook.call_records(day, "Progressive")) == []

    def test_call_records_are_asked_for_twice_a_minute(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "ozonetel", extra={"requests_per_minute": None})
        paces = keep_no_pace(monkeypatch)
        assert list(OzonetelHook().call_records(datetime.now(IST).date())) == []
        assert paces == [2]

    def test_an_unknown_campaign_refuses_the_call(self) -> None:
        with pytest.raises(CallRefusedError, match="campaign 'unknown one': no record found"):
            OzonetelHook().campaign_status("unknown one")
