"""
What a conversation yields and is sent.

A vendor call is a *conversation*: a generator that yields steps and returns the parsed result. A transport drives it:

=================  ==============================================================================================
the generator      the transport
yields
=================  ==============================================================================================
``Request``        sends it and sends back the ``Response``; throws ``NotSentError`` when no connection was made,
                   ``NoReplyError`` when the request may have arrived but no whole reply came back
``Sleep``          waits
``SignIn``         sends back the access token, running ``Dialect.sign_in`` alone (under a lock) for a new one
``Recall``         sends back the token that is remembered here, or None
``Claim``          sends back the token that several processes share, a ``Sleep`` after which to claim again, or None:
                   a new token may be made, once, and is then kept (``Keep``) or given up (``Release``)
``Keep``           stores a token
``Release``        ends a claim of which no token came
``Page``           hands its items to the reader of the stream (only through ``stream()``)
=================  ==============================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, Literal, TypeVar

from pydantic_core import from_json

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.masking import mask

_JSON = json.JSONEncoder(allow_nan=False)

# A body of a few bytes per value takes some thirty times its size once parsed: 64 MB would be 2 GB.
MOST_VALUES = 5_000_000
# As deep as pydantic's parser goes.
DEEPEST_NESTING = 200

# What may be something that no database takes: NaN, which JSON does not have, numbers too large for a float, and NUL.
_UNUSUAL = re.compile(rb"NaN|Infinity|[0-9.][eE]\+?[0-9]{3}|[0-9]{300}|\\u0000")

T = TypeVar("T")
Effect = Literal["read", "write"]

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""HTTP methods that change nothing."""


@dataclass(frozen=True)
class Request:
    """
    One HTTP request, as data.

    :param method: HTTP method, upper case.
    :param path: path below the connection's base URL, or a whole URL for another host of the vendor.
    :param effect: ``read`` may be repeated freely; ``write`` only as ``retry`` allows.
    :param json: body, sent as JSON whatever the method; None sends no body.
    :param params: query parameters; values that are None are left out.
    :param headers: headers beside the transport's own.
    :param safe_to_resend: why repeating this write contacts nobody twice; empty: it is not safe.
    :param secrets: credentials in it beside the account's own, which no text of the reply may show.
    """

    method: str
    path: str
    effect: Effect
    json: Any = field(default=None, repr=False)
    params: Mapping[str, str | int | None] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    safe_to_resend: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def body(self) -> bytes | None:
        """
        The body as it is sent, None for none.

        :raises InputError: it holds something that JSON does not know.
        """
        if self.json is None:
            return None
        try:
            return _JSON.encode(self.json).encode()
        except (TypeError, ValueError) as error:
            raise InputError("request body", "values that JSON knows", error) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.method} {mask(self.path.partition('?')[0])})"


@dataclass(frozen=True)
class Response:
    """
    A whole reply.

    :param status: HTTP status.
    :param body: body bytes, decoded from any content encoding.
    :param headers: header values by lower-case name.
    :param repeated: an earlier attempt of the same request may have been carried out.
    :param secrets: those of the request and of the way it took, which no text of the reply may show.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    repeated: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """
        Return the body parsed as JSON, the same object each time.

        What could not be stored is changed: a lone surrogate and a NUL character are a "?", NaN and infinity are None.

        :raises ValueError: the body is not JSON, is nested too deeply, or holds too many values.
        """
        return self._parsed

    @cached_property
    def _parsed(self) -> Any:
        if len(self.body) > MOST_VALUES and sum(map(self.body.count, (b",", b"[", b"{"))) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values")
        with suppress(ValueError):
            value = from_json(self.body)
            return _storable(value) if _UNUSUAL.search(self.body) else value
        # A lone surrogate, or another encoding than UTF-8, or nested deeper than pydantic's parser goes, or no JSON.
        try:
            value = json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        _check_nesting(value)
        return _storable(json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace")))


def _storable(value: Any) -> Any:
    """Return a value that is not nested too deeply without what no database takes."""
    if isinstance(value, dict):
        return {name.replace("\0", "?"): _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [*map(_storable, value)]
    if isinstance(value, str):
        return value.replace("\0", "?")
    return None if isinstance(value, float) and not isfinite(value) else value


def _check_nesting(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST_NESTING):
        inner = (one.values() if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list)))
        level = [child for children in inner for child in children]
        if not level:
            return
    raise ValueError("nested too deeply")


@dataclass(frozen=True, slots=True)
class Sleep:
    """
    Wait before the next step.

    :param seconds: how long.
    :param reason: for the log; empty logs nothing.
    :param throttled: the vendor asked every caller to wait, not this request alone.
    """

    seconds: float
    reason: str
    throttled: bool = False


@dataclass(frozen=True, slots=True)
class SignIn:
    """
    Ask for the access token.

    :param stale: a token the vendor no longer takes; empty: any stored token will do.
    """

    stale: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Recall:
    """Ask for the token that this process remembers."""


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Ask for the token that the account's processes share, or for permission to make a new one.

    :param stale: a token the vendor no longer takes; empty: any shared token will do.
    :param per_hour: how many tokens the vendor gives in an hour.
    """

    stale: str = field(repr=False)
    per_hour: int


@dataclass(frozen=True, slots=True)
class Release:
    """
    End a claim of which no token came.

    :param made: the vendor may have made one all the same, which counts.
    """

    made: bool


@dataclass(frozen=True, slots=True)
class Keep:
    """
    Store a token.

    :param token: the access token.
    :param expires_at: when it ends, seconds since the epoch.
    """

    token: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class Page:
    """Items of a paged list, in order."""

    items: Sequence[Any] = field(repr=False)


Step = Request | Sleep | SignIn | Recall | Claim | Keep | Release | Page
Conversation = Generator[Step, Any, T]


class NotSentError(Exception):
    """
    The request did not leave, so it did not arrive.

    :param reason: why no connection was made; or, with ``stopped``, that the delivery was stopped before.
    """

    def __init__(self, reason: object, *, stopped: bool = False) -> None:
        text = mask(str(reason))
        super().__init__(text)
        self.what_happened = text if stopped else f"no connection: {text}"


class NoReplyError(Exception):
    """The request may have arrived, but no whole reply came back (time-out, reset, cut)."""

    def __init__(self, reason: object) -> None:
        super().__init__(mask(str(reason)))


class OversizedReplyError(NoReplyError):
    """A reply came back that is larger than the transport reads; another attempt would meet the same."""
