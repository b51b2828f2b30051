"""What a vendor's host that is broken, or bought, can do to a worker: nothing without bounds, in either transport."""

from __future__ import annotations

import gzip
import json
import logging
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, VendorError, VendorUnavailableError
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import Request, Response, Sleep
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.body import Body, ReplyError
from airflow_provider_campaigns.transports.settings import TransportSettings
from tests.echoing import everything_said
from tests.transports.conftest import AcmeDialect, Driver
from tests.transports.faulty_server import Behaviour, FaultyServer, dripping, never_reading, reply, reply_twice, sent

READ = Request("GET", "/things", "read")
WRITE = Request("POST", "/things", "write", json={"n": 1})
DONE = b'{"done": true}'
# The same bytes each time: they are in the names of tests, which all workers must collect alike.
gzipped = partial(gzip.compress, mtime=0)

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
LIMIT = 256 * KILOBYTE
# A hang ends the test; a request that keeps to its time-out takes tenths of a second.
pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def impatient(acme: AcmeDialect) -> AcmeDialect:
    return replace(acme, policy=RetryPolicy(retry_limit=0))


# Size.


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def encoded(body: bytes, encoding: str) -> Behaviour:
    return reply(body, Content_Encoding=encoding)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


BLANKS = b" " * 20 * MEGABYTE
HEAD = b"HTTP/1.1 200 OK\r\n"
# An empty stored block of deflate: it decompresses to nothing, however many there are.
EMPTY_BLOCKS = b"\x00\x00\x00\xff\xff" * 4096

TOO_LARGE = {
    "gzip": encoded(gzipped(BLANKS), "gzip"),
    "x-gzip": encoded(gzipped(BLANKS), "x-gzip"),
    "deflate": encoded(zlib.compress(BLANKS), "deflate"),
    "bare deflate": encoded(raw_deflate(BLANKS), "deflate"),
    "many gzip members": encoded(gzipped(b" " * 20 * KILOBYTE) * 200, "gzip"),
    "plain": reply(b" " * (LIMIT + 1)),
    "an endless body": dripping(HEAD + b"\r\n", b" " * 64 * KILOBYTE, 0),
    "endless chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b" " * 16 * KILOBYTE), 0),
    "endless nothing": dripping(HEAD + b"Content-Encoding: deflate\r\n\r\n", EMPTY_BLOCKS, 0),
}


@pytest.mark.parametrize(("request_", "kind"), [(READ, VendorUnavailableError), (WRITE, OutcomeUnknownError)])
@pytest.mark.parametrize("behaviour", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_reply_that_is_too_large_is_left_off(
    driver: Driver, acme: AcmeDialect, behaviour: Behaviour, request_: Request, kind: type[VendorError]
) -> None:
    with FaultyServer(behaviour) as server:
        wire = TransportSettings(server.url, timeout=10, max_reply_bytes=LIMIT)
        tracemalloc.start()
        try:
            with pytest.raises(kind, match=r"the reply is larger than 0\.25 MB \(max_reply_mb\)"):
                driver.run(wire, acme, exchange(acme, request_))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert server.times("/things") == 1, "another attempt would meet the same"
    assert peak < 16 * LIMIT


@pytest.mark.parametrize(
    ("compress", "encoding"),
    [(bytes, "identity"), (gzipped, "gzip"), (zlib.compress, "deflate"), (raw_deflate, "deflate")],
)
def test_a_reply_as_large_as_allowed_is_read(
    driver: Driver, acme: AcmeDialect, compress: Callable[[bytes], bytes], encoding: str
) -> None:
    whole = json.dumps("x" * (LIMIT - 2)).encode()
    with FaultyServer(encoded(compress(whole), encoding)) as server:
        wire = TransportSettings(server.url, max_reply_bytes=LIMIT)
        assert driver.run(wire, acme, one(READ)).body == whole


def one(request: Request) -> Generator[Any, Any, Response]:
    response: Response = yield request
    return response


# Content encodings.


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzipped(DONE), "GZIP"),
        (gzipped(DONE[:5]) + gzipped(DONE[5:]), "gzip"),
        (gzipped(DONE) + b"\0\0\0", "gzip"),
        (zlib.compress(DONE), "deflate"),
        (raw_deflate(DONE), "deflate"),
        (DONE, "identity"),
    ],
)
def test_a_compressed_reply_is_read(driver: Driver, acme: AcmeDialect, body: bytes, encoding: str) -> None:
    with FaultyServer(encoded(body, encoding)) as server:
        assert driver.run(TransportSettings(server.url), acme, exchange(acme, WRITE)).json() == {"done": True}
    assert server.received[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (DONE, "br", "in a way that was not asked for"),
        (DONE, "zstd", "in a way that was not asked for"),
        (DONE, "\x01nonsense", "acme: outcome unknown"),
        (gzipped(gzipped(DONE)), "gzip, gzip", "in a way that was not asked for"),
        (DONE, "gzip", "not compressed as its header says"),
        (DONE, "deflate", "not compressed as its header says"),
        (gzipped(DONE)[:-1], "gzip", "the end of the compressed reply is missing"),
        (gzipped(DONE)[:3], "gzip", "the end of the compressed reply is missing"),
        (zlib.compress(DONE)[:-4] + b"\0\0\0\0", "deflate", "not compressed as its header says"),
        (gzipped(DONE) + b"\x1f\x8bnone", "gzip", "not compressed as its header says"),
    ],
)
def test_a_reply_whose_compression_is_broken_leaves_a_write_unknown(
    driver: Driver, acme: AcmeDialect, body: bytes, encoding: str, reason: str
) -> None:
    with FaultyServer(encoded(body, encoding)) as server:
        with pytest.raises(OutcomeUnknownError, match=reason):
            driver.run(TransportSettings(server.url), acme, exchange(acme, WRITE))
        assert server.times("/things") == 1


@pytest.mark.slow
@given(
    body=st.binary(max_size=200) | st.binary(max_size=200).map(gzipped) | st.binary(max_size=200).map(zlib.compress),
    flips=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=3),
    encoding=st.sampled_from(["gzip", "deflate", ""]),
    size=st.integers(1, 50),
)
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_a_body_is_read_or_refused(
    body: bytes, flips: list[tuple[int, int]], encoding: str, size: int
) -> None:
    damaged = bytearray(body)
    for position, value in flips:
        if damaged:
            damaged[position % len(damaged)] = value
    try:
        reader = Body(encoding, 150)
        for start in range(0, len(damaged), size):
            reader.feed(bytes(damaged[start : start + size]))
        outcome = reader.whole().decode("latin-1")
    except ReplyError as error:
        outcome = f"{error}"
    assert len(outcome) <= 150


# Time.

SLOW = {
    "dripped status line": dripping(b"HTTP/1.1 ", b"0"),
    "dripped headers": dripping(HEAD, b"X: y\r\n", 0.05),
    "a dripped header": dripping(HEAD + b"X: ", b"y"),
    "dripped body": dripping(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "dripped chunk size": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "dripped chunks": dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunked(b" ")),
    "dripped gzip": dripping(HEAD + b"Content-Encoding: deflate\r\n\r\n\x78\x9c", b"\x00\x00\x00\xff\xff"),
    "slow 100 Continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless 100 Continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 40, 0),
    "endless 102 Processing": dripping(b"", b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n", 0.001),
}


@pytest.mark.slow
def test_the_time_out_covers_all_of_a_request(driver: Driver, impatient: AcmeDialect) -> None:
    def ended(behaviour: Behaviour) -> tuple[type[VendorError] | None, int]:
        with FaultyServer(behaviour) as server:
            try:
                driver.run(TransportSettings(server.url, timeout=2), impatient, exchange(impatient, WRITE))
            except VendorError as error:
                # A library may find a fault of its own in what drips before that.
                return type(error), server.times("/things")
        return None, server.times("/things")

    # All at once: each takes its whole time-out.
    with ThreadPoolExecutor(len(SLOW)) as threads:
        assert dict(zip(SLOW, threads.map(ended, SLOW.values()), strict=True)) == dict.fromkeys(
            SLOW, (OutcomeUnknownError, 1)
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "head", [HEAD, HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"], ids=["headers", "trailers"]
)
def test_headers_without_end_are_left_off(driver: Driver, impatient: AcmeDialect, head: bytes) -> None:
    with FaultyServer(dripping(head, b"X: y\r\n" * 1000, 0)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(OutcomeUnknownError):
                driver.run(TransportSettings(server.url, timeout=1), impatient, exchange(impatient, WRITE))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 20 * MEGABYTE


@pytest.mark.slow
def test_a_request_that_nobody_reads_keeps_to_its_time_out(driver: Driver, impatient: AcmeDialect) -> None:
    request = replace(WRITE, json="x" * 30 * MEGABYTE)
    with FaultyServer(never_reading) as server:
        with pytest.raises(OutcomeUnknownError, match=r"nothing within 2 s"):
            driver.run(TransportSettings(server.url, timeout=2), impatient, exchange(impatient, request))
        server.connection_closed.set()


# Replies that nobody asked for.

REFUSAL = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 22\r\n\r\n{"message": "refused"}'
UNASKED = {
    "a whole reply": REFUSAL,
    "half of a reply": REFUSAL[:30],
    "no HTTP": b"\0\1\2",
    "a blank line": b"\r\n",
}


@pytest.mark.parametrize("turns", [0, 3], ids=["unread", "read by the event loop"])
@pytest.mark.parametrize(
    ("second", "pause"),
    [
        pytest.param(REFUSAL, 0.0, id="a whole reply at once"),
        *(pytest.param(second, 0.05, id=f"{name} late") for name, second in UNASKED.items()),
    ],
)
def test_a_second_reply_is_not_the_next_requests(
    driver: Driver, acme: AcmeDialect, second: bytes, pause: float, turns: int
) -> None:
    with FaultyServer(reply_twice(second, pause=pause)) as server:
        server.arrived.clear()

        def wait_for_the_second() -> Generator[Sleep, None, None]:
            assert server.arrived.wait(5)
            for _ in range(turns):
                yield Sleep(0, "the event loop needs a turn to notice")

        response = driver.run(
            TransportSettings(server.url),
            acme,
            exchange(acme, WRITE),
            wait_for_the_second(),
            exchange(acme, WRITE),
        )
        assert response.json() == {"done": True}
        assert server.times("/things") == 2
        if pause:
            # What comes together with the first may be dropped with the rest of what was read.
            assert [request.connection for request in server.received] == [1, 2]


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_second_reply_under_tls_is_not_the_next_requests(
    driver: Driver, acme: AcmeDialect, tls: ssl.SSLContext
) -> None:
    both = sent_and_kept(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + DONE + REFUSAL)
    with FaultyServer(both, tls=tls) as server:
        wire = TransportSettings(server.url, verify=False)
        response = driver.run(wire, acme, exchange(acme, WRITE), exchange(acme, WRITE))
        assert response.json() == {"done": True}
        assert server.times("/things") == 2


def sent_and_kept(raw: bytes) -> Behaviour:
    def behaviour(server: FaultyServer, connection: Any, request: Any) -> bool:
        sent(raw)(server, connection, request)
        return True

    return behaviour


def test_kept_connections_are_used_again(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer() as server:
        driver.run(TransportSettings(server.url), acme, *(exchange(acme, WRITE) for _ in range(5)))
        assert server.connections == 1


# Logs.


@pytest.mark.parametrize(
    "headers",
    [
        b": top-secret-key\x1b[2J\r\nX: top-secret-key",
        b"top-secret-key without a colon\r\nX: y",
        b"X: y\r\n top-secret-key\r\n\ttop-secret-key",
        b"X\x00: top-secret-key",
        b"Set-Cookie: key=top-secret-key; Domain=vendor.example.com",
        b"Location: http://top-secret-key@[",
    ],
)
def test_the_libraries_do_not_log_what_a_reply_repeats(
    driver: Driver, impatient: AcmeDialect, caplog: pytest.LogCaptureFixture, headers: bytes
) -> None:
    for name in ("", "urllib3", "requests", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name or None)
    request = replace(WRITE, headers={"X-Key": "top-secret-key"})
    with FaultyServer(sent(HEAD + headers + b"\r\nContent-Length: 14\r\n\r\n" + DONE)) as server:
        try:
            shown = repr(driver.run(TransportSettings(server.url), impatient, exchange(impatient, request)))
        except VendorError as error:
            shown = everything_said(error)
        assert server.times("/things") == 1
    assert "top-secret-key" not in shown + caplog.text
    assert "\x1b" not in shown + caplog.text


# Anything.

LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 999 ",
        b"HTTP/9.9 200 OK",
        b"Content-Length: 14",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Encoding: gzip",
        b"Content-Type: text/html; charset=nonsense",
        b"Location: http://[",
        b"Set-Cookie: a=b; Domain=..",
        b"Retry-After: -1e999",
        b"Connection: upgrade",
        b": no name",
        b"X: \xff\x00\x1b[31m",
        b"",
        b"e",
        b"0",
        b"ffffffffffffffffff",
        DONE,
    ]
)


@given(lines=st.lists(LINES | st.binary(max_size=20), max_size=12), whole=st.booleans())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_comes_back_is_a_reply_or_an_error_of_ours(
    driver: Driver, impatient: AcmeDialect, lines: list[bytes], whole: bool
) -> None:
    raw = (b"HTTP/1.1 200 OK\r\n" if whole else b"") + b"\r\n".join(lines)
    with FaultyServer(sent(raw)) as server:
        wire = TransportSettings(server.url, timeout=2, max_reply_bytes=KILOBYTE)
        try:
            response = driver.run(wire, impatient, exchange(impatient, WRITE))
        except VendorError as error:
            assert str(error).isprintable()  # noqa: PT017 - either may be
        else:
            assert len(response.body) <= KILOBYTE
        # Whatever it meant, the write left once (or twice, for a reply that ends the token).
        assert server.times("/things") <= 2
    assert threading.active_count() < 100
