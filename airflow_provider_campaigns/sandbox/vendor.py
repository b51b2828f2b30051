"""What every vendor of the sandbox is made of: a call as it came in, and the base class whose methods answer it."""

from __future__ import annotations

import base64
import binascii
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.state import Clock, RateWindow, Received


class RefusedError(Exception):
    """Ends a call with this reply."""

    def __init__(self, reply: Response) -> None:
        super().__init__(reply.status_code)
        self.reply = reply


@dataclass(slots=True)
class Call:
    """
    One request to a vendor.

    :param path: the whole path, with the vendor's prefix.
    :param params: what the route's placeholders matched.
    :param received: the contacts the vendor processed, written by ``took``.
    """

    method: str
    path: str
    query_string: str
    headers: Headers
    body: bytes
    params: Mapping[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    _parsed: dict[str, Any] | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; the last one counts where a name is repeated."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; ValueError if it is not one."""
        if self._parsed is None:
            body = json.loads(self.body)
            if not isinstance(body, dict):
                raise ValueError("the body is not a JSON object")
            self._parsed = body
        return self._parsed

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password of HTTP Basic, None without."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return user, password

    @property
    def bearer(self) -> str | None:
        """The bearer token, which may be empty; None without an Authorization header."""
        header = self.headers.get("authorization")
        return None if header is None else header.removeprefix("Bearer").strip()

    def took(self, campaign: str, contact: str, outcome: str, fields: Mapping[str, Any]) -> None:
        """Write down a contact that the vendor processed."""
        self.received.append(Received(campaign, contact, outcome, fields))


Handler = Callable[[Call], Response]


class Vendor(ABC):
    """
    One vendor: its records, its routes, and its words for good and bad input.

    A module of this package that defines a subclass is a vendor of the sandbox; nothing else lists it. Handlers are
    plain functions: the sandbox has one thread, so a call is answered whole before the next one is looked at.

    :param clock: the sandbox's clock.
    :param limits: whether rate limits count.
    """

    name: ClassVar[str]
    """Path prefix and name in the journal."""
    settings: Any
    """A dataclass instance of what ``control`` may change."""

    def __init__(self, clock: Clock, *, limits: bool = True) -> None:
        self.clock = clock
        self.limits = limits
        self.reset()

    @abstractmethod
    def reset(self) -> None:
        """Forget everything and return to the default settings."""

    @abstractmethod
    def routes(self) -> list[Route]:
        """Return the vendor's calls, made by ``route``."""

    @abstractmethod
    def error(self, status: int, message: str | None = None) -> Response:
        """
        Return an error in the vendor's words and envelope.

        :param status: which error; the reply's HTTP status may differ where the vendor's does.
        :param message: the vendor's message, None for its usual one.
        """

    def control(self, command: Mapping[str, Any]) -> None:
        """
        Change settings; subclasses take other commands before calling this.

        :raises ValueError: there is no such setting, or the value is of another type.
        """
        names = [known.name for known in fields(self.settings)]
        for name, value in command.items():
            if name not in names:
                raise ValueError(f"{self.name} has no setting {name!r}; it has {', '.join(names)}")
            kind = type(getattr(self.settings, name))
            if not isinstance(value, kind) and not (kind is float and type(value) is int):
                raise ValueError(f"{self.name}: {name} is of type {kind.__name__}, not {value!r}")
            choices = self.settings.__dataclass_fields__[name].metadata.get("choices")
            if choices and value not in choices:
                raise ValueError(f"{self.name}: {name} is one of {', '.join(map(str, choices))}, not {value!r}")
        for name, value in command.items():
            setattr(self.settings, name, value)

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """Return a route to ``handler``, whose name is the call's name in the journal."""
        return Route(path, handler, methods=[method])

    def window(self, limit: int, seconds: float) -> RateWindow:
        """Return a rate limit of ``limit`` requests in ``seconds``."""
        return RateWindow(self.clock, limit, seconds, enabled=self.limits)


def choice(default: Any, *others: Any) -> Any:
    """Return a settings field that takes ``default`` or one of ``others``."""
    return field(default=default, metadata={"choices": (default, *others)})


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON reply."""
    return JSONResponse(body, status, headers)
