"""What every vendor's dialect starts from: how replies are judged and their errors reported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, RequestRejectedError
from airflow_provider_campaigns.protocol.dialect import Dialect, RetryPolicy, Verdict, is_json, json_object
from airflow_provider_campaigns.protocol.messages import Request, Response


@dataclass(frozen=True, kw_only=True)
class PlainDialect(Dialect):
    vendor = "plain"
    tries_again_later = frozenset({503})

    def authorize(self, request: Request, token: str) -> Request:
        return request


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, b"{}", Verdict.ANSWERED),
        (207, b"[]", Verdict.ANSWERED),
        (200, b"", Verdict.BROKEN),
        (200, b"<html>", Verdict.BROKEN),
        (200, b"42", Verdict.BROKEN),
        *[(status, b"", Verdict.BROKEN) for status in (300, 302, 303, 304, 305, 306)],
        *[(status, b"", Verdict.CALL_REFUSED) for status in (301, 307, 308)],
        (400, b"{}", Verdict.REJECTED),
        (401, b"{}", Verdict.SIGNED_OUT),
        (402, b"{}", Verdict.CALL_REFUSED),
        (403, b"{}", Verdict.CALL_REFUSED),
        (404, b"{}", Verdict.CALL_REFUSED),
        (407, b"{}", Verdict.CALL_REFUSED),
        (408, b"{}", Verdict.BROKEN),
        (409, b"{}", Verdict.REJECTED),
        (422, b"{}", Verdict.REJECTED),
        (423, b"{}", Verdict.TRY_LATER),
        (425, b"", Verdict.TRY_LATER),
        (429, b"<html>", Verdict.THROTTLED),
        (499, b"", Verdict.BROKEN),
        (500, b"{}", Verdict.BROKEN),
        (502, b"<html>", Verdict.BROKEN),
        (503, b"<html>", Verdict.TRY_LATER),
        (100, b"", Verdict.BROKEN),
        (600, b"", Verdict.BROKEN),
    ],
)
def test_a_reply_is_judged_by_its_status_and_whether_it_can_be_read(status: int, body: Any, verdict: Any) -> None:
    assert PlainDialect().verdict(Response(status, body)) is verdict


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"message": "no", "code": 7}, 7, "no"),
        ({"error": "no"}, None, "no"),
        ({"msg": "no"}, None, "no"),
        ({"message": "", "error": "no"}, None, "no"),
        ({"status": "x"}, None, "no message (15 bytes)"),
        ([1], None, "no message (3 bytes)"),
    ],
)
def test_an_errors_words_are_found(body: Any, code: Any, message: str) -> None:
    assert PlainDialect().explain(Response(400, json.dumps(body).encode())) == (code, message)


def test_an_error_carries_the_vendors_words() -> None:
    error = PlainDialect().error(RequestRejectedError, Response(400, b'{"message": "no", "code": 7}'))
    assert str(error) == "plain: request rejected (HTTP 400, code 7): no"


def test_a_redirect_says_what_to_check() -> None:
    error = PlainDialect().error(CallRefusedError, Response(308, b"<html>"))
    assert "check the connection's host (scheme, region, path prefix)" in str(error)


def test_a_dialect_has_no_tokens_unless_it_says_so() -> None:
    dialect = PlainDialect()
    assert dialect.signs_in is False
    with pytest.raises(TypeError, match="plain has no tokens"):
        next(dialect.sign_in(""))


def test_three_repeats_and_five_minutes_are_the_default() -> None:
    assert PlainDialect().policy == RetryPolicy(retry_limit=3, max_wait=300.0)


def test_json_helpers_tell_objects_from_the_rest() -> None:
    assert json_object(Response(200, b'{"a": 1}')) == {"a": 1}
    assert json_object(Response(200, b"[1]")) == {}
    assert json_object(Response(200, b"<")) == {}
    assert is_json(Response(200, b"[]"))
    assert not is_json(Response(200, b"null"))
