"""What the errors say, and that they say it without addresses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    CampaignFailedError,
    DeliveryError,
    InputError,
    InvalidContactError,
    LedgerError,
    OutcomeUnknownError,
    RequestRejectedError,
    TooManyRejectedError,
    VendorError,
    VendorUnavailableError,
)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (VendorError, "error"),
        (CallRefusedError, "call refused"),
        (RequestRejectedError, "request rejected"),
        (VendorUnavailableError, "unavailable"),
        (OutcomeUnknownError, "outcome unknown"),
        (CampaignFailedError, "campaign failed"),
    ],
)
def test_a_vendor_error_says_who_what_and_why(kind: Any, words: Any) -> None:
    error = kind("acme", "Number +447700900123 of jo@example.com is blocked", status=400, code="BAD_NUMBER")

    assert str(error) == (f"acme: {words} (HTTP 400, code BAD_NUMBER): Number +44***23 of j***@example.com is blocked")
    assert (error.vendor, error.status, error.code) == ("acme", 400, "BAD_NUMBER")
    assert error.message == "Number +44***23 of j***@example.com is blocked"
    assert isinstance(error, CampaignError)


@pytest.mark.parametrize(
    ("details", "shown"),
    [
        ({}, ""),
        ({"status": 502}, " (HTTP 502)"),
        ({"code": 0}, " (code 0)"),
        ({"code": "jo@example.com"}, " (code j***@example.com)"),
    ],
)
def test_a_vendor_error_shows_the_details_it_has(details: Any, shown: Any) -> None:
    assert str(VendorError("acme", "no", **details)) == f"acme: error{shown}: no"


def test_an_input_error_says_what_was_expected_and_got() -> None:
    error = InvalidContactError("phone", "an E.164 number", "07700 900123")

    assert str(error) == "phone: expected an E.164 number, got 077***23"
    assert (error.field, error.expected) == ("phone", "an E.164 number")
    assert isinstance(error, InputError)
    assert isinstance(error, ValueError)


def test_an_input_error_does_not_repeat_a_long_value() -> None:
    error = InvalidContactError("Name", "a name as text", f"jo@example.com {'x' * 1_000_000}")

    assert str(error).startswith("Name: expected a name as text, got j***@example.com xxx")
    assert len(str(error)) < 600


@pytest.mark.parametrize("kind", [TooManyRejectedError, LedgerError])
def test_a_delivery_error_may_be_final(kind: Any) -> None:
    assert not kind("too many").final
    assert kind("too many", final=True).final
    assert str(kind("too many", final=True)) == "too many"
    assert issubclass(kind, DeliveryError)
