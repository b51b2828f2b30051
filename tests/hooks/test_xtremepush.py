"""XtremepushHook against the sandbox."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook
from airflow_provider_campaigns.sandbox import xtremepush
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xtremepush")


class TestConnection:
    def test_the_test_asks_for_one_campaign(self, sandbox: SandboxClient) -> None:
        assert XtremepushHook().test_connection() == (True, "Xtremepush takes the app token")
        assert calls(sandbox, "xtremepush") == ["list_campaigns"]

    @pytest.mark.parametrize("always_200", [False, True])
    def test_a_wrong_token_is_reported_whatever_the_http_status(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, always_200: bool
    ) -> None:
        sandbox.control("xtremepush", always_200=always_200)
        connect(monkeypatch, sandbox, "xtremepush", password="another-token")
        works, message = XtremepushHook().test_connection()
        assert not works
        assert "Invalid application token" in message
        assert "another-token" not in message

    def test_the_token_is_required(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "xtremepush", password="")
        with pytest.raises(InputError, match="password of connection 'xtremepush_default': expected the app token"):
            XtremepushHook().campaign_info(1)

    def test_the_host_has_a_default(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "xtremepush", host="")
        assert XtremepushHook().fields.base_url == "https://external-api.xtremepush.com"

    def test_the_identity_does_not_show_the_token(self) -> None:
        identity = XtremepushHook().identity
        assert identity["vendor"] == "xtremepush"
        assert xtremepush.APP_TOKEN not in str(identity)


class TestCalls:
    def test_execute_campaign_reaches_its_targets(self, sandbox: SandboxClient) -> None:
        reply = XtremepushHook().execute_campaign({"id": 7, "target": ["u-1", "u-2"], "target_by": "user_id"})
        assert reply == {"code": 200, "success": True}
        assert contacted(sandbox, "xtremepush") == ["u-1", "u-2"]

    def test_campaign_info_returns_the_fields_that_are_asked_for(self) -> None:
        assert XtremepushHook().campaign_info("7", select=["id", "active"]) == {"id": "7", "active": 1}
        assert XtremepushHook().campaign_info("7")["title"] == "Campaign 7"

    def test_list_campaigns_yields_every_page(self, sandbox: SandboxClient) -> None:
        for number in range(51):
            sandbox.control("xtremepush", campaign=str(number), active=number % 2)
        hook = XtremepushHook()
        assert len(list(hook.list_campaigns())) == 51
        live = hook.list_campaigns(condition=[["active", "=", 1]], order=["id DESC"], select=["id"])
        assert {campaign["id"] for campaign in live} == {str(number) for number in range(1, 51, 2)}

    def test_an_endpoint_without_a_method_is_called_with_the_token(self) -> None:
        reply = XtremepushHook().call("POST", "/api/external/list/profile", json={"limit": 1})
        assert reply["success"] is True

    def test_an_unknown_campaign_refuses_the_call(self) -> None:
        with pytest.raises(CallRefusedError, match="Campaign not found"):
            XtremepushHook().campaign_info("unknown-7")
