"""Vendors that repeat credentials: the forms in which they may, and transports whose replies are made up."""

from __future__ import annotations

import html
import json
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from airflow_provider_campaigns.protocol.messages import Response
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
from airflow_provider_campaigns.transports.blocking import BlockingTransport
from airflow_provider_campaigns.transports.wire import WireRequest


def every_byte(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def every_unit(text: str) -> str:
    raw = text.encode("utf-16-be")
    return "".join(f"\\u{raw[at : at + 2].hex()}" for at in range(0, len(raw), 2))


FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent": quote,
    "percent, also slashes": lambda secret: quote(secret, safe=""),
    "form": quote_plus,
    "percent, every byte": every_byte,
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON with characters": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "JSON, every character": every_unit,
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret))[1:-1],
    "JSON as PHP has it": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "percent in JSON": lambda secret: json.dumps(quote(secret))[1:-1],
    "HTML": html.escape,
    "HTML, every character": lambda secret: "".join(f"&#{ord(character)};" for character in secret),
    "Base64": lambda secret: b64encode(secret.encode()).decode(),
    "Base64 for URLs": lambda secret: urlsafe_b64encode(secret.encode()).decode(),
    "Basic, password": lambda secret: b64encode(f":{secret}".encode()).decode(),
    "Basic, a user's": lambda secret: b64encode(f"jo@example.com:{secret}".encode()).decode(),
    "Basic, as user": lambda secret: b64encode(f"{secret}:x".encode()).decode(),
    "Basic in a URL": lambda secret: quote(b64encode(f"a:{secret}".encode()).decode(), safe=""),
    "Basic in JSON": lambda secret: b64encode(f"ab:{secret}".encode()).decode().replace("/", "\\/"),
}
# Long enough to be looked for in Base64, and in no text by chance.
SENDABLE_SECRETS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=6, max_size=40).map(
    "Zq{}".format
)
SECRETS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=6, max_size=40).map("Zq{}".format)


def leaks(text: str, secret: str) -> list[str]:
    """Return the forms in which ``text`` holds the secret."""
    return [name for name, form in FORMS.items() if form(secret) in text]


def everything_said(error: BaseException) -> str:
    """Return all that an error, and those it came from, may show."""
    chain: list[str] = []
    one: BaseException | None = error
    while one is not None:
        chain += [str(one), repr(one.args), repr(vars(one))]
        one = one.__cause__ or one.__context__
    return "".join([*chain, *traceback.format_exception(error)])


class EchoingBlocking(BlockingTransport):
    answers: Sequence[Response] = ()

    async def _exchange(self, wire: WireRequest) -> Response:
        self.answers, answer = self.answers[1:], self.answers[0]
        return answer


class EchoingAsync(AsyncTransport):
    answers: Sequence[Response] = ()

    async def _exchange(self, wire: WireRequest) -> Response:
        self.answers, answer = self.answers[1:], self.answers[0]
        return answer
