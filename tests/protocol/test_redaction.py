"""No conversation returns a credential: in whatever form, and in whatever text, a vendor repeats it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.exceptions import VendorError, VendorUnavailableError
from airflow_provider_campaigns.masking import Redactor, one_line
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy, VendorMessage
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Page, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.redaction import redacted
from airflow_provider_campaigns.protocol.retry import call, exchange
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.transports.settings import TransportSettings
from tests.echoing import FORMS, SECRETS, EchoingAsync, EchoingBlocking, every_byte, everything_said, leaks

WIRE = TransportSettings("http://vendor.example.com", proxy="http://me:proxy-password@127.0.0.1:1")


@given(secret=SECRETS, before=st.text(max_size=8), after=st.text(max_size=8))
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_a_secret_is_left_in_a_text(form: str, secret: str, before: str, after: str) -> None:
    hidden = Redactor([secret, ""])(f"{before} {FORMS[form](secret)} {after}")

    assert not leaks(hidden, secret)
    assert "***" in hidden


@given(text=st.text(max_size=300))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert Redactor(["top-secret-key"])(text) == text
    assert Redactor([])(text) == text
    assert Redactor([""])(text) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key top-secret-key.", "key ***."),
        ("top-secret-keytop-secret-key", "******"),
        ("Authorization: Basic dXNlcjp0b3Atc2VjcmV0LWtleQ==, no", "Authorization: Basic ***, no"),
        ("?key=top%2dsecret%2Dkey&x=1", "?key=***&x=1"),
        (r"{\"key\": \"top\u002dsecret-key\"}", r"{\"key\": \"***\"}"),
        ("50% of\\n& more &amp; \\u12", "50% of\\n& more &amp; \\u12"),
    ],
)
def test_what_stands_around_a_secret_is_kept(text: str, hidden: str) -> None:
    assert Redactor(["top-secret-key"])(text) == hidden


@pytest.mark.parametrize("longest", [0, 3, 10, 17, 18, 19, 100])
def test_a_secret_is_not_cut_in_two(longest: int) -> None:
    hidden = Redactor(["top-secret-key"])(f"key {every_byte('top-secret-key')} {'x' * 100}", longest=longest)
    assert hidden == ("key *** " + "x" * 100)[: len(hidden)]
    assert "%" not in hidden


def test_a_secret_in_a_long_text_is_found_wherever_it_is() -> None:
    for position in (0, 99_990, 99_999, 100_000, 100_001, 250_000):
        hidden = Redactor(["top-secret-key"])("x" * position + " top%2Dsecret-key " + "y" * 300_000)
        assert hidden == "x" * position + " *** " + "y" * 300_000


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["%2D", "\\u002d", "&#45;", "dG9wLXNlY3JldC1rZXk", "top-secret-ke", "\\\\", "%25"])
def test_a_long_text_takes_no_more_time_than_its_length(text: str) -> None:
    assert Redactor(["top-secret-key"])(text * (300_000 // len(text)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("no\n[2026-01-01] ERROR forged", r"no\n[2026-01-01] ERROR forged"),
        ("a\r\tb\x00\x7f\x9b", r"a\r\tb\x00\x7f\x9b"),
        ("\u202egnorw\u2028new line", r"\u202egnorw\u2028new line"),
        ("Zoë 日本 😀 \\n", "Zoë 日本 😀 \\n"),
    ],
)
def test_a_strangers_text_stays_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert one_line(shown) == shown
    assert VendorUnavailableError("acme", text, code=text).message == shown
    assert VendorUnavailableError("acme", text, code=text).code == shown


def test_a_code_that_repeats_the_request_is_cut() -> None:
    error = VendorUnavailableError("acme", "no", code="x" * 10_000)
    assert isinstance(error.code, str)
    assert len(str(error)) < 200
    assert len(error.code) < 200


# What a conversation returns.


@dataclass(frozen=True, kw_only=True)
class Echo(Dialect):
    """A vendor that repeats what it is sent, with tokens."""

    vendor = "echo"
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(retry_limit=1, max_wait=4))

    key: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def signs_in(self) -> bool:
        return True

    def sign_in(self, stale: str) -> Conversation[str]:
        yield Keep(self.token, 2e9)
        return self.token

    def authorize(self, request: Request, token: str) -> Request:
        return replace(request, headers={"X-Key": "k"})

    def explain(self, response: Response) -> VendorMessage:
        body = response.json()
        return VendorMessage(body["code"], body["message"])


def replies(dialect: Echo, request: Request) -> Conversation[list[ContactReply]]:
    body = (yield from exchange(dialect, request)).json()
    said = body["message"]
    return [
        ContactReply("accepted", vendor_id=body["code"], url=said, message=said),
        ContactReply("rejected", reason=said, message=said),
    ]


def poll(dialect: Echo, request: Request) -> Conversation[PollResult]:
    said = (yield from exchange(dialect, request)).json()["message"]
    return PollResult("running", said, {said: [said, {"a": said}]}, unknown={said})


def final(dialect: Echo, request: Request) -> Conversation[PollResult]:
    said = (yield from exchange(dialect, request)).json()["message"]
    return PollResult("done", said, {"stats": {"created": said}, "few": [said[:9]]}, unknown={said})


def listing(dialect: Echo, request: Request) -> Conversation[int]:
    yield Page([(yield from exchange(dialect, request)).json()])
    return 1


def chained(dialect: Echo, request: Request) -> Conversation[None]:
    try:
        yield from exchange(dialect, request)
    except VendorError as error:
        raise VendorUnavailableError("echo", "could not") from error


def direct(dialect: Echo, request: Request) -> Conversation[None]:
    body = (yield from exchange(dialect, request)).json()
    raise VendorUnavailableError("echo", body["message"], code=body["code"])


def run(kind: str, dialect: Echo, answers: Sequence[Response], conversation: Conversation[Any]) -> Any:
    if kind == "async":

        async def main() -> Any:
            async with EchoingAsync(dialect, WIRE, sleep=lambda _: asyncio.sleep(0)) as transport:
                transport.answers = answers
                return await transport.run(conversation)

        return asyncio.run(main())
    with EchoingBlocking(dialect, WIRE, sleep=lambda _: None) as transport:
        transport.answers = answers
        if kind == "stream":
            return list(transport.stream(conversation))
        return transport.run(conversation)


CONVERSATIONS: list[tuple[str, Callable[[Echo, Request], Conversation[Any]]]] = [
    *[(kind, made) for kind in ("blocking", "async") for made in (replies, poll, chained, direct)],
    ("blocking", lambda dialect, request: call(dialect, request.method, request.path)),
    ("stream", listing),
]


@pytest.mark.slow
@given(
    secrets=st.lists(SECRETS, min_size=4, max_size=4, unique=True),
    form=st.sampled_from(sorted(FORMS)),
    status=st.sampled_from([200, 400, 403, 404, 409, 429, 500, 503]),
    which=st.sampled_from(range(4)),
    effect=st.sampled_from(["read", "write"]),
    ascii_only=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize(("kind", "made"), CONVERSATIONS)
def test_no_credential_leaves_a_conversation(  # noqa: PLR0917
    kind: str,
    made: Callable[[Echo, Request], Conversation[Any]],
    caplog: pytest.LogCaptureFixture,
    secrets: list[str],
    form: str,
    status: int,
    which: int,
    effect: Any,
    ascii_only: bool,
    encoding: str,
) -> None:
    key, token, own, _ = secrets
    secret = [key, token, own, "proxy-password"][which]
    if made not in (replies, poll, chained, direct, listing) and secret == own:
        return  # call() has none of its own
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    said = f"no: {FORMS[form](secret)}\n\x1b[31mforged"
    body = json.dumps({"message": said, "code": said, "error_data": {said: [said]}}, ensure_ascii=ascii_only)
    answers = [Response(status, body.encode(encoding))] * 9
    request = Request("POST", "/things", effect, json={"own": own}, secrets=(own,))

    try:
        result = run(kind, Echo(key=key, token=token), answers, made(Echo(key=key, token=token), request))
        shown = repr([asdict(one) if isinstance(one, ContactReply) else one for one in result])
    except VendorError as error:
        shown = everything_said(error)
    except TypeError:
        shown = ""

    assert not leaks(shown + caplog.text, secret)
    assert "\x1b" not in shown + caplog.text


def test_a_vendors_data_keeps_its_lines_and_its_types() -> None:
    data = {"text": "a\nb", "n": 1, "none": None, "list": [True, 1.5], "key": "top-secret-key"}
    assert redacted(data, Redactor(["top-secret-key"])) == {**data, "key": "***"}


def test_the_text_to_deliver_keeps_its_lines() -> None:
    long = "Hello,\nfollow https://example.com/x\x1b" + "x" * 1000
    reply = redacted([ContactReply("accepted", message=long), ContactReply("rejected", message=long)], Redactor([]))
    assert reply[0].message == long.replace("\x1b", r"\x1b")
    assert reply[1].message is not None
    assert reply[1].message.startswith(r"Hello,\nfollow ")
    assert len(reply[1].message) < 600


# The first needs nothing hidden; in the second there may be.
@pytest.mark.parametrize("said", ["x" * 100_000, "\n\u00e9" * 50_000])
@pytest.mark.parametrize("kind", ["blocking", "async"])
def test_no_text_fills_outcomes_and_xcoms(kind: str, said: str) -> None:
    echo = Echo(key="a-key", token="a-token")
    answers = [Response(200, json.dumps({"message": said, "code": said}).encode())] * 9

    def ask(made: Callable[[Echo, Request], Conversation[Any]]) -> Any:
        return run(kind, echo, answers, made(echo, Request("POST", "/things", "read")))

    accepted, rejected = ask(replies)
    assert 1_000 < len(accepted.message) < 50_000
    assert max(len(accepted.vendor_id), len(rejected.reason), len(rejected.message)) < 2_000
    assert len(accepted.url) < 50_000
    poll = ask(final)
    assert len(poll.status) < 2_000
    assert poll.details["stats"].startswith("left out: ")
    assert poll.details["few"] == [said[:9]]
    assert all(len(word) < 1_000 for word in poll.unknown)
