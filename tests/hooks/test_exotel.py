"""ExotelHook against the sandbox."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox import exotel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.connections import calls, connect, contacted, keep_no_pace

NUMBERS = ["+447700900100", "+447700900993"]


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "exotel")


def create(name: str = "Spring 01") -> str:
    campaign = CreateCampaign(name=name, caller_id="02025550100", read_via_text="Your parcel is here.", numbers=NUMBERS)
    return str(ExotelHook().create_campaign(campaign)["id"])


class TestConnection:
    def test_the_button_reads_and_creates_nothing(self, sandbox: SandboxClient) -> None:
        assert ExotelHook().test_connection() == (True, "Exotel takes the API key and token (account sandbox1)")
        assert calls(sandbox, "exotel") == ["list_campaigns"]

    @pytest.mark.parametrize(
        ("field", "name"),
        [({"login": ""}, "login"), ({"password": ""}, "password"), ({"extra": {"account_sid": ""}}, "account_sid")],
    )
    def test_each_credential_is_required(
        self, field: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "exotel", **field)
        works, message = ExotelHook().test_connection()
        assert not works
        assert message.startswith(f"{name} of connection 'exotel_default': expected the ")
        assert sandbox.received()["requests"] == []

    @pytest.mark.parametrize("fields", [{"password": "another"}, {"extra": {"account_sid": "another"}}])
    def test_credentials_the_vendor_does_not_take(
        self, fields: dict[str, object], monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "exotel", **fields)
        works, message = ExotelHook().test_connection()
        assert not works
        assert "Check API key (login), API token (password) and extras" in message
        assert exotel.API_TOKEN not in message

    def test_without_a_host_it_is_singapore(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        connect(monkeypatch, sandbox, "exotel", host="")
        assert ExotelHook().fields.settings.base_url == "https://api.exotel.com"

    def test_region(self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        assert ExotelHook().region is None
        connect(monkeypatch, sandbox, "exotel", extra={"region": "in"})
        assert ExotelHook().region == "IN"
        connect(monkeypatch, sandbox, "exotel", extra={"region": "India"})
        with pytest.raises(InputError, match="region of connection 'exotel_default': expected a country"):
            _ = ExotelHook().region

    def test_a_campaign_is_looked_at_in_the_api(self, sandbox: SandboxClient) -> None:
        url = ExotelHook().campaign_url("c1")
        assert url == f"{sandbox.url}/exotel/v2/accounts/sandbox1/campaigns/c1"

    def test_a_campaign_is_looked_at_in_the_dashboard_whose_address_the_connection_gives(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        page = "https://dashboard.example.com/{account_sid}/campaigns?id={campaign_id}"
        connect(monkeypatch, sandbox, "exotel", extra={"campaign_url": page})
        assert ExotelHook().campaign_url("c/1") == "https://dashboard.example.com/sandbox1/campaigns?id=c%2F1"

    @pytest.mark.parametrize("page", ["javascript:alert('{campaign_id}')", "https://dashboard.example.com"])
    def test_a_dashboard_without_an_address_of_a_campaign(
        self, page: str, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "exotel", extra={"campaign_url": page})
        with pytest.raises(InputError, match=r"campaign_url of connection 'exotel_default': expected a URL with"):
            ExotelHook().get_campaign("c1")
        assert sandbox.received()["requests"] == []

    def test_the_identity_shows_no_account(self, sandbox: SandboxClient) -> None:
        identity = ExotelHook().identity
        assert (identity["vendor"], identity["host"]) == ("exotel", f"{sandbox.url}/exotel")
        assert exotel.ACCOUNT_SID not in str(identity)

    def test_it_shows_no_secret(self) -> None:
        hook = ExotelHook()
        assert exotel.API_TOKEN in hook.secrets
        assert exotel.API_TOKEN not in repr(hook.dialect)


class TestCalls:
    def test_a_campaign_from_its_creation_to_its_calls(self, sandbox: SandboxClient) -> None:
        hook = ExotelHook()
        identifier = create()
        assert hook.get_campaign(identifier)["status"] == "Created"
        assert hook.update_campaign(identifier, "pause")["status"] == "Paused"
        assert hook.update_campaign(identifier, "resume")["status"] == "Created"
        sandbox.clock(advance=3600)
        assert hook.get_campaign(identifier)["status"] == "Completed"
        assert [(call["number"], call["status"]) for call in hook.call_details(identifier)] == [
            (NUMBERS[0], "completed"),
            (NUMBERS[1], "failed"),
        ]

    def test_find_takes_the_exact_name_only(self) -> None:
        create("Spring 01 b")
        identifier = create("Spring 01")
        assert [campaign["id"] for campaign in ExotelHook().find_campaigns("Spring 01")] == [identifier]

    def test_list(self) -> None:
        for name in ("Autumn", "Spring"):
            create(name)
        hook = ExotelHook()
        assert [one["name"] for one in hook.list_campaigns(sort_by="name:desc", limit=1)] == ["Spring"]
        assert [one["name"] for one in hook.list_campaigns(name="Autumn", status=["Created", "Paused"])] == ["Autumn"]

    def test_pages_are_asked_for_thirty_times_a_minute(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "exotel", extra={"requests_per_minute": None})
        paces = keep_no_pace(monkeypatch)
        hook = ExotelHook()
        identifier = create()
        assert len(list(hook.list_campaigns())) == 1
        assert list(hook.call_details(identifier)) == []
        assert paces == [30, 30]

    def test_a_list_from_its_creation_to_a_campaign(self, sandbox: SandboxClient) -> None:
        hook = ExotelHook()
        list_id = hook.create_list("Customers")
        assert (hook.find_list("Customers"), hook.find_list("Custom")) == (list_id, None)
        hook.add_contacts_to_list(list_id, hook.create_contacts(NUMBERS))
        assert hook.count_list(list_id) == len(NUMBERS)
        hook.create_campaign(
            CreateCampaign(name="Spring 02", caller_id="02025550100", read_via_text="Hello there.", lists=[list_id])
        )
        assert contacted(sandbox, "exotel") == NUMBERS

    def test_an_endpoint_without_a_method_is_called_signed(self) -> None:
        reply = ExotelHook().call("GET", "/v2/accounts/sandbox1/lists")
        assert reply["response"] == []

    def test_an_unknown_campaign_refuses_the_call(self) -> None:
        with pytest.raises(CallRefusedError, match="HTTP 404"):
            ExotelHook().get_campaign("unknown")
