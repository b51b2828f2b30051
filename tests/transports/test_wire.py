"""What a request is on the wire, and what the settings and the token memory accept."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_campaigns import __version__
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.messages import Request, Sleep
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens
from airflow_provider_campaigns.transports.wire import WaitLog, wire_request
from tests.transports.conftest import AcmeDialect, Driver
from tests.transports.faulty_server import FaultyServer


@pytest.mark.parametrize(
    ("base_url", "path", "params", "url"),
    [
        ("https://api.example.com", "/v1/things", {}, "https://api.example.com/v1/things"),
        ("https://api.example.com/", "/v1/things", {}, "https://api.example.com/v1/things"),
        ("https://api.example.com:8443/eu/", "v1/things", {}, "https://api.example.com:8443/eu/v1/things"),
        ("https://api.example.com/eu", "https://files.example.com/x", {}, "https://files.example.com/x"),
        ("https://api.example.com", "/a", {"n": 0, "none": None, "e": ""}, "https://api.example.com/a?n=0&e="),
        ("https://api.example.com", "/a?b=1", {"c": 2}, "https://api.example.com/a?b=1&c=2"),
        ("https://api.example.com", "/a", {"to": "+44 7/@&é"}, "https://api.example.com/a?to=%2B44+7%2F%40%26%C3%A9"),
        ("https://api.example.com", "/señal 1/%2Fx", {}, "https://api.example.com/se%C3%B1al%201/%2Fx"),
    ],
)
def test_the_path_is_appended_to_the_base_url(base_url: str, path: str, params: Any, url: str) -> None:
    assert wire_request(Request("GET", path, "read", params=params), TransportSettings(base_url)).url == url


@pytest.mark.parametrize("path", ["/a b/é?x=1", "/a%20b/%C3%A9?x=%2B1", "/a?x=1&y=a+b"])
def test_both_transports_send_the_same_target(driver: Driver, acme: AcmeDialect, path: str) -> None:
    with FaultyServer() as server:
        settings = TransportSettings(server.url + "/prefix")
        request = Request("GET", path, "read", params={"to": "+44 7@é"})
        driver.run(settings, acme, (step for step in [request]))
        assert server.url + server.received[0].target == wire_request(request, settings).url


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_json_is_sent_with_any_method(driver: Driver, acme: AcmeDialect, method: Any) -> None:
    with FaultyServer() as server:
        request = Request(method, "/things", "read", json={"name": "é"})
        driver.run(TransportSettings(server.url), acme, (step for step in [request]))
        (received,) = server.received
    assert received.method == method
    assert json.loads(received.body) == {"name": "é"}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["accept"] == "application/json"
    assert received.headers["user-agent"] == f"airflow-provider-campaigns/{__version__}"


@pytest.mark.parametrize("body", [[], {}, 0, False, ""])
def test_an_empty_body_is_still_a_body(body: Any) -> None:
    wire = wire_request(Request("POST", "/", "write", json=body), TransportSettings("http://vendor.example.com"))
    assert json.loads(wire.body or b"none") == body


def test_no_body_has_no_content_type() -> None:
    wire = wire_request(Request("GET", "/", "read"), TransportSettings("http://vendor.example.com"))
    assert wire.body is None
    assert "Content-Type" not in wire.headers


def test_the_requests_own_headers_win_whatever_their_case() -> None:
    request = Request("POST", "/", "write", json={}, headers={"content-type": "text/json", "apiKey": "s3cret"})
    wire = wire_request(request, TransportSettings("http://vendor.example.com", user_agent="me"))
    assert {name.lower(): value for name, value in wire.headers.items()} == {
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "user-agent": "me",
        "content-type": "text/json",
        "apikey": "s3cret",
    }
    assert len(wire.headers) == 5
    assert "s3cret" not in repr(wire)


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), float("inf")])
def test_a_body_json_does_not_know_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="request body"):
        wire_request(Request("POST", "/", "write", json={"x": value}), TransportSettings("http://vendor.example.com"))


@pytest.mark.parametrize(
    "base_url", ["", "api.example.com", "ftp://api.example.com", "https://", "https://a.example.com/?x=1"]
)
def test_a_host_that_is_no_http_address_is_refused(base_url: str) -> None:
    with pytest.raises(InputError, match=r"host: expected an address such as https://api\.example\.com, got"):
        TransportSettings(base_url)


NO_ADDRESSES = [
    "http://[::1",
    "http://::1]",
    "http://api.example.com:port",
    "http://api.example.com:99999",
    "http://api.example.com:0",
    "http://api.exa mple.com",
    "http://api.example.com\n.evil.example.com",
    "http://api.example.com\u200b",
    "http://api.example.com\ud800",
    "http://evil.example.com\\@api.example.com",
]


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_address_is_named(url: str) -> None:
    with pytest.raises(InputError, match=r"^host: expected an address"):
        TransportSettings(url)
    with pytest.raises(InputError, match=r"^proxy: expected an address such as") as caught:
        TransportSettings("https://api.example.com", proxy=url)
    assert url not in str(caught.value)
    with pytest.raises(InputError, match=r"^path: expected"):
        wire_request(Request("GET", url, "read"), TransportSettings("http://vendor.example.com"))


@pytest.mark.parametrize("value", ["key\n", "k\x00ey", "key\u200b", "\ufeffkey", "k\ud800ey", "kéy", " key", "key\x7f"])
def test_a_header_that_cannot_be_sent_is_named_and_not_shown(driver: Driver, acme: AcmeDialect, value: Any) -> None:
    with FaultyServer() as server:
        request = Request("POST", "/", "write", json={}, headers={"apiKey": value})
        with pytest.raises(InputError, match="header apiKey: expected visible ASCII characters, got something else"):
            driver.run(TransportSettings(server.url), acme, exchange(acme, request))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("path", "params"), [("/a\ud800", {}), ("/a", {"to": "\ud800"}), ("/a?to=\ud800", {}), ("/a\u200b", {})]
)
def test_a_path_is_sent_as_it_is_or_refused(path: str, params: Any) -> None:
    try:
        url = wire_request(Request("GET", path, "read", params=params), TransportSettings("http://v.example.com")).url
    except InputError as error:
        url = f"http://v.example.com/{error.field}"
    assert url.isascii()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/things", True),
        ("things?next=https://evil.example.com", True),
        ("//evil.example.com/things", True),
        ("https://api.example.com/things", True),
        ("HTTPS://API.example.com:443/things", True),
        ("https://api.example.com", True),
        ("http://api.example.com/things", False),
        ("https://api.example.com:8443/things", False),
        ("https://evil.example.com/things", False),
        ("https://api.example.com.evil.example.com/things", False),
        ("https://api.example.com@evil.example.com/things", False),
        ("https://evil.example.com\\@api.example.com/things", False),
        ("https://evil.example.com#@api.example.com/things", False),
        ("ftp://api.example.com/things", False),
        ("https://[::1", False),
    ],
)
def test_a_url_may_be_held_to_the_host(path: str, allowed: Any) -> None:
    settings = TransportSettings("https://api.example.com/eu")
    if allowed:
        settings.check_host(path)
        assert wire_request(Request("GET", path, "read"), settings).url.startswith("https://api.example.com")
    else:
        with pytest.raises(InputError, match=r"path: expected a path, or a URL below https://api\.example\.com/eu"):
            settings.check_host(path)


def test_credentials_in_the_host_are_refused_and_not_shown() -> None:
    with pytest.raises(InputError, match="host: expected an address without credentials") as caught:
        TransportSettings("https://key:s3cret@api.example.com")
    assert "s3cret" not in str(caught.value)


def test_a_token_is_given_out_until_a_minute_before_it_ends() -> None:
    now = [1000.0]
    tokens = InMemoryTokens(clock=lambda: now[0])
    assert tokens.recall() is None
    tokens.keep("first", 1100.0)
    tokens.keep("second", 1200.0)
    assert tokens.recall() == "second"
    now[0] = 1139.9
    assert tokens.recall() == "second"
    now[0] = 1140.0
    assert tokens.recall() is None


def test_waits_are_logged_once_a_minute_with_their_reason_and_those_for_the_turn_of_a_request_are_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("airflow_provider_campaigns"), "propagate", True)
    caplog.set_level(logging.INFO, logger="airflow_provider_campaigns")

    now = [0.0]
    waits = WaitLog(clock=lambda: now[0])

    waits.note(Sleep(0.6, ""))
    for second in (0, 1, 2, 59):
        now[0] = second
        waits.note(Sleep(30, "Max limit exceeded", throttled=True))
    waits.note(Sleep(1, "HTTP 503"))
    now[0] = 61
    waits.note(Sleep(20, "Max limit exceeded", throttled=True))

    assert caplog.messages == [
        "waiting 30.0 s: Max limit exceeded",
        "waiting 1.0 s: HTTP 503",
        "waiting 20.0 s: Max limit exceeded (3 more waits for it since the last line)",
    ]
