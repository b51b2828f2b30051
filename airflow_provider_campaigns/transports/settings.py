"""Where a vendor is and how to reach it: what both transports need to know of a connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_campaigns import __version__
from airflow_provider_campaigns.exceptions import InputError

DEFAULT_TIMEOUT = 30.0
MEGABYTE = 1024 * 1024
DEFAULT_MAX_REPLY_MB = 64.0

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# What no address holds: blanks, control characters, zero-width characters, lone surrogates.
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\\]")


@dataclass(frozen=True)
class TransportSettings:
    """
    How to reach one vendor account.

    :param base_url: scheme, host and, if need be, port and path prefix; a request's path is appended to it.
    :param timeout: seconds one request may take, from connecting to the last byte of the reply.
    :param verify: False trusts any TLS certificate; a string is a file or folder of trusted authorities; True takes
        the one named by ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``, else the usual authorities.
    :param proxy: URL of an HTTP proxy; None takes the proxy the environment names for the host, if any.
    :param user_agent: the ``User-Agent`` header.
    :param max_reply_bytes: the largest reply that is read, decoded; a write with a larger one is unknown, a read fails.
    :raises InputError: ``base_url`` or ``proxy`` is not an HTTP address, or ``base_url`` holds credentials.
    """

    base_url: str
    timeout: float = DEFAULT_TIMEOUT
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    user_agent: str = f"airflow-provider-campaigns/{__version__}"
    max_reply_bytes: int = int(DEFAULT_MAX_REPLY_MB * MEGABYTE)

    def __post_init__(self) -> None:
        parts = split_address(self.base_url)
        if parts is not None and parts.username is not None:
            raise InputError(
                "host", "an address without credentials (they go into login and password)", "one with them"
            )
        if parts is None or parts.query or parts.fragment:
            raise InputError("host", "an address such as https://api.example.com", self.base_url)
        if self.proxy and split_address(self.proxy) is None:
            # It may hold credentials, so it is not shown.
            raise InputError("proxy", "an address such as http://proxy.example.com:3128", "something else")

    def check_host(self, path: str) -> None:
        """
        Check that a request for ``path`` goes to the host of ``base_url``, with its scheme and port.

        :param path: a path, or a whole URL.
        :raises InputError: it goes elsewhere.
        """
        if _URL.match(path) and _origin(split_address(path)) != _origin(split_address(self.base_url)):
            expected = f"a path, or a URL below {self.base_url} (unless allow_other_host=True)"
            raise InputError("path", expected, path.partition("?")[0])

    @property
    def secrets(self) -> tuple[str, ...]:
        """The proxy's credentials, which a proxy may repeat."""
        parts = split_address(self.proxy or "")
        return (parts.password, unquote(parts.password)) if parts and parts.password else ()


def _origin(parts: SplitResult | None) -> tuple[str, str | None, int] | None:
    if parts is None or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def split_address(url: str) -> SplitResult | None:
    """Return the parts of an HTTP address; None for anything else."""
    try:
        parts = urlsplit(url)
        if parts.port == 0:
            return None
    except ValueError:  # a port that is no number, brackets that are not closed
        return None
    usable = parts.scheme in {"http", "https"} and parts.hostname and not _NOT_IN_ADDRESSES.search(url)
    return parts if usable else None
