"""What both transports share: what a request is on the wire, and how a failure is named without its secrets."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlencode

from multidict import CIMultiDict
from requests.exceptions import RequestException
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, requote_uri, select_proxy

from airflow_provider_campaigns.exceptions import InputError, shown
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.messages import Request, Sleep
from airflow_provider_campaigns.transports.body import ACCEPT_ENCODING, ReplyError
from airflow_provider_campaigns.transports.settings import TransportSettings, split_address

log = logging.getLogger(__name__)

# The log has one line in so many seconds about waits for the same reason; and so many reasons are remembered.
SECONDS_BETWEEN_LINES = 60.0
MOST_REASONS = 100

_AUTHORITY = re.compile(r"https?://[^/?#]*")
# As RFC 9110 has it, without what it calls obsolete: visible ASCII, with blanks between.
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it is sent."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def wire_request(request: Request, settings: TransportSettings) -> WireRequest:
    """
    Return ``request`` as it is sent.

    :raises InputError: its body holds something that JSON does not know, or its path, parameters or headers (the
        credentials) hold what cannot be sent.
    """
    headers = CIMultiDict(
        {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING, "User-Agent": settings.user_agent}
    )
    if request.body is not None:
        headers["Content-Type"] = "application/json"
    for name, value in request.headers.items():
        if not _HEADER_VALUE.fullmatch(value):
            # The value may be a credential, so it is not shown.
            raise InputError(f"header {name}", "visible ASCII characters", "something else")
        headers[name] = value
    return WireRequest(request.method, _url(request, settings.base_url), dict(headers.items()), request.body)


def _url(request: Request, base_url: str) -> str:
    url = request.path
    if not url.startswith(("http://", "https://")):
        url = f"{base_url.rstrip('/')}/{url.lstrip('/')}"
    if params := {name: value for name, value in request.params.items() if value is not None}:
        try:
            url += ("&" if "?" in url else "?") + urlencode(params)
        except UnicodeEncodeError:
            raise InputError("params", "text without lone surrogates", "something else") from None
    quoted = _requoted(url)
    if quoted is None:
        raise InputError("path", "a path, or an http or https address", url.partition("?")[0])
    return quoted


# Cached, since a delivery sends to one address over and over.
@lru_cache
def _requoted(url: str) -> str | None:
    """Return ``url`` with whatever must be quoted quoted; None when it is no address."""
    authority = _AUTHORITY.match(url)
    try:
        quoted = requote_uri(url)
    except (ValueError, RequestException):
        return None
    return quoted if authority and split_address(authority.group()) and split_address(quoted) else None


def proxy_for(url: str, settings: TransportSettings) -> str | None:
    """Return the proxy to go through: the connection's, else the environment's (which honours ``NO_PROXY``)."""
    return settings.proxy or select_proxy(url, get_environ_proxies(url, no_proxy=None))


def authorities(verify: bool | str) -> str | None:
    """Return the file or folder of trusted TLS authorities, None to trust any certificate."""
    if verify is True:
        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH
    return verify or None


def log_reply(request: Request, status: int | str, started: float) -> None:
    """
    Log one line about a request.

    :param status: the HTTP status, or why there is none.
    :param started: ``time.monotonic()`` before it was sent.
    """
    if log.isEnabledFor(logging.DEBUG):
        path = mask(request.path.partition("?")[0])
        log.debug("%s %s: %s in %.0f ms", request.method, path, status, (time.monotonic() - started) * 1000)


class WaitLog:
    """
    Logs why conversations wait: of the same reason one line a minute, with the number of waits since the last.

    A vendor that asks to wait asks all requests that are in flight.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._more: Counter[str] = Counter()

    def note(self, sleep: Sleep) -> None:
        """Log a wait, unless the log has its reason; one for the turn of a request has none."""
        if not sleep.reason:
            return
        now, logged = self._clock(), self._logged.get(sleep.reason)
        if logged is not None and now - logged < SECONDS_BETWEEN_LINES:
            self._more[sleep.reason] += 1
            return
        if len(self._logged) >= MOST_REASONS:
            self._logged.clear()
        self._logged[sleep.reason] = now
        more = self._more.pop(sleep.reason, 0)
        others = f" ({more:,} more waits for it since the last line)" if more else ""
        log.info("waiting %.1f s: %s%s", sleep.seconds, sleep.reason, others)


def short_reason(error: BaseException, timeout: float, outer: BaseException | None) -> str:
    """
    Describe what went wrong on the wire in words that hold no address, header or body (the libraries' own texts do).

    :param timeout: seconds the request was given.
    :param outer: the exception that was being handled before the request, which has no part in its failure.
    """
    causes = list(_causes(error, outer))
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return f"nothing within {timeout:g} s"
    for cause in causes:
        if isinstance(cause, ReplyError):
            return str(cause)
    root = causes[-1]
    details = getattr(root, "strerror", None) or getattr(root, "status", None)
    if details is None and type(root) is OSError:
        # Plain ones come from the standard library's sockets ("Tunnel connection failed: 407 ..."), not from a reply.
        details = str(root)
    name = type(root).__name__
    return shown(f"{name}: {details}" if details else name)


def _causes(error: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None and cause is not outer:
        yield cause
        cause = cause.__cause__ or cause.__context__
