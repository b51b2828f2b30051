"""Where a vendor is and how to reach it: what both transports need to know of a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from airflow_provider_campaigns import __version__
from airflow_provider_campaigns.exceptions import InputError

DEFAULT_TIMEOUT = 30.0


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
    :raises InputError: when ``base_url`` is not an HTTP address, or holds credentials.
    """

    base_url: str
    timeout: float = DEFAULT_TIMEOUT
    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    user_agent: str = f"airflow-provider-campaigns/{__version__}"

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.username is not None:
            raise InputError(
                "host", "an address without credentials (they go into login and password)", "one with them"
            )
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise InputError("host", "an address such as https://api.example.com", self.base_url)
