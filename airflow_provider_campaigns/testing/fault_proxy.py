"""A server between a hook and a vendor's sandbox, on loopback, which loses requests and replies on request."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

TIMEOUT = 30.0
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding"})


@dataclass(frozen=True)
class Fault:
    """
    What happens to one request.

    :param name: for messages.
    :param forwarded: the vendor gets the request, and may act on it.
    :param status: HTTP status of the reply; None sends none: the connection is reset.
    :param headers: of the reply.
    :param body: of the reply.
    :param cut: send only the first half of the body.
    :param refused: by HTTP, or as any vendor means it, the request was not carried out, so that it is repeated.
    """

    name: str
    forwarded: bool
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"message": "fault"}'
    cut: bool = False
    refused: bool = False


FAULTS = (
    Fault("429 too many requests", forwarded=False, status=429, headers={"Retry-After": "0"}, refused=True),
    Fault("425 too early", forwarded=False, status=425, headers={"Retry-After": "0"}, refused=True),
    Fault("422 refused for what it holds", forwarded=False, status=422),
    Fault("reset before the vendor got it", forwarded=False),
    Fault("reset after the vendor got it", forwarded=True),
    Fault("500 after the vendor got it", forwarded=True, status=500),
    Fault("502 after the vendor got it", forwarded=True, status=502, body="<html>Bad gateway</html>"),
    Fault("504 after the vendor got it", forwarded=True, status=504, body=""),
    Fault("408 after the vendor got it", forwarded=True, status=408),
    Fault("303 after the vendor got it", forwarded=True, status=303, headers={"Location": "/elsewhere"}),
    Fault("a cut reply", forwarded=True, status=200, body='{"status": "success"}', cut=True),
    Fault("a reply that is not JSON", forwarded=True, status=200, body="<html>Welcome</html>"),
)
"""What may become of a request that sends; a vendor's own words are for its own tests."""


class FaultProxy:
    """
    Forwards requests to a vendor's sandbox, within ``with``.

    :param target: address of the sandbox, scheme, host and port, perhaps with a path prefix.
    :param is_send: given method and path, whether a request contacts people.
    """

    def __init__(self, target: str, is_send: Callable[[str, str], bool]) -> None:
        self._target = urlsplit(target)
        self._is_send = is_send
        self._faults: list[Fault | None] = []
        self._lock = threading.Lock()
        self.sends = 0
        """Requests that contact people, so far."""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Its address, with the path prefix of the target."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._target.path}"

    def plan(self, *faults: Fault | None) -> None:
        """Say what becomes of the next requests that contact people, one after the other; None: nothing special."""
        with self._lock:
            self._faults.extend(faults)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, method: str, path: str) -> Fault | None:
        """Count a request, and return what becomes of it."""
        if not self._is_send(method, path.removeprefix(self._target.path)):
            return None
        with self._lock:
            self.sends += 1
            return self._faults.pop(0) if self._faults else None

    def forward(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """Hand a request to the vendor, and return its reply."""
        connection = http.client.HTTPConnection(self._target.netloc, timeout=TIMEOUT)
        connection.request(method, path, body=body, headers={**headers, "Connection": "close"})
        return connection.getresponse()


class _Handler(BaseHTTPRequestHandler):
    """Answers one request as the proxy decides."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def answer(self) -> None:
        """Forward the request, unless the next fault keeps it from the vendor, and reply."""
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = proxy.take(self.command, self.path.partition("?")[0])
        if fault is None or fault.forwarded:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            reply = proxy.forward(self.command, self.path, body, headers | {"Accept-Encoding": "identity"})
            content = reply.read()
        if fault is None:
            self._reply(reply.status, dict(reply.getheaders()), content)
        elif fault.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._reply(fault.status, fault.headers, fault.body.encode(), cut=fault.cut)

    def _reply(self, status: int, headers: Mapping[str, str], content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815 - http.server's names


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


def as_connection(fields: Mapping[str, Any]) -> str:
    """Return an Airflow connection as the JSON text of an environment variable ``AIRFLOW_CONN_…``."""
    return json.dumps(dict(fields))
