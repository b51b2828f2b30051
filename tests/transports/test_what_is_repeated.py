"""The table of what may be repeated, on real sockets: result, requests that arrived, and waits, for both transports."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import Effect, Request, Sleep
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.transports.settings import TransportSettings
from tests.transports.conftest import AcmeDialect, Driver
from tests.transports.faulty_server import (
    Behaviour,
    FaultyServer,
    cut,
    cut_chunk,
    cut_gzip,
    cut_headers,
    drip,
    drop,
    drop_before_reading,
    drop_for_good,
    hang,
    html,
    missing_chunk,
    no_http,
    not_gzip,
    reply,
    reply_then_close,
    reset,
    throttled_until,
)

ANSWERED = None
FIRST, SECOND = (0.5, 1.5), (1.0, 2.0)  # seconds: the back-off, with jitter


@dataclass(frozen=True)
class Call:
    method: str
    effect: Effect
    safe_to_resend: str = ""

    def request(self) -> Request:
        return Request(self.method, "/things", self.effect, json={"n": 1}, safe_to_resend=self.safe_to_resend)

    def __str__(self) -> str:
        return f"{self.method}-{'safe-' if self.safe_to_resend else ''}{self.effect}"


READS = [Call("GET", "read"), Call("POST", "read")]
# HTTP libraries repeat PUT and DELETE by themselves, and neither POST nor PATCH: the table needs one of each.
EVERY_WRITE = [Call(method, "write") for method in ("POST", "PUT", "PATCH", "DELETE")]
WRITES = EVERY_WRITE[:2]
SAFE_WRITES = [replace(call, safe_to_resend="the vendor drops duplicates") for call in WRITES]
REPEATABLE = READS + SAFE_WRITES


@dataclass(frozen=True)
class Case:
    """
    What the vendor does, and what is to come of it.

    ``waits`` are the least and the most seconds of each wait; ``sign_ins`` counts new tokens.
    """

    name: str
    calls: list[Call]
    script: list[Behaviour]
    result: type[Exception] | None
    arrived: int
    waits: tuple[tuple[float, float], ...] = ()
    sign_ins: int = 0
    timeout: float = 10


def throttled(seconds: str) -> Behaviour:
    return reply('{"message": "slow down"}', 429, Retry_After=seconds)


failed = reply('{"message": "oops"}', 500)
busy = reply('{"message": "try again later"}', 503)
ended = reply('{"message": "Token Expired"}', 401)
refused = reply('{"message": "no"}', 400)

ALL = [*READS, *WRITES, *SAFE_WRITES]
UNANSWERED = {
    **{str(status): reply('{"message": "gateway"}', status, Location="/elsewhere") for status in (300, 302, 303, 305)},
    "304": reply("", 304),
    "408": reply("{}", 408),
    "499": reply("{}", 499),
    "500": failed,
    "502": reply("<html>", 502),
    "HTML with 200": html,
    "an empty 200": reply(b""),
    "closed after the request": drop,
    "reset after the request": reset,
    "cut body": cut,
    "cut chunk": cut_chunk,
    "missing last chunk": missing_chunk,
    "cut headers": cut_headers,
    "not HTTP": no_http,
    "not gzip": not_gzip,
    "cut gzip": cut_gzip,
}

CASES = [
    Case("answered", [*ALL, *EVERY_WRITE[2:]], [], ANSWERED, arrived=1),
    # Refused for now: repeated whatever it is, and not counted against acme's retry_limit (2).
    Case("429 and seconds", ALL, [throttled("3")], ANSWERED, arrived=2, waits=((3, 3),)),
    Case("429 and a date", ALL, [throttled_until(20)], ANSWERED, arrived=2, waits=((10, 20),)),
    Case("429 and a past date", ALL, [throttled_until(-20)], ANSWERED, arrived=2, waits=((0.5, 0.5),)),
    Case("429 and nothing", ALL, [reply("{}", 429)], ANSWERED, arrived=2, waits=(FIRST,)),
    Case("429 and no wait", ALL, [throttled("0")], ANSWERED, arrived=2, waits=((0.5, 0.5),)),
    Case("429 five times", ALL, [throttled("2")] * 5, ANSWERED, arrived=6, waits=((2, 2),) * 5),
    Case("429 for ever", ALL, [throttled("20")] * 9, VendorUnavailableError, arrived=2, waits=((20, 20),)),
    Case("429 for too long", ALL, [throttled("31")] * 9, VendorUnavailableError, arrived=1),
    # "Try again later", as the vendor documents it: refused, but counted.
    Case("503 once", ALL, [busy], ANSWERED, arrived=2, waits=(FIRST,)),
    Case("503 and seconds", ALL, [reply("{}", 503, Retry_After="4")], ANSWERED, arrived=2, waits=((4, 4),)),
    Case("503 for ever", ALL, [busy] * 9, VendorUnavailableError, arrived=3, waits=(FIRST, SECOND)),
    Case("503 for too long", ALL, [reply("{}", 503, Retry_After="31")] * 9, VendorUnavailableError, arrived=1),
    Case("423", ALL, [reply("{}", 423)], ANSWERED, arrived=2, waits=(FIRST,)),
    Case("425", ALL, [reply("", 425)], ANSWERED, arrived=2, waits=(FIRST,)),
    Case("423 for ever", ALL, [reply("{}", 423)] * 9, VendorUnavailableError, arrived=3, waits=(FIRST, SECOND)),
    # Put off, then refused for good: perhaps because the first request was carried out.
    *(
        Case(f"{name}, then {status}", calls, [first, reply("{}", status)], result, arrived=2, waits=(FIRST,))
        for name, first in (("503", busy), ("425", reply("{}", 425)))
        for status, refusal in ((400, RequestRejectedError), (409, RequestRejectedError), (403, CallRefusedError))
        for calls, result in ((READS, refusal), ([*WRITES, *SAFE_WRITES], OutcomeUnknownError))
    ),
    Case("503, then 429", ALL, [busy, throttled("31")], VendorUnavailableError, arrived=2, waits=(FIRST,)),
    Case("429, then 400", ALL, [throttled("3"), refused], RequestRejectedError, arrived=2, waits=((3, 3),)),
    # Signed out: signs in again once per attempt, without waiting.
    Case("ended token", ALL, [ended], ANSWERED, arrived=2, sign_ins=1),
    Case("401 for ever", ALL, [ended] * 9, CallRefusedError, arrived=2, sign_ins=1),
    Case("ended token, then 429", ALL, [ended, throttled("3")], ANSWERED, arrived=3, sign_ins=1, waits=((3, 3),)),
    # Refused for good.
    Case("400", ALL, [refused], RequestRejectedError, arrived=1),
    Case("403", ALL, [reply("{}", 403)], CallRefusedError, arrived=1),
    Case("404", ALL, [reply("{}", 404)], CallRefusedError, arrived=1),
    *(
        Case(f"{status}", ALL, [reply("", status, Location="/elsewhere")], CallRefusedError, arrived=1)
        for status in (301, 307, 308)
    ),
    Case("409", ALL, [reply("{}", 409)], RequestRejectedError, arrived=1),
    Case("307 to nonsense", ALL, [reply("", 307, Location="http://[")], CallRefusedError, arrived=1),
    # May have been carried out: only reads, and writes that are safe to resend, are repeated.
    *(
        case
        for name, behaviour in UNANSWERED.items()
        for case in (
            Case(name, REPEATABLE, [behaviour], ANSWERED, arrived=2, waits=(FIRST,)),
            Case(name, WRITES, [behaviour], OutcomeUnknownError, arrived=1),
        )
    ),
    Case("closed before the request", REPEATABLE, [drop_before_reading], ANSWERED, arrived=1, waits=(FIRST,)),
    Case("closed before the request", WRITES, [drop_before_reading], OutcomeUnknownError, arrived=0),
    Case("500 for ever", READS, [failed] * 9, VendorUnavailableError, arrived=3, waits=(FIRST, SECOND)),
    Case("500 for ever", SAFE_WRITES, [failed] * 9, OutcomeUnknownError, arrived=3, waits=(FIRST, SECOND)),
    # (These take their time-out: few of them.)
    Case("no answer", [READS[0], SAFE_WRITES[0]], [hang], ANSWERED, arrived=2, waits=(FIRST,), timeout=1),
    Case("no answer", WRITES[:1], [hang], OutcomeUnknownError, arrived=1, timeout=1),
    Case("an endless answer", [READS[0], SAFE_WRITES[0]], [drip], ANSWERED, arrived=2, waits=(FIRST,), timeout=1),
    Case("an endless answer", WRITES[:1], [drip], OutcomeUnknownError, arrived=1, timeout=1),
    # Once unanswered, no later failure makes a write anything but unknown.
    Case("500, then 400", READS, [failed, refused], RequestRejectedError, arrived=2, waits=(FIRST,)),
    Case("500, then 400", SAFE_WRITES, [failed, refused], OutcomeUnknownError, arrived=2, waits=(FIRST,)),
    Case("500, then 429", SAFE_WRITES, [failed, throttled("31")], OutcomeUnknownError, arrived=2, waits=(FIRST,)),
    Case("500, then 401", SAFE_WRITES, [failed, ended, ended], OutcomeUnknownError, 3, waits=(FIRST,), sign_ins=1),
    Case("gone after one", READS, [drop_for_good], VendorUnavailableError, arrived=1, waits=(FIRST, SECOND)),
    Case("gone after one", WRITES, [drop_for_good], OutcomeUnknownError, arrived=1),
    Case("gone after one", SAFE_WRITES, [drop_for_good], OutcomeUnknownError, arrived=1, waits=(FIRST, SECOND)),
]  # fmt: skip


def params(case: Case) -> Iterator[Any]:
    marks = [pytest.mark.slow] if case.timeout == 1 else []
    return (pytest.param(case, call, id=f"{case.name}-{call}", marks=marks) for call in case.calls)


@pytest.mark.parametrize(("case", "call"), [param for case in CASES for param in params(case)])
def test_a_request_is_repeated_as_the_table_says(driver: Driver, acme: AcmeDialect, case: Any, call: Any) -> None:
    with FaultyServer(*case.script) as server:
        settings = TransportSettings(server.url, timeout=case.timeout)
        conversation = exchange(acme, call.request())
        if case.result is None:
            assert driver.run(settings, acme, conversation).json() == {"done": True}
        else:
            with pytest.raises(case.result) as caught:
                driver.run(settings, acme, conversation)
            assert type(caught.value) is case.result

        assert server.times("/things") == case.arrived
        assert server.sign_ins == case.sign_ins
        assert server.times("/elsewhere") == 0
    assert len(driver.sleeps) == len(case.waits)
    for slept, (least, most) in zip(driver.sleeps, case.waits, strict=True):
        assert least <= slept <= most


@pytest.mark.parametrize("call", [*READS, *EVERY_WRITE, *SAFE_WRITES], ids=str)
def test_a_vendor_that_was_never_reached_got_nothing(driver: Driver, acme: AcmeDialect, call: Any) -> None:
    with FaultyServer() as server:
        pass

    with pytest.raises(VendorUnavailableError, match="no connection: ConnectionRefusedError"):
        driver.run(TransportSettings(server.url), acme, exchange(acme, call.request()))
    assert len(driver.sleeps) == 2


@pytest.mark.parametrize("call", EVERY_WRITE, ids=str)
def test_a_write_on_a_kept_connection_that_dies_leaves_once(driver: Driver, acme: AcmeDialect, call: Any) -> None:
    """aiohttp alone sends PUT and DELETE twice here."""
    with FaultyServer(reply(), drop) as server:
        with pytest.raises(OutcomeUnknownError):
            driver.run(
                TransportSettings(server.url),
                acme,
                exchange(acme, Request("GET", "/first", "read")),
                exchange(acme, call.request()),
            )
        assert server.times("/things") == 1
        assert server.connections == 1


def test_a_read_on_a_kept_connection_that_dies_is_repeated_by_us_alone(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer(reply(), drop, drop) as server:
        get = Request("GET", "/things", "read")
        assert driver.run(TransportSettings(server.url), acme, exchange(acme, get), exchange(acme, get)).ok
        assert server.times("/things") == 4
    assert len(driver.sleeps) == 2


def test_a_kept_connection_that_was_closed_meanwhile_is_not_used(driver: Driver, acme: AcmeDialect) -> None:
    with FaultyServer(reply_then_close) as server:

        def wait_for_the_close() -> Generator[Any, Any, Any]:
            assert server.connection_closed.wait(5)
            for _ in range(3):
                yield Sleep(0, "the event loop needs a turn to notice")

        conversations = (exchange(acme, WRITES[0].request()), wait_for_the_close(), exchange(acme, WRITES[0].request()))
        assert driver.run(TransportSettings(server.url), acme, *conversations).ok
        assert server.times("/things") == 2
        assert server.connections == 2


def test_a_write_that_is_not_repeated_is_logged_with_the_reason(
    driver: Driver, acme: AcmeDialect, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyServer(drop) as server, pytest.raises(OutcomeUnknownError):
        driver.run(TransportSettings(server.url), acme, exchange(acme, WRITES[0].request()))

    assert "POST acme was not repeated: it may have been carried out" in caplog.text


def test_waits_are_logged_with_the_reason(driver: Driver, acme: AcmeDialect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with FaultyServer(throttled("3")) as server:
        driver.run(TransportSettings(server.url), acme, exchange(acme, WRITES[0].request()))

    assert "waiting 3.0 s: acme: unavailable (HTTP 429): slow down" in caplog.text
