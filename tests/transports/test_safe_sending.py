"""What keeps credentials and addresses where they belong: redirects, netrc, cookies, proxies, TLS and logs."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import ssl
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, VendorError, VendorUnavailableError
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import Request
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
from airflow_provider_campaigns.transports.log_filter import install_log_filter
from airflow_provider_campaigns.transports.settings import TransportSettings
from tests.transports.conftest import AcmeDialect, Driver
from tests.transports.faulty_server import (
    FaultyServer,
    cut,
    drop,
    drop_before_reading,
    greet_before_reading,
    hang,
    reply,
)

ADDITION = Request("POST", "/things", "write", json={"n": 1})
VENDOR = "http://vendor.example.com"


@pytest.fixture
def impatient(acme: AcmeDialect) -> AcmeDialect:
    return replace(acme, policy=RetryPolicy(retry_limit=0))


def test_netrc_does_not_replace_our_credentials(
    driver: Driver, acme: AcmeDialect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultyServer() as server:
        driver.run(TransportSettings(server.url), acme, exchange(acme, ADDITION))
        driver.run(TransportSettings(server.url), acme, (request for request in [ADDITION]))
        signed, unsigned = server.received
    assert signed.headers["authorization"] == "Bearer token-0"
    assert "authorization" not in unsigned.headers


def test_cookies_are_not_kept(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer(reply(Set_Cookie="session=abc; Path=/")) as server:
        driver.run(TransportSettings(server.url), acme, exchange(acme, ADDITION), exchange(acme, ADDITION))
        assert [request.headers.get("cookie") for request in server.received] == [None, None]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(driver: Driver, acme: AcmeDialect, status: int) -> None:
    with FaultyServer() as other, FaultyServer(reply("", status, Location=f"{other.url}/steal")) as server:
        with pytest.raises(VendorError, match="redirects; check the connection's host"):
            driver.run(TransportSettings(server.url), acme, exchange(acme, ADDITION))
        assert server.times("/things") == 1
        assert other.connections == 0


# Proxies.


def test_the_connections_proxy_is_used_with_its_credentials(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer() as proxy:
        settings = TransportSettings(VENDOR, proxy=f"http://user:pass@127.0.0.1:{proxy.port}")
        assert driver.run(settings, acme, exchange(acme, ADDITION)).ok
        (request,) = proxy.received
    assert request.target == f"{VENDOR}/things"
    assert request.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()
    assert "pass" not in repr(settings)


def test_the_environments_proxy_is_used_unless_it_excepts_the_host(
    driver: Driver, acme: AcmeDialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer() as proxy, FaultyServer() as vendor:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        driver.run(TransportSettings(VENDOR), acme, exchange(acme, ADDITION))
        driver.run(TransportSettings(vendor.url), acme, exchange(acme, ADDITION))
        assert [request.target for request in proxy.received] == [f"{VENDOR}/things"]
        assert [request.target for request in vendor.received] == ["/things"]


def test_a_proxy_that_is_not_there_got_nothing(driver: Driver, impatient: AcmeDialect) -> None:
    with FaultyServer() as proxy:
        pass
    with pytest.raises(VendorUnavailableError, match="no connection: ConnectionRefusedError"):
        driver.run(TransportSettings(VENDOR, proxy=proxy.url), impatient, exchange(impatient, ADDITION))


@pytest.mark.parametrize("fault", [drop, cut], ids=["drop", "cut"])
def test_a_request_that_left_through_a_proxy_may_have_arrived(
    driver: Driver, impatient: AcmeDialect, fault: Any
) -> None:
    """urllib3 calls this a proxy error, too, as if the proxy had not been reached."""
    with FaultyServer(fault) as proxy:
        with pytest.raises(OutcomeUnknownError):
            driver.run(TransportSettings(VENDOR, proxy=proxy.url), impatient, exchange(impatient, ADDITION))
        assert len(proxy.received) == 1


@pytest.mark.parametrize("answer", [reply("", 407), reply("", 502), drop], ids=["407", "502", "drop"])
def test_a_proxy_that_opens_no_tunnel_let_nothing_through(driver: Driver, impatient: AcmeDialect, answer: Any) -> None:
    with FaultyServer(answer) as proxy:
        settings = TransportSettings("https://vendor.example.com", proxy=proxy.url)
        with pytest.raises(VendorUnavailableError, match="no connection: "):
            driver.run(settings, impatient, exchange(impatient, ADDITION))
        assert [request.method for request in proxy.received] == ["CONNECT"]


# TLS.


def test_a_certificate_nobody_vouches_for_is_refused_before_the_request(
    driver: Driver, impatient: AcmeDialect, tls: ssl.SSLContext
) -> None:
    with FaultyServer(tls=tls) as server:
        with pytest.raises(VendorUnavailableError, match=r"no connection: .*(?i:certificate.verify.failed)"):
            driver.run(TransportSettings(server.url), impatient, exchange(impatient, ADDITION))
        assert server.received == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("trusted", ["file", "folder", False])
def test_what_is_trusted_can_be_set(
    driver: Driver, acme: AcmeDialect, tls: ssl.SSLContext, certificate: Path, trusted: Any
) -> None:
    verify: Any = {"file": str(certificate), "folder": str(certificate.parent), False: False}[trusted]
    with FaultyServer(tls=tls) as server:
        assert driver.run(TransportSettings(server.url, verify=verify), acme, exchange(acme, ADDITION)).ok


def test_all_transports_share_what_is_trusted_until_it_changes(acme: AcmeDialect, certificate: Path) -> None:
    settings = TransportSettings("https://api.example.com", verify=str(certificate))

    trusted = AsyncTransport(acme, settings)._tls
    assert AsyncTransport(acme, settings)._tls is trusted

    os.utime(certificate, (1, 1))
    assert AsyncTransport(acme, settings)._tls is not trusted


@pytest.fixture(params=["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def trusting_environment(request: Any, monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv(request.param, str(certificate))


@pytest.mark.usefixtures("trusting_environment")
def test_what_is_trusted_can_be_set_in_the_environment(driver: Driver, acme: AcmeDialect, tls: ssl.SSLContext) -> None:
    with FaultyServer(tls=tls) as server:
        assert driver.run(TransportSettings(server.url), acme, exchange(acme, ADDITION)).ok


@pytest.mark.parametrize("fault", [drop_before_reading, greet_before_reading])
def test_a_server_that_speaks_no_tls_got_nothing(driver: Driver, impatient: AcmeDialect, fault: Any) -> None:
    with FaultyServer(fault) as server:
        settings = TransportSettings(server.url.replace("http:", "https:"))
        with pytest.raises(VendorUnavailableError, match="no connection: "):
            driver.run(settings, impatient, exchange(impatient, ADDITION))


def test_a_handshake_that_hangs_got_nothing(driver: Driver, impatient: AcmeDialect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = TransportSettings(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        with pytest.raises(VendorUnavailableError, match=r"no connection: nothing within 0\.1 s"):
            driver.run(settings, impatient, exchange(impatient, ADDITION))


def test_a_connection_nobody_takes_got_nothing(driver: Driver, impatient: AcmeDialect) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        settings = TransportSettings(f"http://127.0.0.1:{full.getsockname()[1]}", timeout=0.1)
        with pytest.raises(VendorUnavailableError, match=r"no connection: nothing within 0\.1 s"):
            driver.run(settings, impatient, exchange(impatient, ADDITION))


def test_a_host_without_an_address_got_nothing(driver: Driver, impatient: AcmeDialect) -> None:
    with pytest.raises(VendorUnavailableError, match="no connection: "):
        driver.run(TransportSettings("http://vendor.invalid"), impatient, exchange(impatient, ADDITION))


# Logs.

HIDDEN = ("jo@example.com", "jo%40example.com", "447700900123", "7700900", "s3cret")


@pytest.mark.parametrize("fault", [reply(), reply('{"message": "call +447700900123"}', 400), drop, cut, hang])
def test_nothing_logged_or_raised_contains_addresses_or_secrets(
    driver: Driver, impatient: AcmeDialect, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    request = Request(
        "POST",
        "/things/447700900123?phone=%2B447700900123",
        "write",
        json={"email": "jo@example.com", "key": "s3cret"},
        params={"email": "jo@example.com", "token": "s3cret"},
        headers={"X-Key": "s3cret"},
    )
    shown = [repr(request)]
    with FaultyServer(fault) as server:
        try:
            driver.run(TransportSettings(server.url, timeout=0.1), impatient, exchange(impatient, request))
        except VendorError as error:
            shown += traceback.format_exception(error)
    shown.append(caplog.text)

    assert "POST /things/447***23: " in caplog.text
    for secret in HIDDEN:
        assert secret not in "".join(shown)


def test_each_request_is_logged_with_its_status_and_time(
    driver: Driver, acme: AcmeDialect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="airflow_provider_campaigns")
    with FaultyServer(reply("{}", 201)) as server:
        driver.run(TransportSettings(server.url), acme, exchange(acme, ADDITION))
    (line,) = [record.getMessage() for record in caplog.records if record.name.endswith("transports.wire")]
    assert line.startswith("POST /things: 201 in ")
    assert line.endswith(" ms")


def test_urllib3s_own_lines_stay_readable(caplog: pytest.LogCaptureFixture) -> None:
    install_log_filter()
    install_log_filter()
    caplog.set_level(logging.DEBUG, logger="urllib3")
    log = logging.getLogger("urllib3.connectionpool")
    log.debug(
        '%s://%s:%s "%s %s %s" %s %s', "https", "api.example.com", 443, "GET", "/a?email=jo%40x.org", "HTTP/1.1", 200, 7
    )
    assert caplog.messages == ['https://api.example.com:443 "GET /a?*** HTTP/1.1" 200 7']
    assert len(log.filters) == 1


def test_asyncios_debug_mode_logs_nothing(acme: AcmeDialect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    request = Request("POST", "/things", "write", json={"email": "jo@example.com"}, params={"key": "s3cret"})

    async def main(settings: TransportSettings) -> None:
        asyncio.get_running_loop().slow_callback_duration = 0
        async with AsyncTransport(acme, settings) as transport:
            await transport.run(exchange(acme, request))

    with FaultyServer() as server:
        asyncio.run(main(TransportSettings(server.url)), debug=True)
    assert "Executing <" in caplog.text
    for secret in HIDDEN:
        assert secret not in caplog.text
