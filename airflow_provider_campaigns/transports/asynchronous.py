"""Drives conversations with aiohttp, many at a time; the only module that imports aiohttp."""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, Self, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from asgiref.sync import sync_to_async
from yarl import URL

from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import Conversation, Recall, Response, Sleep, T
from airflow_provider_campaigns.transports.body import Body
from airflow_provider_campaigns.transports.driver import Driver, TokenStep
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import TokenMemory, ask
from airflow_provider_campaigns.transports.wire import WireRequest, authorities, proxy_for

DEFAULT_CONNECTIONS = 64
# Bytes of headers, interim replies and trailers in a row, without a byte of the body between them. aiohttp has bounds
# of its own from 3.13.4 on.
MAX_HEADER_BYTES = 64 * 1024


class AsyncTransport(Driver):
    """
    Drives conversations, within ``async with``; many may run at a time.

    :param dialect: how the vendor signs requests and gives out tokens.
    :param settings: where the vendor is.
    :param tokens: where its access token is kept.
    :param connections: requests at a time; the others wait, and their time-out only starts afterwards.
    :param sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        dialect: Dialect,
        settings: TransportSettings,
        tokens: TokenMemory | None = None,
        connections: int = DEFAULT_CONNECTIONS,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(dialect, settings, tokens)
        self._sleep = sleep
        self._slots = asyncio.Semaphore(connections)
        self._signing_in = asyncio.Lock()
        self._proxies: dict[str, str | None] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            # The deadline is ours, for all of a request; so is the decompression, which must be bounded.
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(self, conversation: Conversation[T]) -> T:
        """
        Drive ``conversation`` to its end and return its result; what it raises is raised unchanged.

        :raises TypeError: it yields pages, which only ``BlockingTransport.stream`` can hand on.
        """
        return await self._drive(conversation)

    def _wait(self, seconds: float) -> Awaitable[None]:
        return self._sleep(seconds)

    def _alone(self) -> AbstractAsyncContextManager[Any]:
        return self._signing_in

    def _slot(self) -> AbstractAsyncContextManager[Any]:
        if self._session is None:
            raise TypeError('AsyncTransport works within "async with"')
        return self._slots

    async def _ask_tokens(self, step: TokenStep) -> str | Sleep | None:
        if isinstance(step, Recall):
            return ask(self._tokens, step)
        # In asgiref's threads: Airflow 3.0 and 3.1 answer no others of the triggerer.
        return await sync_to_async(ask, thread_sensitive=False)(self._tokens, step)

    def _never_connected(self, error: Exception) -> bool:
        return _progress.get().protocol is None

    async def _exchange(self, wire: WireRequest) -> Response:
        _progress.set(_RequestState())
        assert self._session is not None
        async with (
            asyncio.timeout(self._settings.timeout),
            self._session.request(
                wire.method,
                URL(wire.url, encoded=True),
                data=wire.body,
                headers=wire.headers,
                proxy=self._proxy(wire.url),
                ssl=self._tls if wire.url.startswith("https:") else True,
                allow_redirects=False,
            ) as reply,
        ):
            headers = {name.lower(): value for name, value in reply.headers.items()}
            body = Body(headers.get("content-encoding", ""), self._settings.max_reply_bytes)
            while chunk := await reply.content.readany():
                body.feed(chunk)
            _progress.get().answered()
            return Response(reply.status, body.whole(), headers)

    def _proxy(self, url: str) -> str | None:
        """Return the proxy to go through; what the environment says of a host is looked up once."""
        host = url.split("/", 3)[2]
        if host not in self._proxies:
            self._proxies[host] = proxy_for(url, self._settings)
        return self._proxies[host]

    @cached_property
    def _tls(self) -> ssl.SSLContext | bool:
        trusted = authorities(self._settings.verify)
        return False if trusted is None else _context(trusted, Path(trusted).stat().st_mtime)


@lru_cache(maxsize=4)
def _context(trusted: str, changed: float) -> ssl.SSLContext:
    """
    Return a context that trusts these authorities, the same for a thousand transports: each would block for 20 ms.

    :param trusted: a file or folder.
    :param changed: when it was last changed; another time makes another context.
    """
    if Path(trusted).is_dir():
        return ssl.create_default_context(capath=trusted)
    return ssl.create_default_context(cafile=trusted)


@dataclass(slots=True)
class _RequestState:
    """The connection that a request got: before that, it was not sent."""

    protocol: _Protocol | None = None

    def answered(self) -> None:
        """Note that the reply is whole: what comes now was not asked for."""
        assert self.protocol is not None
        self.protocol.idle = True


# Of the request that the running task makes.
_progress: ContextVar[_RequestState] = ContextVar("progress")


class _Protocol(ResponseHandler):
    """
    Notices bytes that come while no request waits for them, and ends a reply whose headers do not end.

    aiohttp's parser may swallow the former, and keeps the latter in memory, many times as large as they are sent.
    """

    idle = False
    unasked = False
    used = False
    _arrived: select.poll | None = None
    _body: aiohttp.StreamReader | None = None
    _body_bytes = 0
    _header_bytes = 0

    def data_received(self, data: bytes) -> None:
        self.unasked = self.unasked or self.idle
        super().data_received(data)
        body_bytes = 0 if self._body is None else self._body.total_bytes
        self._header_bytes = 0 if body_bytes > self._body_bytes else self._header_bytes + len(data)
        self._body_bytes = body_bytes
        if self._header_bytes > MAX_HEADER_BYTES and self.transport is not None:
            self.set_exception(aiohttp.ClientPayloadError(f"headers above {MAX_HEADER_BYTES // 1024} KB"))
            self.transport.close()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Note where the body goes of the reply whose headers are parsed."""
        self._body = data[1]
        super().feed_data(data, size)

    def begin(self) -> None:
        """Note that a request is about to be sent."""
        self.used, self.idle = True, False
        self._body, self._body_bytes, self._header_bytes = None, 0, 0

    def may_be_used(self) -> bool:
        """Whether the connection is new, or was kept and holds nothing that was not asked for."""
        if not self.used:
            return True
        if self.unasked or self.should_close or self.transport is None:
            return False
        # Not yet read by the event loop.
        if self._arrived is None:
            self._arrived = select.poll()
            self._arrived.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._arrived.poll(0)


class _Connector(aiohttp.TCPConnector):
    """
    Keeps each request's ``_RequestState``, each request from being sent twice, and each reply with its own request.

    aiohttp sends GET, PUT and DELETE again when a kept-alive connection dies under them; it then asks for a second one.
    And it takes a reply that came unasked on a kept-alive connection for the next request's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(_Protocol, loop=self._loop)  # type: ignore[assignment]

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection for one request."""
        progress = _progress.get()
        if progress.protocol is not None:
            raise aiohttp.ServerDisconnectedError
        while True:
            connection = await super().connect(*args, **options)
            protocol = cast("_Protocol", connection.protocol)
            if protocol.may_be_used():
                protocol.begin()
                progress.protocol = protocol
                return connection
            connection.close()
