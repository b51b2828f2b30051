"""The control API under ``/_sandbox``: what was received, and switches for faults, the clock and the vendors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.faults import KINDS, Fault
from airflow_provider_campaigns.sandbox.world import World

HELP = {
    "GET /_sandbox/received?vendor=": "contacts and requests in the order they came, and counts",
    "GET /_sandbox/counts?vendor=": "the counts alone, which cost little to ask for often",
    "POST /_sandbox/faults": "order a failure; GET lists the active ones, DELETE clears them",
    "POST /_sandbox/latency": '{"seconds": 0.05} holds every reply back',
    "POST /_sandbox/clock": '{"speed": 60} or {"advance": 3600} (seconds); GET returns the time',
    "POST /_sandbox/vendors/{vendor}": "change a vendor's settings; GET lists them",
    "POST /_sandbox/reset": "delete everything and return to the defaults",
}


def control_routes(world: World) -> list[Route]:
    """Return the routes that control ``world``."""
    control = _Control(world)
    return [
        Route("/", control.help),
        Route("/received", control.received),
        Route("/counts", control.counts),
        Route("/faults", control.faults),
        Route("/faults", control.order_fault, methods=["POST"]),
        Route("/faults", control.clear_faults, methods=["DELETE"]),
        Route("/latency", control.set_latency, methods=["POST"]),
        Route("/clock", control.clock),
        Route("/clock", control.set_clock, methods=["POST"]),
        Route("/vendors/{vendor}", control.vendor),
        Route("/vendors/{vendor}", control.control_vendor, methods=["POST"]),
        Route("/reset", control.reset, methods=["POST"]),
    ]


Endpoint = Callable[["_Control", Request], Awaitable[Response]]


def _command(change: Callable[[_Control, Request, dict[str, Any]], Response]) -> Endpoint:
    """Hand a JSON object to ``change``; answer 400 with the reason if it cannot be done."""

    async def endpoint(self: _Control, request: Request) -> Response:
        try:
            command = await request.json()
            if not isinstance(command, dict):
                return _bad("the body is a JSON object")
            return change(self, request, command)
        except (ValueError, TypeError, KeyError) as error:
            return _bad(f"{error}")

    return endpoint


def _bad(reason: str) -> Response:
    return JSONResponse({"error": reason}, 400)


class _Control:
    def __init__(self, world: World) -> None:
        self.world = world

    async def help(self, _: Request) -> Response:
        return JSONResponse({"calls": HELP, "vendors": list(self.world.vendors), "faults": list(KINDS)})

    async def received(self, request: Request) -> Response:
        body = self.world.journal.as_json(request.query_params.get("vendor"))
        return Response(body, media_type="application/json")

    async def counts(self, request: Request) -> Response:
        return JSONResponse(self.world.journal.counts(request.query_params.get("vendor")))

    async def faults(self, _: Request) -> Response:
        return self._list_faults()

    @_command
    def order_fault(self, _: Request, command: dict[str, Any]) -> Response:
        fault = Fault(**command)
        if fault.vendor not in (None, *self.world.vendors):
            return _bad(self._no_vendor(fault.vendor))
        self.world.faults.active.append(fault)
        return self._list_faults()

    async def clear_faults(self, _: Request) -> Response:
        self.world.faults.active.clear()
        return self._list_faults()

    @_command
    def set_latency(self, _: Request, command: dict[str, Any]) -> Response:
        self.world.latency = float(command["seconds"])
        return JSONResponse({"seconds": self.world.latency})

    async def clock(self, _: Request) -> Response:
        return self._time()

    @_command
    def set_clock(self, _: Request, command: dict[str, Any]) -> Response:
        if unknown := command.keys() - {"speed", "advance"}:
            return _bad(f"the clock takes speed and advance, not {', '.join(sorted(unknown))}")
        if "advance" in command:
            self.world.clock.advance(float(command["advance"]))
        if "speed" in command:
            self.world.clock.set_speed(float(command["speed"]))
        return self._time()

    async def vendor(self, request: Request) -> Response:
        return self._list_settings(request)

    @_command
    def control_vendor(self, request: Request, command: Mapping[str, Any]) -> Response:
        if vendor := self.world.vendors.get(request.path_params["vendor"]):
            vendor.control(command)
        return self._list_settings(request)

    async def reset(self, _: Request) -> Response:
        self.world.reset()
        return JSONResponse({})

    def _list_faults(self) -> Response:
        return JSONResponse({"faults": [fault.as_dict() for fault in self.world.faults.active]})

    def _time(self) -> Response:
        return JSONResponse({"now": self.world.clock.now(), "speed": self.world.clock.speed})

    def _list_settings(self, request: Request) -> Response:
        name = request.path_params["vendor"]
        vendor = self.world.vendors.get(name)
        if vendor is None:
            return JSONResponse({"error": self._no_vendor(name)}, 404)
        return JSONResponse(asdict(vendor.settings))

    def _no_vendor(self, name: str | None) -> str:
        return f"no vendor {name!r}; there are {', '.join(self.world.vendors)}"
