"""What travels between a conversation and its transport, and that none of it shows secrets when printed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.protocol import messages
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Keep,
    NoReplyError,
    NotSentError,
    Page,
    Request,
    Response,
    SignIn,
)
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.send import Contact


@pytest.mark.parametrize(
    "value",
    [
        Request(
            "POST",
            "/things?key=s3cret",
            "write",
            json={"key": "s3cret"},
            params={"key": "s3cret"},
            headers={"Authorization": "s3cret"},
        ),
        Response(200, b"s3cret", {"set-cookie": "s3cret"}),
        SignIn("s3cret"),
        Claim("s3cret", 10),
        Keep("s3cret", 0),
        Page(["s3cret"]),
        Contact("key", {"name": "s3cret"}, addresses=("s3cret",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_step_does_not_print_what_is_secret(value: Any) -> None:
    assert "s3cret" not in repr(value)
    assert repr(value).startswith(type(value).__name__ + "(")


def test_a_request_prints_where_it_goes_without_addresses() -> None:
    assert repr(Request("GET", "/people/jo@example.com/x?a=1", "read")) == "Request(GET /***@example.com/x)"


@pytest.mark.parametrize(("status", "ok"), [(199, False), (200, True), (299, True), (300, False), (404, False)])
def test_two_hundreds_are_ok(status: int, ok: Any) -> None:
    assert Response(status).ok is ok


def test_a_reply_is_read_as_json_in_any_unicode_encoding() -> None:
    assert Response(200, '{"a": "é"}'.encode()).json() == {"a": "é"}
    assert Response(200, '{"a": "é"}'.encode("utf-16")).json() == {"a": "é"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(rb'{"a": "cut \ud83d"}', "cut ?", id="escaped"),
        pytest.param(b'{"a": "cut \xed\xa0\xbd"}', "cut ?", id="raw"),
        pytest.param(rb'{"a": "\uD83D\uDE00 \u00e9"}', "\N{GRINNING FACE} é", id="whole"),
    ],
)
def test_a_lone_surrogate_in_a_reply_can_be_written_down(body: Any, text: str) -> None:
    assert Response(200, body).json() == {"a": text}
    assert Response(200, body).json()["a"].encode()


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("NaN", None),
        ("Infinity", None),
        ("-Infinity", None),
        ("1e999", None),
        ("-1.5E+0999", None),
        (f"{'9' * 400}.5", None),
        ("1e300", 1e300),
        ("2e-999", 0.0),
        ('"NaN"', "NaN"),
        (f'"{"9" * 400}"', "9" * 400),
        (r'"a\u0000b"', "a?b"),
        (r'{"\u0000": 1}', {"?": 1}),
        (r'"\\u0000"', r"\u0000"),
    ],
)
# Parsed by pydantic, and, for a lone surrogate or an encoding, by json.
@pytest.mark.parametrize("more", ["", r', "text": "\ud83d"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_what_a_reply_holds_can_be_stored(number: str, value: Any, more: str, encoding: str) -> None:
    body = f'{{"stats": [{{"calls": {number}}}]{more}}}'.encode(encoding)

    assert Response(200, body).json()["stats"] == [{"calls": value}]


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff\xfe\xff", b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own and our own
        Response(200, body).json()


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("damage", [b"1", rb'"\ud800"', b'"\xed\xa0\xbd"', b"NaN"])
@pytest.mark.parametrize("depth", [150, 199, 230, 900, 3000, 100_000])
def test_a_reply_is_nested_so_deep_and_no_deeper(opening: bytes, damage: bytes, depth: int) -> None:
    closing = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[opening]
    times = depth // len(closing)
    response = Response(200, opening * times + damage + closing * times)

    try:
        parsed = response.json()
    except ValueError:
        levels = None
    else:
        levels = 0
        while isinstance(parsed, (dict, list)):
            parsed = parsed["a"] if isinstance(parsed, dict) else parsed[0]
            levels += 1
    assert (levels == depth // len(closing) * len(closing)) if depth < 200 else levels is None


def test_a_reply_holds_so_many_values_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_VALUES", 10)
    assert Response(200, b"[1,2,3,4,5,6,7,8,9,10]").json() == [*range(1, 11)]
    for body in (b"[1,2,3,4,5,6,7,8,9,10,11]", b"[" + b"[]," * 9 + b"[]]", b'[{},{},{},{},{},{"a":1}]'):
        with pytest.raises(ValueError, match="more than 10 values"):
            Response(200, body).json()


@pytest.mark.parametrize("body", [b"9" * 5000, b"-" + b"9" * 100_000, b"1e" + b"9" * 5000])
def test_a_number_without_end_is_a_value_or_no_json(body: bytes) -> None:
    try:
        number = Response(200, body).json()
    except ValueError:
        number = 0
    assert number is None or isinstance(number, (int, float))


@pytest.mark.parametrize("kind", [NotSentError, NoReplyError])
def test_a_failure_on_the_wire_hides_addresses(kind: Any) -> None:
    assert str(kind("GET ?to=jo@example.com failed")) == "GET ?***@example.com failed"


def test_progress_has_no_details_unless_given() -> None:
    assert PollResult("done", "COMPLETED") == PollResult("done", "COMPLETED", {})


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NotSentError("connection refused"), "no connection: connection refused"),
        (NotSentError("the delivery was stopped", stopped=True), "the delivery was stopped"),
    ],
)
def test_a_request_that_did_not_leave_because_the_delivery_was_stopped_says_so(error: NotSentError, text: str) -> None:
    assert error.what_happened == text
