"""Every kind of fault, on a real socket under both of uvicorn's protocols, and which requests an order strikes."""

from __future__ import annotations

import functools
import importlib.util
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import uvicorn

from airflow_provider_campaigns.sandbox.faults import KINDS, Fault
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.sandbox.conftest import counted_server

PATH = "/xtremepush/api/external/execute/campaign"
BODY = {"apptoken": "xtremepush-sandbox-token", "id": "1", "target_by": "user_id", "target": ["ada"]}
FAST, LONG = 0.05, 30.0
# uvloop counts whole milliseconds.
AT_LEAST = FAST - 0.002


# Airflow 2.11 comes without the C one.
PROTOCOLS = [protocol for protocol in ("h11", "httptools") if importlib.util.find_spec(protocol)]


@pytest.fixture(scope="module", params=PROTOCOLS)
def server(request: pytest.FixtureRequest) -> Iterator[SandboxClient]:
    """A sandbox that speaks HTTP through the pure Python protocol, and one through the C one."""
    loop = {"h11": "asyncio", "httptools": "auto"}[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn, "Config", functools.partial(uvicorn.Config, http=request.param, loop=loop))
        with counted_server(request) as running:
            yield SandboxClient(running.url)


@pytest.fixture
def sandbox(server: SandboxClient) -> SandboxClient:
    server.reset()
    return server


def exchange(sandbox: SandboxClient, wait: float = 5) -> bytes:
    """Post the request on a socket of its own and return all bytes up to the end of the connection."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    body = json.dumps(BODY).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=wait) as connection:
        connection.sendall(head.encode() + body)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def post(sandbox: SandboxClient, **options: Any) -> requests.Response:
    return requests.post(sandbox.url + PATH, json=BODY, timeout=5, **options)


def last_request(sandbox: SandboxClient) -> dict[str, Any]:
    request: dict[str, Any] = sandbox.received()["requests"][-1]
    return request


NOT_PROCESSED = ("refuse", "unauthorized", "429", "500", "503", "html", "reply", "reset", "hang")
PROCESSED = ("500-after", "reply-after", "hang-after", "drop", "cut", "slow")


def test_every_kind_is_tested() -> None:
    assert set(NOT_PROCESSED + PROCESSED) == set(KINDS)


@pytest.mark.parametrize("fault", NOT_PROCESSED)
def test_a_fault_before_processing_stores_no_contact(sandbox: SandboxClient, fault: str) -> None:
    sandbox.fault(fault, seconds=FAST)
    try:
        exchange(sandbox)
    except ConnectionResetError:
        assert fault == "reset"
    request = last_request(sandbox)
    assert (request["fault"], request["contacts"], request["contacts_received"]) == (fault, 0, [])
    assert sandbox.received()["contacts"] == []


@pytest.mark.parametrize("fault", PROCESSED)
def test_a_fault_after_processing_stores_the_contact(sandbox: SandboxClient, fault: str) -> None:
    sandbox.fault(fault, seconds=FAST)
    exchange(sandbox)
    request = last_request(sandbox)
    assert (request["fault"], request["contacts"], request["contacts_received"]) == (fault, 1, ["ada"])
    assert [contact["contact"] for contact in sandbox.received()["contacts"]] == ["ada"]


@pytest.mark.parametrize(
    ("fault", "status"), [("refuse", 400), ("unauthorized", 401), ("500", 500), ("503", 503), ("500-after", 500)]
)
def test_refusals_speak_the_vendors_words(sandbox: SandboxClient, fault: str, status: int) -> None:
    sandbox.fault(fault)
    response = post(sandbox)
    assert response.status_code == status
    assert response.json()["code"] == status
    assert response.json()["success"] is False
    assert last_request(sandbox)["status"] == status


def test_429_says_when_to_try_again(sandbox: SandboxClient) -> None:
    sandbox.fault("429", retry_after=7)
    response = post(sandbox)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")


def test_429_is_one_also_where_the_vendor_says_200(sandbox: SandboxClient) -> None:
    sandbox.control("xtremepush", always_200=True)
    sandbox.fault("429")
    assert post(sandbox).status_code == 429


def test_html_is_a_page_with_status_200(sandbox: SandboxClient) -> None:
    sandbox.fault("html")
    response = post(sandbox)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.text.startswith("<html>")


@pytest.mark.parametrize(("fault", "accepted"), [("reply", 0), ("reply-after", 1)])
def test_a_reply_is_answered_as_it_was_ordered(sandbox: SandboxClient, fault: str, accepted: int) -> None:
    sandbox.fault(fault, body={"success": "perhaps"}, status=202)
    response = post(sandbox)
    assert (response.status_code, response.json()) == (202, {"success": "perhaps"})
    assert sandbox.counts("xtremepush")["accepted"] == accepted


def test_reset_breaks_the_connection_off(sandbox: SandboxClient) -> None:
    sandbox.fault("reset")
    with pytest.raises(ConnectionResetError):
        exchange(sandbox)
    assert last_request(sandbox)["status"] is None


@pytest.mark.slow
def test_a_client_that_left_before_the_reset_is_no_error(
    sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.latency(10 * FAST)
    sandbox.fault("reset")
    with pytest.raises(TimeoutError):
        exchange(sandbox, wait=FAST / 5)
    time.sleep(11 * FAST)
    assert caplog.messages == []


def test_drop_ends_the_connection_without_a_byte(sandbox: SandboxClient) -> None:
    sandbox.fault("drop")
    assert exchange(sandbox) == b""
    assert last_request(sandbox)["status"] is None


def test_drop_is_a_connection_error_to_requests(sandbox: SandboxClient) -> None:
    sandbox.fault("drop")
    with pytest.raises(requests.ConnectionError):
        post(sandbox)


def test_cut_sends_less_than_it_announces(sandbox: SandboxClient) -> None:
    sandbox.fault("cut")
    head, _, body = exchange(sandbox).partition(b"\r\n\r\n")
    whole = b'{"code":200,"success":true}'
    assert f"content-length: {len(whole)}".encode() in head
    assert body == whole[: len(whole) // 2]


@pytest.mark.parametrize("fault", ["hang", "hang-after"])
def test_hang_sends_nothing_and_then_closes(sandbox: SandboxClient, fault: str) -> None:
    sandbox.fault(fault, seconds=FAST)
    begin = time.monotonic()
    assert exchange(sandbox) == b""
    assert time.monotonic() - begin >= AT_LEAST


def test_a_client_that_gives_up_ends_the_hanging(sandbox: SandboxClient) -> None:
    sandbox.fault("hang", seconds=LONG)
    with pytest.raises(TimeoutError):
        exchange(sandbox, wait=FAST)
    assert post(sandbox).ok


def test_slow_replies_late(sandbox: SandboxClient) -> None:
    sandbox.fault("slow", seconds=FAST)
    response = post(sandbox)
    assert response.json() == {"code": 200, "success": True}
    assert response.elapsed.total_seconds() >= AT_LEAST


def test_latency_holds_every_reply_back(sandbox: SandboxClient) -> None:
    sandbox.latency(FAST)
    assert all(post(sandbox).elapsed.total_seconds() >= AT_LEAST for _ in range(2))


def test_a_connection_is_kept_after_a_fault_that_answers(sandbox: SandboxClient) -> None:
    sandbox.fault("500")
    with requests.Session() as session:
        statuses = [session.post(sandbox.url + PATH, json=BODY, timeout=5).status_code for _ in range(2)]
    assert statuses == [500, 200]


def test_half_a_request_is_not_processed(sandbox: SandboxClient) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode() + json.dumps(BODY).encode())
    assert post(sandbox).ok
    assert sandbox.received()["counts"]["xtremepush"]["requests"] == 1


# -- which requests an order strikes


@pytest.mark.parametrize(
    ("order", "struck"),
    [
        ({}, True),
        ({"vendor": "exotel"}, True),
        ({"vendor": "xebo"}, False),
        ({"path": "/campaigns"}, True),
        ({"path": "/lists"}, False),
        ({"method": "POST"}, True),
        ({"method": "GET"}, False),
        ({"vendor": "exotel", "path": "/lists"}, False),
    ],
)
def test_an_order_strikes_only_what_it_names(order: dict[str, Any], struck: bool) -> None:
    assert Fault("500", **order).strikes("exotel", "POST", "/exotel/v2/accounts/sandbox1/campaigns") is struck


def strikes(fault: Fault, requests_made: int) -> list[bool]:
    return [fault.strikes("xebo", "GET", "/xebo") for _ in range(requests_made)]


def test_an_order_strikes_once_unless_it_says_otherwise() -> None:
    assert strikes(Fault("500"), 3) == [True, False, False]
    assert strikes(Fault("500", times=2), 3) == [True, True, False]
    assert strikes(Fault("500", times=-1), 3) == [True, True, True]


def test_an_order_may_let_some_through_first() -> None:
    assert strikes(Fault("500", skip=2), 4) == [False, False, True, False]


def test_a_share_is_drawn_repeatably() -> None:
    drawn = strikes(Fault("500", times=-1, share=0.2, seed=7), 1000)
    assert 150 < sum(drawn) < 250
    assert drawn == strikes(Fault("500", times=-1, share=0.2, seed=7), 1000)
    assert drawn != strikes(Fault("500", times=-1, share=0.2, seed=8), 1000)


def test_orders_are_worked_off_one_after_the_other(sandbox: SandboxClient) -> None:
    sandbox.fault("500")
    assert [order["fault"] for order in sandbox.fault("503", times=2)] == ["500", "503"]
    assert [post(sandbox).status_code for _ in range(4)] == [500, 503, 503, 200]


def test_cleared_orders_strike_no_more(sandbox: SandboxClient) -> None:
    sandbox.fault("500", times=-1)
    sandbox.clear_faults()
    assert post(sandbox).ok


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ({"fault": "explode"}, "fault is one of refuse"),
        ({"fault": "500", "times": 0}, "times is positive or -1"),
        ({"fault": "500", "skip": -1}, "skip and seconds are not negative"),
        ({"fault": "500", "share": 2}, "share is above 0"),
        ({"fault": "500", "colour": "red"}, "colour"),
        ({"fault": "500", "vendor": "acme"}, "no vendor 'acme'; there are collect, exotel"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(sandbox: SandboxClient, order: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sandbox.fault(**order)
