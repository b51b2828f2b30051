"""A server on a real socket that answers each request as scripted, however badly, and remembers what it received."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, BinaryIO, Self


@dataclass(frozen=True)
class Received:
    """One whole request, and the number of the connection it came on."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


# Answers one request; True keeps the connection for the next one.
Behaviour = Callable[["FaultyServer", socket.socket, Any], bool]


class FaultyServer:
    """
    Plays ``script``, one behaviour per request, then ``afterwards`` for ever.

    ``POST /token`` is no part of the script: it gives out ``token-1``, ``token-2`` and so on.
    """

    def __init__(
        self, *script: Behaviour, afterwards: Behaviour | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.script = deque(script)
        self.received: list[Received] = []
        self.sign_ins = 0
        self.connections = 0
        self.arrived = threading.Event()
        self.connection_closed = threading.Event()
        self._afterwards = afterwards or reply()
        self._tls = tls
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self.port = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def times(self, path: str) -> int:
        """How often a request for ``path`` arrived whole."""
        return sum(request.path == path for request in self.received)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_listening()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def stop_listening(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.script and self.script[0] in BEFORE_READING:
                with connection:
                    self.script.popleft()(self, connection, None)
                continue
            threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while request := _read(stream, number):
                    if not self._answer(connection, request):
                        return
        except OSError:
            pass  # the client went away
        finally:
            connection.close()
            self.connection_closed.set()

    def _answer(self, connection: socket.socket, request: Received) -> bool:
        with self._lock:
            self.received.append(request)
            if request.path == "/token":
                self.sign_ins += 1
                behaviour = reply(json.dumps({"token": f"token-{self.sign_ins}"}))
            else:
                behaviour = self.script.popleft() if self.script else self._afterwards
                self.arrived.set()
        return behaviour(self, connection, request)


def _read(stream: BinaryIO, number: int) -> Received | None:
    method, _, rest = stream.readline().decode("latin-1").partition(" ")
    if not method:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Received(method, rest.split()[0], headers, body, number)


def reply(body: str | bytes = '{"done": true}', status: int = 200, **headers: str) -> Behaviour:
    """Answer whole, and keep the connection; ``Retry_After="3"`` becomes a header."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())

    def behaviour(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
        connection.sendall(f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + content)
        return True

    return behaviour


def sent(raw: bytes) -> Behaviour:
    """Send these bytes and close the connection."""

    def behaviour(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
        connection.sendall(raw)
        return False

    return behaviour


def throttled_until(seconds: int) -> Behaviour:
    """Answer 429 with a date in ``Retry-After``."""

    def behaviour(server: FaultyServer, connection: socket.socket, request: Received) -> bool:
        when = formatdate(time.time() + seconds, usegmt=True)
        return reply('{"message": "slow down"}', 429, Retry_After=when)(server, connection, request)

    return behaviour


def checks_token(server: FaultyServer, connection: socket.socket, request: Received) -> bool:
    """Answer 401 to all but the newest token."""
    right = request.headers.get("authorization") == f"Bearer token-{server.sign_ins}" and server.sign_ins > 0
    return (reply() if right else reply('{"message": "Token Expired"}', 401))(server, connection, request)


def drop_before_reading(*_: object) -> bool:
    """Close the connection as soon as it is made."""
    return False


def greet_before_reading(_: FaultyServer, connection: socket.socket, __: object) -> bool:
    """Speak first, as no web server does, and close."""
    connection.sendall(b"220 smtp.example.com ESMTP\r\n")
    return False


def never_reading(server: FaultyServer, connection: socket.socket, _: object) -> bool:
    """Take the connection and read nothing."""
    server.connection_closed.wait(5)
    return False


BEFORE_READING = (drop_before_reading, greet_before_reading, never_reading)


def drop(*_: object) -> bool:
    """Read the whole request, then close the connection."""
    return False


def reset(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
    """Read the whole request, then reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def drop_for_good(server: FaultyServer, *_: object) -> bool:
    """Read the whole request, close the connection, and accept no other."""
    server.stop_listening()
    return False


def hang(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
    """Never answer; ends when the client does."""
    connection.recv(1)
    return False


def drip(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
    """Answer a byte at a time, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.02)


def dripping(head: bytes, repeated: bytes, pause: float = 0.02) -> Behaviour:
    """Send ``head``, and then ``repeated`` for ever."""

    def behaviour(_: FaultyServer, connection: socket.socket, __: Received) -> bool:
        connection.sendall(head)
        while True:
            connection.sendall(repeated)
            time.sleep(pause)

    return behaviour


def reply_twice(second: bytes, *, pause: float = 0.0) -> Behaviour:
    """Answer whole, and send ``second`` on the same connection, which nobody asked for; then set ``arrived`` again."""

    def behaviour(server: FaultyServer, connection: socket.socket, request: Received) -> bool:
        server.arrived.clear()
        reply()(server, connection, request)
        time.sleep(pause)
        connection.sendall(second)
        server.arrived.set()
        return True

    return behaviour


def slowly(server: FaultyServer, connection: socket.socket, request: Received) -> bool:
    """Answer whole after a tenth of a second."""
    time.sleep(0.1)
    return reply()(server, connection, request)


def reply_then_close(server: FaultyServer, connection: socket.socket, request: Received) -> bool:
    """Answer whole and close, without having said so."""
    reply()(server, connection, request)
    return False


html = reply("<html>Bad gateway</html>", Content_Type="text/html")
cut = sent(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"done": ')
cut_chunk = sent(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"done": ')
missing_chunk = sent(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ne\r\n{"done": true}\r\n')
cut_headers = sent(b"HTTP/1.1 200 OK\r\nContent-Le")
no_http = sent(b"220 smtp.example.com ESMTP\r\n")
not_gzip = reply(b"this is not gzip", Content_Encoding="gzip")
cut_gzip = reply(gzip.compress(b'{"done": true}')[:-10], Content_Encoding="gzip")
