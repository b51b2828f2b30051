"""How a request looks on the wire, and what the settings and the token memory accept."""

from __future__ import annotations

import json
import logging

import pytest
from faulty_server import FaultyServer

from airflow_provider_campaigns import __version__
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.messages import Request, Sleep
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens
from airflow_provider_campaigns.transports.wire import log_wait, wire_request


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
def test_the_path_is_appended_to_the_base_url(base_url, path, params, url):
    assert wire_request(Request("GET", path, "read", params=params), TransportSettings(base_url)).url == url


@pytest.mark.parametrize("path", ["/a b/é?x=1", "/a%20b/%C3%A9?x=%2B1", "/a?x=1&y=a+b"])
def test_both_transports_send_the_same_target(driver, acme, path):
    with FaultyServer() as server:
        settings = TransportSettings(server.url + "/prefix")
        request = Request("GET", path, "read", params={"to": "+44 7@é"})
        driver.run(settings, acme, (step for step in [request]))
        assert server.url + server.received[0].target == wire_request(request, settings).url


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_json_is_sent_with_any_method(driver, acme, method):
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
def test_an_empty_body_is_still_a_body(body):
    wire = wire_request(Request("POST", "/", "write", json=body), TransportSettings("http://vendor.example.com"))
    assert json.loads(wire.body or b"none") == body


def test_no_body_has_no_content_type():
    wire = wire_request(Request("GET", "/", "read"), TransportSettings("http://vendor.example.com"))
    assert wire.body is None
    assert "Content-Type" not in wire.headers


def test_the_requests_own_headers_win_whatever_their_case():
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
def test_a_body_json_does_not_know_is_refused(value):
    with pytest.raises(InputError, match="request body"):
        wire_request(Request("POST", "/", "write", json={"x": value}), TransportSettings("http://vendor.example.com"))


@pytest.mark.parametrize(
    "base_url", ["", "api.example.com", "ftp://api.example.com", "https://", "https://a.example.com/?x=1"]
)
def test_a_host_that_is_no_http_address_is_refused(base_url):
    with pytest.raises(InputError, match=r"host: expected an address such as https://api\.example\.com, got"):
        TransportSettings(base_url)


def test_credentials_in_the_host_are_refused_and_not_shown():
    with pytest.raises(InputError, match="host: expected an address without credentials") as caught:
        TransportSettings("https://key:s3cret@api.example.com")
    assert "s3cret" not in str(caught.value)


def test_a_token_is_given_out_until_a_minute_before_it_ends():
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


def test_a_wait_is_logged_with_its_reason_and_one_for_the_turn_of_a_request_is_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("airflow_provider_campaigns"), "propagate", True)
    caplog.set_level(logging.INFO, logger="airflow_provider_campaigns")

    log_wait(Sleep(0.6, ""))
    log_wait(Sleep(30, "Max limit exceeded", throttled=True))

    assert caplog.messages == ["waiting 30.0 s: Max limit exceeded"]
