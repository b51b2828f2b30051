"""The fields of a connection, checked as they are read."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.compat import mask_secret
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import known_region
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.transports.settings import (
    DEFAULT_MAX_REPLY_MB,
    DEFAULT_TIMEOUT,
    MEGABYTE,
    TransportSettings,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

# What Airflow's UI and API show in place of a secret; some of their versions saved it in the secret's place.
REDACTED = "***"

# Control and format characters (zero-width ones, direction marks, the byte order mark) and lone surrogates.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

# Left out of addresses: a delivery continues when a port is entered that is the default anyway.
USUAL_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ConnectionFields:
    """
    A connection's fields, checked as they are read.

    :param connection: the Airflow connection.
    :param default_host: used when the connection names none; empty: it must.
    :param known_extras: the extras that the type of connection has; None takes all.
    :param conn_type: the type of connection.
    """

    connection: Connection = field(repr=False)
    default_host: str = ""
    known_extras: Collection[str] | None = None
    conn_type: str = ""

    @cached_property
    def extras(self) -> Mapping[str, Any]:
        """
        The extra fields, with sensitive ones hidden from logs.

        :raises InputError: they are no JSON object (Airflow's own ``extra_dejson`` is empty then, and
            ``only_recipients`` would not count), or one is unknown (a misspelt ``only_recipients`` would not either).
        """
        try:
            extras = json.loads(self.connection.extra or "{}")
        except (ValueError, RecursionError):
            extras = None
        if not isinstance(extras, dict):
            raise self.wrong("extra", "a JSON object", "something else")
        try:
            # Airflow's log masker cannot take a lone surrogate on 2.11.
            for name, value in extras.items():
                if _LONE_SURROGATE.search(json.dumps([name, value], ensure_ascii=False)):
                    raise self.unseen(name if name.isascii() else "extra")
            mask_secret(extras)
        except RecursionError:
            # From 3.12 on Python parses what is nested more deeply than the masker can follow.
            raise self.wrong("extra", "a JSON object", "something else") from None
        if self.known_extras is None:
            return extras
        where = f"extra of connection {self.connection.conn_id!r}"
        return read_extras(extras, self.known_extras, self.conn_type, where)

    @property
    def base_url(self) -> str:
        """Scheme, host, port and path prefix; ``https`` unless ``host`` or ``schema`` says otherwise."""
        host = (self.connection.host or "").strip() or self.default_host
        if not host:
            raise self.wrong("host", "the vendor's address, e.g. https://api.example.com", "nothing")
        if "://" not in host:
            scheme = self.connection.schema if self.connection.schema in {"http", "https"} else "https"
            host = f"{scheme}://{host}"
        scheme, _, rest = host.partition("://")
        address, slash, prefix = rest.rstrip("/").partition("/")
        port = self.connection.port
        if port and port != USUAL_PORTS.get(scheme) and ":" not in address.rpartition("]")[2]:
            address = f"{address}:{port}"
        return f"{scheme}://{address}{slash}{prefix}"

    def wrong(self, name: str, expected: str, got: object) -> InputError:
        """Return the error for a field of this connection."""
        return InputError(f"{name} of connection {self.connection.conn_id!r}", expected, got)

    def unseen(self, name: str) -> InputError:
        """Return the error for a field with characters that are not seen; it may be a secret, so it is not shown."""
        return self.wrong(name, "text without control or zero-width characters", "some with them; enter it again")

    def text(self, name: str, *, required: str = "") -> str:
        """
        Return a standard field or an extra as text, empty when it is not set.

        :param required: what it is, for the error when it is not set; empty: it may be left out.
        :raises InputError: required and not set, or it holds a character that is not seen: pasted by mistake, and no
            vendor would take it.
        """
        standard = name in {"login", "password"}
        value = str((getattr(self.connection, name) if standard else self.extras.get(name)) or "").strip()
        if required and not value:
            raise self.wrong(name, required, "nothing")
        if _UNSEEN.search(value):
            raise self.unseen(name)
        return value

    def secret(self, name: str, *, required: str = "") -> str:
        """
        Return a secret, registered with Airflow's log masker.

        :raises InputError: required and not set, or it is the ``***`` that a form shows in place of a saved secret.
        """
        value = self.text(name, required=required)
        if value == REDACTED:
            raise self.wrong(
                name, "the secret itself", "'***', which a form shows in its place; enter the secret again"
            )
        if value:
            mask_secret(value)
        return value

    def number(self, name: str, default: float, *, least: float) -> float:
        """
        Return a number from the extras.

        :raises InputError: it is no number, or smaller than ``least``.
        """
        value = self.extras.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(value, bool) or not least <= number < float("inf"):
            raise self.wrong(name, f"a number of at least {least:g}", repr(value))
        return number

    @property
    def verify(self) -> bool | str:
        """
        Whether TLS certificates are checked, or the file or folder of authorities to check them with.

        :raises InputError: neither, or there is no such file.
        """
        value = self.extras.get("verify")
        text = str("" if value is None else value).strip()
        if text.lower() in {"", "true", "false"}:
            return text.lower() != "false"
        # Without this, every request would fail, and it would not be known whether it had been sent.
        if not isinstance(value, str) or not Path(text).exists():
            raise self.wrong("verify", "true, false, or a file or folder of trusted authorities", repr(value))
        return text

    @property
    def only_recipients(self) -> tuple[str, ...]:
        """Patterns of the addresses that may be contacted; empty: all."""
        value = self.extras.get("only_recipients") or ()
        patterns = value.replace("\n", ",").split(",") if isinstance(value, str) else value
        if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
            raise self.wrong("only_recipients", "patterns such as *@example.com, separated by commas", repr(value))
        return tuple(pattern.strip() for pattern in patterns if pattern.strip())

    @property
    def region(self) -> str | None:
        """
        Country of phone numbers that are written without ``+``, None when the connection names none.

        :raises InputError: there is no such country.
        """
        return known_region(self.extras.get("region"), f"region of connection {self.connection.conn_id!r}")

    @property
    def campaign_page(self) -> str:
        """
        Address of a campaign in the vendor's dashboard, with ``{campaign_id}`` in it; empty when there is none.

        :raises InputError: it is no such address.
        """
        page = self.text("campaign_url")
        if page and not (page.startswith(("https://", "http://")) and "{campaign_id}" in page):
            raise self.wrong("campaign_url", "a URL with {campaign_id} in it", page)
        return page

    @property
    def policy(self) -> RetryPolicy:
        """How often a request may be repeated (``retry_limit``)."""
        return RetryPolicy(retry_limit=int(self.number("retry_limit", RetryPolicy().retry_limit, least=0)))

    @property
    def requests_per_minute(self) -> float | None:
        """Requests a minute; None when the connection names none, or 0: the vendor's pages count."""
        return self.number("requests_per_minute", 0, least=0) or None

    @property
    def settings(self) -> TransportSettings:
        """How to reach the vendor."""
        return TransportSettings(
            base_url=self.base_url,
            timeout=self.number("timeout", DEFAULT_TIMEOUT, least=0.001),
            verify=self.verify,
            proxy=self.text("proxy") or None,
            max_reply_bytes=int(self.number("max_reply_mb", DEFAULT_MAX_REPLY_MB, least=0.001) * MEGABYTE),
        )


def read_extras(extras: Mapping[str, Any], known: Collection[str], conn_type: str, where: str) -> dict[str, Any]:
    """
    Return extras by their names, without the prefix ``extra__<type>__`` that Airflow's forms once gave them.

    :param known: the extras that the type of connection has.
    :param where: what holds them, for the error.
    :raises InputError: there is another one, or one with two values.
    """
    found: dict[str, Any] = {}
    for full_name, value in extras.items():
        name = full_name.removeprefix(f"extra__{conn_type}__")
        if name not in known:
            expected = f"only extras that a connection of type {conn_type} has: {', '.join(sorted(known))}"
            raise InputError(where, expected, f"{full_name!r}{_hint(name, known)}")
        if name in found and value != found[name] and not _is_blank(value) and not _is_blank(found[name]):
            raise InputError(where, f"one value of {name}", "two, one of them with a prefix")
        if name not in found or _is_blank(found[name]):
            found[name] = value
    return found


def _hint(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name.lower().strip().replace("-", "_"), known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _is_blank(value: object) -> bool:
    return value is None or value == ""
