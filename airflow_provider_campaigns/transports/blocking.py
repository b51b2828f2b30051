"""Drives conversations with requests, one step after the other."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from airflow_provider_campaigns.protocol.dialect import Dialect
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Conversation,
    Keep,
    NoReplyError,
    NotSentError,
    Page,
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

POOL_SIZE = 64
_CHUNK = 65536


class BlockingTransport:
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
        self._dialect = dialect
        self._settings = settings
        self._tokens = tokens or InMemoryTokens()
        self._sleep = sleep
        self._opening = threading.Lock()
        self._signing_in = threading.Lock()
        self._session: requests.Session | None = None
        install_log_filter()

    def run(self, conversation: Conversation[T]) -> T:
        """
        Drive ``conversation`` to its end and return its result; what it raises goes on unchanged.

        :raises TypeError: it yields pages, which only ``stream`` can hand on.
        """
        with closing(self._drive(conversation)) as pages:
            try:
                next(pages)
            except StopIteration as end:
                result: T = end.value
                return result
        raise TypeError("this conversation yields pages: use stream()")

    def stream(self, conversation: Conversation[Any]) -> Iterator[Any]:
        """Drive ``conversation`` page by page, as the items are asked for; what it raises goes on unchanged."""
        with closing(self._drive(conversation)) as pages:
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

    def _drive(self, conversation: Conversation[T]) -> Generator[Page, None, T]:
        with closing(conversation):
            try:
                step = next(conversation)
                while True:
                    if isinstance(step, Page):
                        yield step
                        step = next(conversation)
                        continue
                    try:
                        answer = self._perform(step)
                    except Exception as failure:  # noqa: BLE001 - whatever it is, the conversation decides
                        step = conversation.throw(failure)
                    else:
                        step = conversation.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result

    def _perform(self, step: Step) -> Any:
        match step:
            case Request():
                return self._send(step)
            case Sleep():
                log_wait(step)
                return self._sleep(step.seconds)
            case SignIn(stale):
                with self._signing_in:
                    return self.run(self._dialect.sign_in(stale))
            case Recall() | Claim() | Keep() | Release():
                return ask(self._tokens, step)
            case _:
                raise TypeError(f"not a step of a conversation: {type(step).__name__}")

    def _send(self, request: Request) -> Response:
        outer = sys.exception()
        wire = wire_request(request, self._settings)
        started = time.monotonic()
        try:
            response = self._exchange(wire, deadline=started + self._settings.timeout)
        except Exception as error:  # noqa: BLE001 - the libraries' errors hold the address, headers and body
            kind = NotSentError if _never_connected(error) else NoReplyError
            failure = kind(short_reason(error, self._settings.timeout, outer))
        else:
            log_reply(request, response.status, started)
            return response
        log_reply(request, str(failure), started)
        # Raised here, outside "except", so that no traceback shows the library's error.
        raise failure

    def _exchange(self, wire: WireRequest, deadline: float) -> Response:
        session = self._open()
        proxy = proxy_for(wire.url, self._settings)
        timeout = self._settings.timeout
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
            return Response(reply.status_code, _read(reply, deadline), headers)

    def _open(self) -> requests.Session:
        with self._opening:
            if self._session is None:
                self._session = _Session()
            return self._session


def _read(reply: requests.Response, deadline: float) -> bytes:
    """Return the body; requests' own time-out is for each read, so a server that drips would never end."""
    chunks = []
    while chunk := reply.raw.read1(_CHUNK, decode_content=True):
        chunks.append(chunk)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(chunks)


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


@contextmanager
def _connecting(connection: HTTPConnection) -> Iterator[None]:
    """Give all that fails before the first byte of a request one name; later errors look just the same."""
    try:
        yield
    except (NewConnectionError, ConnectTimeoutError):
        raise
    except Exception as error:
        raise NewConnectionError(connection, str(error)) from error


class _Connection(HTTPConnection):
    def connect(self) -> None:
        with _connecting(self):
            super().connect()


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        with _connecting(self):
            super().connect()


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
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, ProxyError):
        # Not proof: urllib3 wraps a reply cut by a proxy so, too.
        reason = reason.original_error
    return isinstance(reason, (NewConnectionError, ConnectTimeoutError))
