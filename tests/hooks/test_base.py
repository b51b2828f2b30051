"""What the hooks share: the connection, calls nobody wrapped, the Test button; see also test_fields."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests_mock
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, RequestRejectedError
from airflow_provider_campaigns.hooks import base
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy
from airflow_provider_campaigns.protocol.messages import Conversation, Page, Request
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport

HOST = "https://api.example.com"


@dataclass(frozen=True, kw_only=True)
class Acme(Dialect):
    """A vendor with a key in a header."""

    vendor = "acme"
    key: str = field(default="", repr=False)

    def authorize(self, request: Request, token: str) -> Request:
        return Request(
            request.method, request.path, request.effect, request.json, request.params, headers={"X-Key": self.key}
        )

    def check(self) -> Conversation[str]:
        yield from exchange(self, Request("GET", "/me", "read"))
        return "Acme takes the key"

    def numbers(self) -> Conversation[None]:
        for page in ("1", "2"):
            response = yield from exchange(self, Request("GET", f"/numbers/{page}", "read"))
            yield Page(response.json())


class AcmeHook(CampaignHook):
    """A vendor's hook."""

    conn_type = "collect"
    hook_name = "Acme"
    conn_name_attr = "acme_conn_id"
    default_conn_name = "acme_default"
    default_host = HOST
    dialect: Acme

    def make_dialect(self, fields: ConnectionFields) -> Acme:
        return Acme(key=fields.secret("password", required="the key"), policy=RetryPolicy(retry_limit=0))

    def account(self) -> str:
        return self.dialect.key

    def check(self) -> Conversation[str]:
        return self.dialect.check()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AcmeHook]:
    """Return a function that makes a connection and its hook."""

    def make(**connection: Any) -> AcmeHook:
        described = {"conn_type": "collect", "password": "top-secret-key", **connection}
        monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", json.dumps(described))
        return AcmeHook("acme_default")

    return make


def test_the_connection_is_looked_up_when_it_is_first_needed(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[..., AcmeHook]
) -> None:
    hook = AcmeHook("acme_default")
    connect(extra={"only_recipients": "*@example.com"})

    assert hook.only_recipients == ("*@example.com",)
    monkeypatch.delenv("AIRFLOW_CONN_ACME_DEFAULT")
    assert hook.only_recipients == ("*@example.com",), "and not again"


def test_an_account_is_its_connection_and_host_and_not_its_key(connect: Callable[..., AcmeHook]) -> None:
    identity = connect(host="api.example.com").identity
    rotated = connect(host="api.example.com", password="another").identity
    moved = connect(host="eu.example.com").identity

    assert identity == {"vendor": "collect", "connection": "acme_default", "host": HOST}
    assert rotated == identity
    assert moved != identity


def test_a_host_with_credentials_is_refused_before_it_is_kept(connect: Callable[..., AcmeHook]) -> None:
    with pytest.raises(InputError, match="an address without credentials"):
        connect(host="https://jo:hunter2@api.example.com").identity  # noqa: B018


@pytest.mark.parametrize("url", ["https://evil.example.com/me", f"{HOST}:8443/me", f"{HOST}@evil.example.com/me"])
def test_a_call_goes_to_another_host_only_if_asked(connect: Callable[..., AcmeHook], url: str) -> None:
    hook = connect()
    with requests_mock.Mocker() as vendor:
        vendor.get(url, json={})
        vendor.get(f"{HOST}/me", json={"here": True})
        with pytest.raises(InputError, match=r"expected a path, or a URL .* \(unless allow_other_host=True\)"):
            hook.call("GET", url)
        assert not vendor.called
        assert hook.call("GET", f"{HOST}/me") == {"here": True}
        assert hook.call("GET", url, allow_other_host=True) == {}


def test_secrets_are_the_credentials_of_the_account(connect: Callable[..., AcmeHook]) -> None:
    assert connect(extra={"timeout": 7}).secrets == ("top-secret-key",)


# -- requests a minute


@pytest.mark.parametrize(
    ("extra", "documented", "per_minute"),
    [
        pytest.param({}, 100, 100, id="the vendor's page"),
        pytest.param({}, None, None, id="no page says"),
        pytest.param({"requests_per_minute": ""}, 100, 100, id="an empty field"),
        pytest.param({"requests_per_minute": 0}, 100, 100, id="none at all would never end"),
        pytest.param({"requests_per_minute": "50"}, 100, 50, id="the account's share"),
        pytest.param({"requests_per_minute": 2.5}, 5, 2.5, id="a share of few"),
        pytest.param({"requests_per_minute": 7}, None, 7, id="the connection alone"),
        pytest.param({"requests_per_minute": 3000}, 100, 3000, id="a higher limit that the account was given"),
    ],
)
def test_a_connection_that_names_requests_per_minute_counts_more_than_the_vendors_page(
    connect: Callable[..., AcmeHook], extra: Mapping[str, Any], documented: float | None, per_minute: float | None
) -> None:
    assert connect(extra=extra).requests_per_minute(documented) == per_minute


@pytest.mark.parametrize(("own", "warns"), [(100, True), (5, False), (0, False)])
def test_more_than_the_vendors_page_is_reported(
    connect: Callable[..., AcmeHook],
    logs: Callable[[], str],
    own: float,
    warns: bool,
) -> None:
    connect(extra={"requests_per_minute": own}).requests_per_minute(5)

    warning = "requests_per_minute of connection 'acme_default' is 100, but Acme documents 5 a minute for this call"
    assert (warning in logs()) == warns


def test_requests_per_minute_that_are_no_number_are_named(connect: Callable[..., AcmeHook]) -> None:
    with pytest.raises(InputError, match="requests_per_minute of connection 'acme_default': expected a number"):
        connect(extra={"requests_per_minute": "many"}).requests_per_minute(5)


@pytest.mark.parametrize(("extra", "per_minute"), [({}, 30), ({"requests_per_minute": 10}, 10)])
def test_pages_are_asked_for_at_the_vendors_pace(
    connect: Callable[..., AcmeHook], extra: Mapping[str, Any], per_minute: float
) -> None:
    hook = connect(extra=extra)
    waits: list[float] = []
    hook.transport._sleep = waits.append
    with requests_mock.Mocker() as vendor:
        for page in (1, 2):
            vendor.get(f"{HOST}/numbers/{page}", json=[page])

        assert list(hook.stream(hook.dialect.numbers(), 30)) == [1, 2]

    (wait,) = waits
    assert 60 / per_minute - 1 < wait < 60 / per_minute * 1.02


# -- calls


def test_a_call_that_no_method_wraps_is_signed_like_any_other(connect: Callable[..., AcmeHook]) -> None:
    hook = connect(host="https://api.example.com/eu")
    with requests_mock.Mocker() as vendor:
        vendor.post("https://api.example.com/eu/things?page=2", json={"id": 7})

        assert hook.call("post", "/things", json={"a": "é"}, params={"page": 2, "none": None}) == {"id": 7}

        sent = vendor.last_request
    assert sent.headers["X-Key"] == "top-secret-key"
    assert sent.json() == {"a": "é"}
    assert sent.qs == {"page": ["2"]}


@pytest.mark.parametrize(("status", "kind"), [(402, CallRefusedError), (422, RequestRejectedError)])
def test_a_call_that_fails_says_so(connect: Callable[..., AcmeHook], status: int, kind: type[Exception]) -> None:
    with requests_mock.Mocker() as vendor:
        vendor.get(f"{HOST}/things", status_code=status, json={"message": "no"})

        with pytest.raises(kind, match="no"):
            connect().call("GET", "/things")


def test_pages_are_read_as_they_are_asked_for(connect: Callable[..., AcmeHook]) -> None:
    hook = connect()
    with requests_mock.Mocker() as vendor:
        vendor.get(f"{HOST}/numbers/1", json=[1, 2])
        vendor.get(f"{HOST}/numbers/2", json=[3])
        numbers = hook.stream(hook.dialect.numbers())

        assert next(numbers) == 1
        assert vendor.call_count == 1
        assert list(numbers) == [2, 3]


def test_the_transport_is_made_once(connect: Callable[..., AcmeHook]) -> None:
    hook = connect()

    assert hook.get_conn() is hook.get_conn()


def test_in_an_event_loop_the_connection_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, connect: Callable[..., AcmeHook]
) -> None:
    looked_up: list[str] = []
    hook = connect()
    connection = hook.get_connection("acme_default")

    async def look_up(conn_id: str) -> Connection:
        looked_up.append(conn_id)
        return connection

    monkeypatch.setattr(base, "get_async_connection", look_up)

    async def twice() -> None:
        for _ in range(2):
            assert isinstance(await hook.async_transport(), AsyncTransport)

    asyncio.run(twice())

    assert looked_up == ["acme_default"]
    assert hook.connection is connection


def test_no_secret_is_in_a_repr(connect: Callable[..., AcmeHook]) -> None:
    hook = connect(extra={"api_key": "other"})

    assert "top-secret-key" not in f"{hook.fields!r} {hook!r}"


# -- the Test button


@pytest.mark.parametrize(
    ("connection", "reply", "works", "message"),
    [
        pytest.param({}, {"json": {}}, True, "Acme takes the key", id="works"),
        pytest.param(
            {},
            {"status_code": 401, "json": {"message": "bad key."}},
            False,
            "acme: call refused (HTTP 401): bad key. Check API key (password) and extras of the connection",
            id="wrong key",
        ),
        pytest.param(
            {},
            {"status_code": 503, "text": "busy"},
            False,
            "acme: unavailable (HTTP 503): no message (4 bytes). Check host, port and proxy of the connection",
            id="ill",
        ),
        pytest.param(
            {},
            {"status_code": 400, "json": {"message": "odd"}},
            False,
            "acme: request rejected (HTTP 400): odd",
            id="refused",
        ),
        pytest.param(
            {"password": ""},
            {"json": {}},
            False,
            "password of connection 'acme_default': expected the key, got nothing",
            id="no key",
        ),
        pytest.param(
            {"host": "ftp://api.example.com"},
            {"json": {}},
            False,
            "host: expected an address such as https://api.example.com, got ftp://api.example.com",
            id="wrong host",
        ),
    ],
)
def test_the_test_button_says_which_field_to_look_at(
    connect: Callable[..., AcmeHook], connection: Mapping[str, Any], reply: Mapping[str, Any], works: bool, message: str
) -> None:
    with requests_mock.Mocker() as vendor:
        vendor.get(f"{HOST}/me", **reply)

        assert connect(**connection).test_connection() == (works, message)
        assert {request.method for request in vendor.request_history} <= {"GET"}


# -- the connection form (tests/test_provider_info.py checks what Airflow makes of it)


def test_the_form_is_described_in_the_class_itself_for_older_versions() -> None:
    assert {"get_ui_field_behaviour", "get_connection_form_widgets"} <= AcmeHook.__dict__.keys()
    assert AcmeHook.get_ui_field_behaviour() == {
        "hidden_fields": ["schema", "login"],
        "relabeling": {"host": "API host", "password": "API key"},
        "placeholders": {
            "host": "https://api.usecollect.com",
            "port": "443; the Test button of Airflow 3.3 needs one",
            "password": "bottom of your profile page",
        },
    }
