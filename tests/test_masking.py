"""What of a text is hidden: addresses in any form; and what is not: dates, ids, counts."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.masking import mask


@pytest.mark.parametrize(
    ("phone", "masked"),
    [
        ("+447700900123", "+44***23"),
        ("447700900123", "447***23"),
        ("07700900123", "077***23"),
        ("00447700900123", "004***23"),
        ("+44 7700 900123", "+44***23"),
        ("+44 (0) 7700 900 123", "+44***23"),
        ("+44-7700-900123", "+44***23"),
        ("+44\xa07700\xa0900123", "+44***23"),
        ("+44\u20117700\u2011900123", "+44***23"),
        ("+33\u202f6\u202f12\u202f34\u202f56\u202f78", "+33***78"),
        ("+44\u20097700\u2212900\u2014123", "+44***23"),
        ("+44\u200b77\u200b009\u200b00123", "+44***23"),
        # As Python's repr and JSON escape them.
        (r"06\xa012\xa034\xa056\xa078", "06\\***78"),
        (r"+33\u202f6\u202f12\u202f34\u202f56\u202f78", "+33***78"),
        (r"\u002b447700900123", r"\u002b447***23"),
        ("%252B447700900123", "%252B447***23"),
        ("(202) 555-0123", "(20***23"),
        ("+1 (202) 555-0123", "+1 ***23"),
        ("202.555.0123", "202***23"),
        ("202 - 555 - 0123", "202***23"),
        ("202-555-0123x12", "202***23x12"),
        ("%2B447700900123", "%2B447***23"),
        ("%2B44%207700%20900123", "%2B44%***23"),
        ("%2B44+7700+900123", "%2B44+***23"),
        ("%28202%29%20555-0123", "%28202***23"),
        ("1234567", "***67"),
        ("5550123", "***23"),
        ("1234567890123456", "123***56"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "Number {} is invalid.",
        '{{"phoneNumber": "{}"}}',
        "phone={}&name=jo",
        "tel:{}",
        "to <{}>, again",
        "'{}'",
        "lead-{}",
        "at 2024-01-31 {}",
        "first line\\n{}",
        "%3D{}%26",
    ],
)
def test_phone_numbers_are_hidden(text: str, phone: str, masked: str) -> None:
    assert mask(text.format(phone)) == text.format(masked)


def test_every_number_of_a_list_is_hidden() -> None:
    assert mask("447700900123 447700900124,447700900125;447700900126\n447700900127/447700900128") == (
        "447***23 447***24,447***25;447***26\n447***27/447***28"
    )


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "2024-01-31T10:11:12Z",
        "2024-01-31T10:11:12.123456+05:30",
        "2024-01-31 10:11",
        "sid_2021-06-21 22:28:47",
        "[2024-01-31 10:11:12,123] done",
        "10:11:12.123456",
        "20240131T101112Z",
        "Wed, 21 Oct 2015 07:28:00 GMT",
        "123e4567-e89b-12d3-a456-426614174000",
        "00000000-0000-4000-8000-000000000000",
        "c2cedb1eabb4472da3a6fe4802607410",
        "046141c8f6edde79938e69af34e560ef156l",
        "66c70e71f57bd9efe12d691d",
        "12345678901234567890",
        "a1234567",
        "0x7f0123456789",
        "id_1234567",
        "192.168.100.200",
        "http://127.0.0.1:43210/path",
        "no message (123456 bytes)",
        "HTTP 429, code 1234",
        "1 2 3",
        "3.14159",
    ],
)
def test_dates_ids_and_counts_are_left_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("jo@example.com", "j***@example.com"),
        ("Jo.Doe+news@mail.example.co.uk", "J***@mail.example.co.uk"),
        ("jo%40example.com", "j***%40example.com"),
        ("jo%2Bnews%40example.com", "j***%40example.com"),
        ("447700900123@example.com", "4***@example.com"),
        ("o'neil@example.com", "o***@example.com"),
        ("josé@example.com", "j***@example.com"),
        ('"jo doe"@example.com', '"***"@example.com'),
        (r"\"jo doe\"@example.com", r"\"***\"@example.com"),
        ("jo@[192.168.100.200]", "j***@[192.168.100.200]"),
        ("jo\uff20example.com", "j***\uff20example.com"),
        (r"jo\u0040example.com", r"j***\u0040example.com"),
        ("jo&#64;example.com", "j***&#64;example.com"),
        ("jo&#x40;example.com", "j***&#x40;example.com"),
        ("jo&commat;example.com", "j***&commat;example.com"),
        ("jo%2540example.com", "j***%2540example.com"),
    ],
)
@pytest.mark.parametrize("text", ["{}", "User {} not found", '{{"email": "{}"}}', "<{}>", "a, {}; b"])
def test_email_addresses_are_hidden(text: str, address: str, masked: str) -> None:
    assert mask(text.format(address)) == text.format(masked)


@pytest.mark.parametrize("text", ["email=jo@example.com", "?to=jo%40example.com&x=1", "https://x.org/jo@example.com"])
def test_email_addresses_in_a_url_are_hidden(text: str) -> None:
    masked = mask(text)
    assert "jo" not in masked.replace("https", "")
    assert "***" in masked


# From the vendors' pages.
@pytest.mark.parametrize(
    "message",
    [
        "phone number should be numeric and must be between 3 to 16 digits and allows prefix +",
        "SuccessFully Updated, xxx was started",
        "The priority value must be numeric and range from 0 to 99.",
        "Invalid date format. Please enter date in format yyyy-MM-dd",
        "Unauthorized -- Your API key is wrong.",
        "The authorization token was not provided.",
        "Open the link below to start the survey. Thank you for your participation! https://s2ccx.com/7gtdu4U",
        "https://app.usecollect.com/portal/uGFRDeEL3Ct2uYo2c/nw42MmBsJoccgutST",
        '"createdAt": "2022-07-04 07:20:06 UTC"',
        '"time": "2021-01-01 12:00 UTC"',
    ],
)
def test_vendors_messages_stay_readable(message: str) -> None:
    assert mask(message) == message


def test_known_values_are_hidden_whole_the_longest_first() -> None:
    assert mask("key s3cret-long, s3cret, user-7", ["s3cret", "s3cret-long", "user-7", ""]) == "key ***, ***, ***"


def test_a_lone_surrogate_can_be_logged() -> None:
    assert mask("cut \ud83d jo@example.com") == "cut ? j***@example.com"


def test_masking_twice_changes_nothing() -> None:
    once = mask('jo@example.com +447700900123 5550123 "jo doe"@example.com')
    assert mask(once) == once


@pytest.mark.parametrize("character", ["1", "a", "1 ", "a.", "%2B", "@", "+1-", '"', '"a', "\\", "&#0", "1\\xa0"])
@pytest.mark.timeout(10)
def test_a_long_text_takes_no_more_time_than_its_length(character: str) -> None:
    # A second or two if each character is looked at a few times, minutes if each is looked at with each other.
    text = character * (200_000 // len(character))

    assert mask(text)
