"""Drives conversations with aiohttp, many at a time; the only module that imports aiohttp."""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import aiohttp
from asgiref.sync import sync_to_async
from yarl import URL

from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Conversation,
    Keep,
    NoReplyError,
    NotSentError,
    Recall,
    Release,
    Request,
    Response,
    SignIn,
    Sleep,
    Step,
    T,
)
from airflow_provider_campaigns.transports.log_filter import install_log_filter
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.transports.tokens import InMemoryTokens, TokenMemory, ask
from airflow_provider_campaigns.transports.wire import (
    WireRequest,
    authorities,
    log_reply,
    log_wait,
    proxy_for,
    short_reason,
    wire_request,
)

DEFAULT_CONNECTIONS = 64


class AsyncTransport:
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
        self._dialect = dialect
        self._settings = settings
        self._tokens = tokens or InMemoryTokens()
        self._sleep = sleep
        self._slots = asyncio.Semaphore(connections)
        self._signing_in = asyncio.Lock()
        self._proxies: dict[str, str | None] = {}
        self._session: aiohttp.ClientSession | None = None
        install_log_filter()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def run(self, conversation: Conversation[T]) -> T:
        """
        Drive ``conversation`` to its end and return its result; what it raises goes on unchanged.

        :raises TypeError: it yields pages, which only ``BlockingTransport.stream`` can hand on.
        """
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    try:
                        answer = await self._perform(step)
                    except Exception as failure:  # noqa: BLE001 - whatever it is, the conversation decides
                        step = conversation.throw(failure)
                    else:
                        step = conversation.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _perform(self, step: Step) -> Any:
        match step:
            case Request():
                return await self._send(step)
            case Sleep():
                log_wait(step)
                return await self._sleep(step.seconds)
            case SignIn(stale):
                async with self._signing_in:
                    return await self.run(self._dialect.sign_in(stale))
            case Recall():
                return ask(self._tokens, step)
            case Claim() | Keep() | Release():
                # In asgiref's threads: Airflow 3.0 and 3.1 answer no others of the triggerer.
                return await sync_to_async(ask, thread_sensitive=False)(self._tokens, step)
            case _:
                raise TypeError(f"not a step of a conversation that is run: {type(step).__name__}")

    async def _send(self, request: Request) -> Response:
        if self._session is None:
            raise TypeError('AsyncTransport works within "async with"')
        outer = sys.exception()
        wire = wire_request(request, self._settings)
        progress = _RequestState()
        _progress.set(progress)
        async with self._slots:
            started = time.monotonic()
            try:
                response = await self._exchange(self._session, wire)
            except Exception as error:  # noqa: BLE001 - the libraries' errors hold the address, headers and body
                kind = NoReplyError if progress.connected else NotSentError
                failure = kind(short_reason(error, self._settings.timeout, outer))
            else:
                log_reply(request, response.status, started)
                return response
        log_reply(request, str(failure), started)
        # Raised here, outside "except", so that no traceback shows the library's error.
        raise failure

    async def _exchange(self, session: aiohttp.ClientSession, wire: WireRequest) -> Response:
        async with session.request(
            wire.method,
            URL(wire.url, encoded=True),
            data=wire.body,
            headers=wire.headers,
            proxy=self._proxy(wire.url),
            ssl=self._tls if wire.url.startswith("https:") else True,
            allow_redirects=False,
        ) as reply:
            headers = {name.lower(): value for name, value in reply.headers.items()}
            return Response(reply.status, await reply.read(), headers)

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
    """Whether a request got a connection: before that, it surely was not sent."""

    connected: bool = False


# Of the request that the running task makes.
_progress: ContextVar[_RequestState] = ContextVar("progress")


class _Connector(aiohttp.TCPConnector):
    """
    Keeps each request's ``_RequestState``, and each request from being sent twice.

    aiohttp sends GET, PUT and DELETE again when a kept-alive connection dies under them; it then asks for a second one.
    """

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection for one request."""
        progress = _progress.get()
        if progress.connected:
            raise aiohttp.ServerDisconnectedError
        connection = await super().connect(*args, **options)
        progress.connected = True
        return connection
