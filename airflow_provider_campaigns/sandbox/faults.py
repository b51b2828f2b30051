"""Failures on order: what each kind does to a request, and which requests it strikes."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from airflow_provider_campaigns.sandbox.vendor import Vendor

HTML_PAGE = "<html><head><title>Maintenance</title></head><body><h1>We will be back soon</h1></body></html>"
# Linger on, for no time: closing the socket then sends a reset instead of an orderly end.
_LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass
class Fault:
    """
    An order: which failure, for which requests.

    :param fault: a name in ``KINDS``.
    :param vendor: this vendor's requests only; None: every vendor's.
    :param path: only paths that contain this.
    :param method: only this HTTP method.
    :param times: how many requests it strikes; -1: until cleared.
    :param skip: matching requests let through before the first one is struck.
    :param retry_after: seconds of the ``Retry-After`` header of ``429``.
    :param seconds: how long ``hang``, ``hang-after`` and ``slow`` take, in real seconds.
    :param body: the JSON that ``reply`` and ``reply-after`` answer.
    :param status: their HTTP status.
    :param share: strike a matching request with this probability, from ``seed``; None: every one.
    :raises ValueError: there is no such fault, or a value is out of its range.
    """

    fault: str
    vendor: str | None = None
    path: str | None = None
    method: str | None = None
    times: int = 1
    skip: int = 0
    retry_after: float = 1
    seconds: float = 30
    body: Any = None
    status: int = 200
    share: float | None = None
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.fault not in KINDS:
            raise ValueError(f"fault is one of {', '.join(KINDS)}, not {self.fault!r}")
        if self.times == 0 or self.times < -1 or self.skip < 0 or self.seconds < 0:
            raise ValueError("times is positive or -1; skip and seconds are not negative")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"share is above 0 and at most 1, not {self.share}")
        self._random = random.Random(self.seed)  # noqa: S311  a repeatable draw, no secret

    def strikes(self, vendor: str, method: str, path: str) -> bool:
        """Whether this request is struck; counts it."""
        if self.times == 0 or not self._matches(vendor, method, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.share is not None and self._random.random() >= self.share:
            return False
        self.times -= self.times > 0
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return the order as it may be posted again."""
        return {known.name: getattr(self, known.name) for known in fields(self) if known.init}

    def _matches(self, vendor: str, method: str, path: str) -> bool:
        return (
            self.vendor in (None, vendor) and self.method in (None, method) and (self.path is None or self.path in path)
        )


class Faults:
    """The active orders, in the order they came in."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def strike(self, vendor: str, method: str, path: str) -> Fault | None:
        """Return the first order that strikes this request, None if it goes through unharmed."""
        for fault in self.active:
            if fault.strikes(vendor, method, path):
                if fault.times == 0:
                    self.active.remove(fault)
                return fault
        return None


@dataclass(frozen=True)
class Connection:
    """The client's end of one request; the public methods are what a fault may do to it."""

    scope: Scope
    receive: Receive
    send: Send

    async def reply(self, response: Response, _: Fault | None) -> None:
        """Send the whole reply."""
        await response(self.scope, self.receive, self.send)

    async def reply_late(self, response: Response, fault: Fault) -> None:
        """Send the whole reply after a while."""
        await asyncio.sleep(fault.seconds)
        await self.reply(response, fault)

    async def cut(self, response: Response, _: Fault) -> None:
        """Send the headers and half of the body, then end the connection."""
        start = {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        half = bytes(response.body[: len(response.body) // 2])
        await self.send(start)
        await self.send({"type": "http.response.body", "body": half, "more_body": True})
        await self._close()

    async def drop(self, _: Response, __: Fault) -> None:
        """End the connection without a byte."""
        await self._close()

    async def reset(self, _: Response, __: Fault) -> None:
        """Break the connection off with a TCP reset."""
        transport = self._transport()
        if not transport.is_closing():  # the client may have left while the reply was held back
            # A duplicate of the descriptor: uvloop's own socket object cannot set options.
            with socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno())) as twin:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            transport.abort()
        await self._gone()

    async def hang(self, _: Response, fault: Fault) -> None:
        """Send nothing until the client gives up, then or after a while end the connection."""
        try:
            await asyncio.wait_for(self._gone(), fault.seconds)
        except TimeoutError:
            await self._close()

    async def _close(self) -> None:
        self._transport().close()
        await self._gone()

    async def _gone(self) -> None:
        """Return when the connection has ended; until then uvicorn would answer in our place."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def _transport(self) -> asyncio.Transport:
        transport = getattr(getattr(self.receive, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the sandbox breaks the connection off here (only uvicorn lets it)")
        return transport  # type: ignore[no-any-return]


def _too_many(vendor: Vendor, fault: Fault) -> Response:
    response = vendor.error(429)
    response.status_code = 429
    response.headers["Retry-After"] = f"{fault.retry_after:g}"
    return response


def _as_ordered(_: Vendor, fault: Fault) -> Response:
    return JSONResponse(fault.body, fault.status)


@dataclass(frozen=True)
class Kind:
    """
    What one kind of fault does.

    :param processed: whether the vendor carries the request out.
    :param answer: the reply in place of the vendor's own.
    :param wire: what happens on the connection.
    :param silent: no reply is sent, so there is no HTTP status.
    """

    processed: bool
    answer: Callable[[Vendor, Fault], Response] | None = None
    wire: Callable[[Connection, Response, Any], Awaitable[None]] = Connection.reply
    silent: bool = False


KINDS = {
    "refuse": Kind(processed=False, answer=lambda vendor, _: vendor.error(400)),
    "unauthorized": Kind(processed=False, answer=lambda vendor, _: vendor.error(401)),
    "429": Kind(processed=False, answer=_too_many),
    "500": Kind(processed=False, answer=lambda vendor, _: vendor.error(500)),
    "503": Kind(processed=False, answer=lambda vendor, _: vendor.error(503)),
    "html": Kind(processed=False, answer=lambda *_: HTMLResponse(HTML_PAGE)),
    "reply": Kind(processed=False, answer=_as_ordered),
    "reset": Kind(processed=False, wire=Connection.reset, silent=True),
    "hang": Kind(processed=False, wire=Connection.hang, silent=True),
    "500-after": Kind(processed=True, answer=lambda vendor, _: vendor.error(500)),
    "reply-after": Kind(processed=True, answer=_as_ordered),
    "hang-after": Kind(processed=True, wire=Connection.hang, silent=True),
    "drop": Kind(processed=True, wire=Connection.drop, silent=True),
    "cut": Kind(processed=True, wire=Connection.cut),
    "slow": Kind(processed=True, wire=Connection.reply_late),
}
UNHARMED = Kind(processed=True)
