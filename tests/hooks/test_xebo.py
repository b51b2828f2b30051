"""XeboHook against the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.hooks.xebo import XeboHook
from airflow_provider_campaigns.sandbox import xebo
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect

COLLECTOR = "66c70e71f57bd9efe12d691d"
SURVEY = "0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10"
CONTACTS = [{"extUniqueId": "u-1", "city": "Delhi"}, {"extUniqueId": "u-2"}]


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xebo")


class TestConnection:
    def test_an_email_and_a_password_log_in(self, sandbox: SandboxClient) -> None:
        assert XeboHook().test_connection() == (True, f"Signed in at {sandbox.url}/xebo")
        assert [request["call"] for request in sandbox.received("xebo")["requests"]] == ["token"]

    def test_an_api_key_takes_their_place(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "xebo", login="", password="", extra={"api_key": xebo.API_KEY})
        hook = XeboHook()
        assert hook.test_connection() == (True, "Xebo takes the API key")
        assert hook.links(COLLECTOR, "", CONTACTS)["accepted"] == 2
        assert "token" not in [request["call"] for request in sandbox.received("xebo")["requests"]]

    @pytest.mark.parametrize("fields", [{"login": "", "password": ""}, {"password": ""}, {"login": ""}])
    def test_without_either_the_error_names_both_ways(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, fields: dict[str, str]
    ) -> None:
        connect(monkeypatch, sandbox, "xebo", **fields)
        expected = r"login and password of connection 'xebo_default': expected .* or an API key in the extra api_key"
        with pytest.raises(InputError, match=expected):
            XeboHook().links(COLLECTOR, "", CONTACTS)
        assert sandbox.received()["requests"] == []

    def test_the_host_is_required(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "xebo", host="")
        with pytest.raises(InputError, match="host of connection 'xebo_default'"):
            XeboHook().links(COLLECTOR, "", CONTACTS)

    def test_wrong_credentials_are_distinguished_from_a_wrong_host(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "xebo", password="another-password")
        works, message = XeboHook().test_connection()
        assert not works
        assert "Incorrect email or password" in message
        assert "E-mail (login), Password (password)" in message
        assert "another-password" not in message
        connect(monkeypatch, sandbox, "xebo", extra={"login_url": "http://127.0.0.1:1", "retry_limit": 0})
        works, message = XeboHook().test_connection()
        assert not works
        assert "Check host" in message

    def test_another_credential_of_the_same_connection_is_the_same_account(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        by_login = XeboHook().identity
        connect(monkeypatch, sandbox, "xebo", login="", password="", extra={"api_key": xebo.API_KEY})
        by_key = XeboHook().identity
        assert by_login == by_key
        assert xebo.EMAIL not in str(by_login)
        assert xebo.API_KEY not in str(by_key)


class TestCalls:
    def test_links_returns_a_message_per_contact(self, sandbox: SandboxClient) -> None:
        reply = XeboHook().links(COLLECTOR, "J/d5730267", CONTACTS)
        assert [item["extUniqueId"] for item in reply["data"]] == ["u-1", "u-2"]
        assert calls(sandbox, "xebo") == ["links"]

    def test_send_makes_xebo_send_by_a_medium(self, sandbox: SandboxClient) -> None:
        reply = XeboHook().send(COLLECTOR, "J/d5730267", 2, [{"email": "jo@example.com"}, {"extUniqueId": "u-2"}])
        assert (reply["accepted"], reply["rejected"]) == (1, 1)
        assert calls(sandbox, "xebo") == ["send"]

    def test_the_path_of_a_send_can_be_chosen(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "xebo", extra={"send_path": "/v2/api/collectors/{collector_id}/combined/auto"})
        XeboHook().send(COLLECTOR, "", 2, [{"email": "jo@example.com"}])
        paths = [request["path"] for request in sandbox.received("xebo")["requests"]]
        assert paths[-1] == f"/xebo/v2/api/collectors/{COLLECTOR}/combined/auto"

    def test_responses_are_read_page_by_page(self, sandbox: SandboxClient) -> None:
        sandbox.control("xebo", answers=251, collector=COLLECTOR)
        sandbox.control("xebo", answers=1, collector=COLLECTOR, status=0)
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        responses = list(XeboHook().responses(SURVEY, since=yesterday))
        assert len(responses) == 251
        assert {response["survey_id"] for response in responses} == {SURVEY}
        assert calls(sandbox, "xebo") == ["responses", "responses"]
        assert len(list(XeboHook().responses(SURVEY, response_status=(0,)))) == 1

    def test_an_endpoint_without_a_method_is_called_signed(self, sandbox: SandboxClient) -> None:
        body = {"survey_id": SURVEY, "data_structure": "flat", "response_status": [1]}
        reply = XeboHook().call("POST", "/api/v1/export/responses/json", json=body)
        assert reply == {"data": [], "total": 0}

    def test_an_unknown_collector_refuses_the_call(self) -> None:
        with pytest.raises(CallRefusedError, match="Collector not found"):
            XeboHook().links("unknown-collector", "", CONTACTS)
