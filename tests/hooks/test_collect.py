"""CollectHook against the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.hooks.collect import CollectHook
from airflow_provider_campaigns.sandbox import collect
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect

CAMPAIGN = "xvr69EYLKXvTkfYuk"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "collect")


class TestConnection:
    def test_the_test_names_the_team_and_sends_nothing(self, sandbox: SandboxClient) -> None:
        assert CollectHook().test_connection() == (True, "Collect takes the API key (team Sandbox)")
        assert calls(sandbox, "collect") == ["team"]

    def test_a_wrong_key_is_reported(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "collect", password="another-key")
        works, message = CollectHook().test_connection()
        assert not works
        assert "Your API key is wrong" in message
        assert "another-key" not in message

    def test_the_key_is_required(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "collect", password="")
        with pytest.raises(InputError, match="password of connection 'collect_default': expected the API key"):
            CollectHook().get_request("r-1")

    def test_the_host_has_a_default(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "collect", host="")
        assert CollectHook().fields.base_url == "https://api.usecollect.com"

    def test_the_identity_does_not_show_the_key(self) -> None:
        identity = CollectHook().identity
        assert identity["vendor"] == "collect"
        assert collect.API_KEY not in str(identity)


class TestCalls:
    def test_send_request_sends_to_one_contact(self, sandbox: SandboxClient) -> None:
        reply = CollectHook().send_request(CAMPAIGN, {"email": "jo@example.com"}, {"items": ["doc-1"]})
        assert reply["request"]["status"] == "pending"
        assert calls(sandbox, "collect") == ["request"]
        assert sandbox.received("collect")["contacts"][0]["fields"]["items"] == ["doc-1"]

    def test_send_requests_sends_to_many(self, sandbox: SandboxClient) -> None:
        reply = CollectHook().send_requests(CAMPAIGN, ["WmTjsFknzHdmfs3Ra", {"email": "jo@example.com"}])
        assert len(reply["requests"]) == 2
        assert calls(sandbox, "collect") == ["bulk"]

    def test_update_request_changes_what_is_given(self) -> None:
        hook = CollectHook()
        request = hook.send_request(CAMPAIGN, {"email": "jo@example.com"}, {"data": {"brand": "Acme"}})["request"]
        due = datetime(2026, 7, 1, 12, tzinfo=UTC)
        hook.update_request(
            request["_id"],
            status="canceled",
            due_date=due,
            assigned_to="sam@example.com",
            send_completion_message=False,
            send_rejection_message=False,
            send_reopen_message=False,
        )
        changed = hook.get_request(request["_id"])
        assert changed["status"] == "cancelled"
        assert datetime.fromisoformat(changed["dueDate"]) == due
        assert changed["data"] == {"brand": "Acme"}
        assert changed["assignedTo"] == "sam@example.com"

    def test_list_requests_yields_every_page(self, sandbox: SandboxClient) -> None:
        hook = CollectHook()
        for first in (0, 50, 100):
            contacts = [{"email": f"jo{number}@example.com"} for number in range(first, first + 50)]
            hook.send_requests(CAMPAIGN, contacts)
        emails = {request["contact"]["email"] for request in hook.list_requests(CAMPAIGN)}
        assert len(emails) == 150
        assert len(list(hook.list_requests(CAMPAIGN, search="jo149@"))) == 1
        assert list(hook.list_requests(CAMPAIGN, status="archived")) == []

    def test_find_requests_finds_those_of_one_address_since_a_moment(self) -> None:
        hook = CollectHook()
        hook.send_requests(CAMPAIGN, [{"email": "jo@example.com"}, {"email": "mo-jo@example.com"}])
        now = datetime.now(UTC)
        found = hook.find_requests(CAMPAIGN, "JO@example.com", now - timedelta(minutes=1))
        assert [request["contact"]["email"] for request in found] == ["jo@example.com"]
        assert hook.find_requests(CAMPAIGN, "jo@example.com", now + timedelta(minutes=1)) == []

    def test_an_endpoint_without_a_method_is_called_signed(self) -> None:
        assert CollectHook().call("GET", "/v1/users")[0]["email"] == "sandbox@example.com"

    def test_an_unknown_campaign_refuses_the_call(self) -> None:
        with pytest.raises(CallRefusedError, match="could not be found"):
            CollectHook().send_request("unknown-campaign", {"email": "jo@example.com"})
