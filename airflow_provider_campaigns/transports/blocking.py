"""Drives conversations with requests, one step after the other."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager, nullcontext
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError, ProxyError

from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import Conversation, Page, Response, Sleep, T
from airflow_provider_campaigns.transports.body import Body
from airflow_provider_campaigns.transports.driver import Driver, TokenStep, hand_over
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import TokenMemory, ask
from airflow_provider_campaigns.transports.wire import WireRequest, authorities, proxy_for

POOL_SIZE = 64
_CHUNK = 65536
# A TLS record: the most that one call sends, so that the time-out of a call is that of all.
_RECORD = 16384


class BlockingTransport(Driver):
    """
    Drives conversations; several threads may use one transport.

    :param dialect: how the vendor signs requests and gives out tokens.
    :param settings: where the vendor is.
    :param tokens: where its access token is kept.
    :param sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        dialect: Dialect,
        settings: TransportSettings,
        tokens: TokenMemory | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(dialect, settings, tokens)
        self._sleep = sleep
        self._opening = threading.Lock()
        self._signing_in = _Lock()
        self._session: requests.Session | None = None

    def run(self, conversation: Conversation[T]) -> T:
        """
        Drive ``conversation`` to its end and return its result; what it raises is raised unchanged.

        :raises TypeError: it yields pages, which only ``stream`` can hand on.
        """
        with closing(self._pages(conversation)) as pages:
            try:
                next(pages)
            except StopIteration as end:
                result: T = end.value
                return result
        raise TypeError("this conversation yields pages: use stream()")

    def stream(self, conversation: Conversation[Any]) -> Iterator[Any]:
        """Drive ``conversation`` page by page, as the items are asked for; what it raises is raised unchanged."""
        with closing(self._pages(conversation)) as pages:
            for page in pages:
                yield from page.items

    def close(self) -> None:
        """Close the connections; the transport opens new ones if it is used again."""
        with self._opening:
            if self._session is not None:
                self._session.close()
                self._session = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pages(self, conversation: Conversation[T]) -> Generator[Page, None, T]:
        return (yield from self._drive(conversation).__await__())

    async def _hand_over(self, page: Page) -> None:
        await hand_over(page)

    async def _wait(self, seconds: float) -> None:
        self._sleep(seconds)

    def _alone(self) -> AbstractAsyncContextManager[Any]:
        return self._signing_in

    def _slot(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext()

    async def _ask_tokens(self, step: TokenStep) -> str | Sleep | None:
        return ask(self._tokens, step)

    def _never_connected(self, error: Exception) -> bool:
        return _never_connected(error)

    async def _exchange(self, wire: WireRequest) -> Response:
        session = self._open()
        proxy = proxy_for(wire.url, self._settings)
        timeout = self._settings.timeout
        _deadline.set(time.monotonic() + timeout)
        with session.request(
            wire.method,
            wire.url,
            data=wire.body,
            headers=wire.headers,
            timeout=(timeout, timeout),
            verify=authorities(self._settings.verify) or False,
            proxies={"http": proxy, "https": proxy} if proxy else {},
            stream=True,
        ) as reply:
            headers = {name.lower(): value for name, value in reply.headers.items()}
            body = Body(headers.get("content-encoding", ""), self._settings.max_reply_bytes)
            while chunk := reply.raw.read1(_CHUNK, decode_content=False):
                body.feed(chunk)
            return Response(reply.status_code, body.whole(), headers)

    def _open(self) -> requests.Session:
        with self._opening:
            if self._session is None:
                self._session = _Session()
            return self._session


class _Lock:
    """A thread's lock in the form that the driver expects."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class _Session(requests.Session):
    """Sends each request once, to its own address, with nothing but what it was given."""

    def __init__(self) -> None:
        super().__init__()
        # The environment would add the credentials of ~/.netrc; its proxy and authorities are looked up in wire.py.
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.mount("http://", _Adapter(pool_maxsize=POOL_SIZE))
        self.mount("https://", _Adapter(pool_maxsize=POOL_SIZE))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect: it could carry a write or the credentials to somewhere else."""


# When the request that this thread makes must be over, by the monotonic clock. The time-outs of requests are for each
# call of a socket, so a server that drips would never end.
_deadline: ContextVar[float] = ContextVar("deadline")


def _time_left() -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _TimedReader(io.RawIOBase):
    """Reads from a socket until the deadline: status line, headers and body alike."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_time_left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reply(http.client.HTTPResponse):
    """A reply that is read until the deadline."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock))


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Give all that fails before the first byte of a request one name; later errors have the same types."""
    try:
        yield
    except Exception as error:
        raise NewConnectionError(connection, str(error)) from error


class _Timed(HTTPConnection):
    """Connects, sends and receives until the deadline."""

    response_class = _Reply

    def connect(self) -> None:
        with _connecting(self):
            super().connect()

    def send(self, data: Any) -> None:
        """Send bytes, connecting first if need be."""
        if self.sock is None or not isinstance(data, bytes):
            super().send(data)
            return
        for start in range(0, len(data), _RECORD):
            self.sock.settimeout(_time_left())
            super().send(data[start : start + _RECORD])

    @property
    def is_connected(self) -> bool:
        """
        Whether a kept connection may be used: it has not been closed, and holds nothing that was not asked for.

        urllib3 checks the socket, but not what TLS has decrypted already.
        """
        pending = getattr(self.sock, "pending", None)
        return super().is_connected and not (pending and pending())

    def _new_conn(self) -> socket.socket:
        """Connect to the first of the host's addresses that answers; urllib3 gives each of them the whole time-out."""
        failure: Exception = OSError("the host has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._dns_host, self.port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(_time_left())
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = error
            else:
                sock.settimeout(_time_left())
                return sock
        raise failure


class _Connection(_Timed):
    """A connection without TLS."""


class _TlsConnection(_Timed, HTTPSConnection):
    """A connection with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Opens connections of the classes above, directly and through proxies."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, ProxyError):
        # Not proof: urllib3 wraps a reply cut by a proxy so, too.
        reason = reason.original_error
    return isinstance(reason, NewConnectionError)
