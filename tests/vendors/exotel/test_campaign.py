"""What an Exotel campaign may be created from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign, read_number

PHONE = "+447700900123"
URL = "http://my.exotel.com/example1/exoml/start_voice/4"
INDIA = timezone(timedelta(hours=5, minutes=30))


def campaign(**fields: Any) -> CreateCampaign:
    return CreateCampaign(**{"name": "Spring", "caller_id": "03349360005", "url": URL, "numbers": [PHONE], **fields})


def test_the_least() -> None:
    assert campaign().body() == {
        "from": [PHONE],
        "caller_id": "03349360005",
        "url": URL,
        "name": "Spring",
        "call_duplicate_numbers": False,
    }


def test_everything_in_the_pages_order() -> None:
    body = campaign(
        call_duplicate_numbers=True,
        call_retries={
            "number_of_retries": 1,
            "interval_mins": 1,
            "mechanism": "Exponential",
            "on_status": ["failed", "busy", "no-answer"],
        },
        send_at=datetime(2026, 6, 21, 22, 29, 47, 999, tzinfo=INDIA),
        end_at="2026-07-21T22:29:47+05:30",
        status_callback="https://example.com/a",
        call_status_callback="https://example.com/b",
        call_schedule_callback="http://example.com/c",
        throttle=30,
        custom_field={"name": "time"},
        overrides={"type": "trans"},
    ).body()
    assert list(body.items()) == [
        ("from", [PHONE]),
        ("caller_id", "03349360005"),
        ("url", URL),
        ("name", "Spring"),
        ("call_duplicate_numbers", True),
        (
            "retries",
            {
                "number_of_retries": 1,
                "interval_mins": 1,
                "mechanism": "Exponential",
                "on_status": ["failed", "busy", "no-answer"],
            },
        ),
        ("schedule", {"send_at": "2026-06-21T22:29:47+05:30", "end_at": "2026-07-21T22:29:47+05:30"}),
        ("status_callback", "https://example.com/a"),
        ("call_status_callback", "https://example.com/b"),
        ("call_schedule_callback", "http://example.com/c"),
        ("mode", "custom"),
        ("throttle", 30),
        ("custom_field", '{"name": "time"}'),
        ("type", "trans"),
    ]


def test_lists_and_a_text() -> None:
    body = campaign(url=None, numbers=(), lists=["l1", "l2"], read_via_text="Hello @@Name").body()
    assert body["lists"] == ["l1", "l2"]
    assert (body["flow_type"], body["read_via_text"]) == ("greeting", "Hello @@Name")
    assert not {"from", "url"} & set(body)


def test_overrides_win() -> None:
    assert (
        campaign(overrides={"name": "Other", "flow_type": "ivr"}).body().items()
        >= {
            "name": "Other",
            "flow_type": "ivr",
        }.items()
    )


def test_a_custom_field_that_is_text_stays_as_it_is() -> None:
    assert campaign(custom_field="a=b").body()["custom_field"] == "a=b"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"name": "abc"}),
        ("caller_id", {"caller_id": ""}),
        ("numbers, lists", {"numbers": []}),
        ("numbers, lists", {"lists": ["l1"]}),
        ("numbers", {"numbers": PHONE}),
        ("numbers", {"numbers": [PHONE] * 5001}),
        ("lists", {"numbers": [], "lists": "l1"}),
        ("lists", {"numbers": [], "lists": ["l"] * 6}),
        ("url, read_via_text", {"url": None}),
        ("url, read_via_text", {"read_via_text": "Hello"}),
        ("url", {"url": "my.exotel.com/example1"}),
        ("status_callback", {"status_callback": "example.com"}),
        ("call_status_callback", {"call_status_callback": "example.com"}),
        ("call_schedule_callback", {"call_schedule_callback": "ftp://example.com"}),
        ("number_of_retries", {"call_retries": {"number_of_retries": 4, "interval_mins": 1}}),
        ("number_of_retries", {"call_retries": {"interval_mins": 1}}),
        ("interval_mins", {"call_retries": {"number_of_retries": 1, "interval_mins": 0}}),
        ("call_retries", {"call_retries": {"number_of_retries": 1}}),
        ("call_retries", {"call_retries": "{'number_of_retries': 1}"}),
        ("overrides", {"overrides": "{}"}),
        ("overrides", {"overrides": ["a"]}),
        ("name", {"name": None}),
        ("region", {"region": 5}),
        ("status_callback", {"status_callback": 5}),
        ("custom_field", {"custom_field": {"a": object()}}),
        ("mechanism", {"call_retries": {"number_of_retries": 0, "mechanism": "linear"}}),
        ("on_status.0", {"call_retries": {"number_of_retries": 0, "on_status": ["failure"]}}),
        ("intervall", {"call_retries": {"number_of_retries": 0, "intervall": 1}}),
        ("send_at", {"send_at": datetime(2026, 1, 1)}),  # noqa: DTZ001 - that is what is refused
        ("end_at", {"end_at": "2026-01-01T10:00:00"}),
        ("send_at", {"send_at": "tomorrow"}),
        ("end_at", {"send_at": datetime(2026, 1, 2, tzinfo=UTC), "end_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("throttle", {"throttle": 0}),
        ("throttle", {"throttle": True}),
        ("throttle", {"throttle": "many"}),
        ("region", {"region": "India"}),
    ],
)
def test_what_cannot_be_sent_is_named(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        campaign(**fields).body()
    assert caught.value.field == field


def test_a_wrong_number_fails_before_anything_is_sent_and_is_not_shown() -> None:
    with pytest.raises(InvalidContactError) as caught:
        campaign(numbers=[PHONE, "+4477009001234567"]).body()
    assert "4477009001234567" not in str(caught.value)
    assert PHONE not in repr(campaign())


@pytest.mark.parametrize(
    ("number", "region"),
    [
        (PHONE, None),
        (PHONE, "IN"),
        ("07700900123", "GB"),
        ("7700900123", None),
        (447700900123, None),
        ("00447700900123", None),
        (f" {PHONE} ", None),
    ],
)
def test_numbers_are_sent_as_given(number: Any, region: str | None) -> None:
    assert read_number(number, region).text == str(number).strip()
    assert campaign(numbers=[number], region=region and region.lower()).body()["from"] == [str(number).strip()]


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("", None),
        (None, None),
        (True, None),
        (4.5, None),
        ("12345", None),
        ("1" * 16, None),
        ("+44", None),
        ("+999123456789", None),
        ("123", "GB"),
        ("0", "GB"),
        ("+44 7700 900123, +44 7700 900124", None),
        ("7700900123 ext 5", "GB"),
        ("CALLME", "GB"),
    ],
)
def test_other_numbers_are_invalid(number: Any, region: str | None) -> None:
    with pytest.raises(InvalidContactError, match="number: expected a phone number"):
        read_number(number, region)
