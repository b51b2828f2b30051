"""The sandbox as an ASGI app: every vendor under its name, each call passing through the faults into the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from airflow_provider_campaigns.sandbox.access import LocalOnly
from airflow_provider_campaigns.sandbox.control import control_routes
from airflow_provider_campaigns.sandbox.faults import KINDS, UNHARMED, Connection
from airflow_provider_campaigns.sandbox.vendor import Call, Handler, RefusedError, Vendor
from airflow_provider_campaigns.sandbox.world import World


def create_app(limits: bool = True, speed: float = 1.0, hosts: Iterable[str] = ()) -> Starlette:
    """
    Return the sandbox with every vendor and the control API; it is for tests, with published credentials.

    :param limits: whether requests per minute and per hour are limited; limits on sizes always are.
    :param speed: sandbox seconds per real second.
    :param hosts: host names, beside the loopback ones, by which the control API may be called.
    """
    world = World(limits=limits, speed=speed)
    mounts = [Mount(f"/{name}", VendorApp(vendor, world)) for name, vendor in world.vendors.items()]
    guard = Middleware(LocalOnly, hosts=hosts)
    control = Mount("/_sandbox", routes=control_routes(world), middleware=[guard])
    return Starlette(routes=[*mounts, control])


class VendorApp:
    """One vendor's API as an ASGI app."""

    def __init__(self, vendor: Vendor, world: World) -> None:
        self.vendor = vendor
        self.world = world
        self.routes = vendor.routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as its fault demands if it has one, and write it down."""
        call = await _read(scope, receive)
        if call is None:
            return
        handler = self._find(scope, call)
        fault = self.world.faults.strike(self.vendor.name, call.method, call.path)
        kind = KINDS[fault.fault] if fault else UNHARMED
        response = self._answer(handler, call) if kind.processed else Response()
        if fault and kind.answer:
            response = kind.answer(self.vendor, fault)
        line = {
            "call": handler.__name__,
            "method": call.method,
            "path": call.path,
            "query": call.query_string,
            "status": None if kind.silent else response.status_code,
            "fault": fault and fault.fault,
        }
        self.world.journal.add(self.vendor.name, line, call.received)
        if self.world.latency:
            await asyncio.sleep(self.world.latency)
        await kind.wire(Connection(scope, receive, send), response, fault)

    def _find(self, scope: Scope, call: Call) -> Handler:
        """Return the handler for the request's path and method, and set the call's path parameters."""
        handler = self._no_such_path
        for route in self.routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                call.params = found["path_params"]
                return found["endpoint"]  # type: ignore[no-any-return]
            if match is Match.PARTIAL:
                handler = self._no_such_method
        return handler

    def _answer(self, handler: Handler, call: Call) -> Response:
        try:
            return handler(call)
        except RefusedError as refused:
            return refused.reply
        except (ValueError, TypeError, KeyError, AttributeError):  # a body that is not as documented
            return self.vendor.error(400)

    def _no_such_path(self, _: Call) -> Response:
        return self.vendor.error(404)

    def _no_such_method(self, _: Call) -> Response:
        return self.vendor.error(405)


async def _read(scope: Scope, receive: Receive) -> Call | None:
    """Read the whole request; return None if the client left before its end, so that nothing is processed."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    query = scope["query_string"].decode("latin-1")
    return Call(scope["method"], scope["path"], query, Headers(scope=scope), body)
