"""Who may use the control API: programs on this machine, and no web page that a browser on it has open."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class LocalOnly:
    """
    Refuses requests that name another host, and those that a page of another origin sent.

    The first keeps out a page whose name was made to resolve to this machine (DNS rebinding), the second a page that
    posts to it.

    :param app: what is guarded.
    :param hosts: names beside the loopback ones by which the sandbox may be called.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        self.app = app
        self.hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403 with the reason, or hand the request on."""
        app = self.app
        if scope["type"] == "http" and (reason := self._reason(Headers(scope=scope))):
            app = JSONResponse({"error": reason}, 403)
        await app(scope, receive, send)

    def _reason(self, headers: Headers) -> str | None:
        """Return why a request is refused, None if it is not."""
        host, origin = headers.get("host"), headers.get("origin")
        # Without a Host header it is no browser.
        if host is not None and _name(f"//{host}") not in self.hosts:
            return f"the control API is called by {', '.join(sorted(self.hosts))}, not by another host name"
        if origin is not None and origin != f"http://{host}":
            return "the control API takes no requests from web pages of another origin"
        return None


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that enclose no address
        return ""
