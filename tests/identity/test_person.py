"""Who is the same person: every spelling of one has one identity, and is sent in the form that the source chose."""

from __future__ import annotations

from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import (
    LOST_DIGITS,
    AllowList,
    Kind,
    Person,
    UnreadableError,
    contact_keys,
    known_region,
    opt_out_keys,
    read_person,
    spellings,
)
from tests.spellings import SPELLINGS

US, IN, GB, DE = "US", "IN", "GB", "DE"


@pytest.mark.parametrize(
    ("region", "value", "identity", "sent"),
    [
        # One person in India.
        (IN, "+919000000001", "+919000000001", "+919000000001"),
        (IN, "919000000001", "+919000000001", "919000000001"),
        (IN, "00919000000001", "+919000000001", "00919000000001"),
        (IN, "09000000001", "+919000000001", "09000000001"),
        (IN, "9000000001", "+919000000001", "9000000001"),
        (IN, 9000000001, "+919000000001", "9000000001"),
        (IN, "+91 (0)90000 00001", "+919000000001", "+919000000001"),
        (IN, "0 90000-00001", "+919000000001", "09000000001"),
        # Numbers of other countries stay what they are.
        (IN, "+447700900211", "+447700900211", "+447700900211"),
        (IN, "00447700900211", "+447700900211", "00447700900211"),
        (US, "00447700900211", "+447700900211", "00447700900211"),
        (US, "011447700900211", "+447700900211", "011447700900211"),
        ("AU", "0011447700900211", "+447700900211", "0011447700900211"),
        ("SG", "00447700900211", "+447700900211", "00447700900211"),
        ("IT", "0612345678", "+390612345678", "0612345678"),
        (US, "5550100001", "+15550100001", "5550100001"),
        (US, "15550100001", "+15550100001", "15550100001"),
        (GB, "07700 900211", "+447700900211", "07700900211"),
        # Those that have lost their "+", and are no numbers of the region.
        (IN, "447700900211", "+447700900211", "447700900211"),
        (IN, "447700900211.0", "+447700900211", "447700900211"),
        (IN, "4915112345678", "+4915112345678", "4915112345678"),
        (US, "919000000001", "+919000000001", "919000000001"),
        (US, "44 7700 900211", "+447700900211", "447700900211"),
        (GB, "15550100001", "+15550100001", "15550100001"),
        (GB, "919000000001", "+919000000001", "919000000001"),
        # Those that the region has, too, are the region's.
        (DE, "4915112345678", "+494915112345678", "4915112345678"),
        (IN, "18002000001", "+9118002000001", "18002000001"),
        # Without a region.
        (None, "+447700900211", "+447700900211", "+447700900211"),
        (None, "00447700900211", "+447700900211", "00447700900211"),
        (None, "447700900211", "+447700900211", "447700900211"),
        (None, "+44 (0)7700 900211", "+447700900211", "+447700900211"),
        (None, "+4407700900211", "+447700900211", "+4407700900211"),
        (None, "09000000001", "09000000001", "09000000001"),
        (None, "9000000001", "9000000001", "9000000001"),
        # As people, spreadsheets and programs write them.
        (US, " +1 555-010-0001 ", "+15550100001", "+15550100001"),
        (US, "+1 (555) 010 0002", "+15550100002", "+15550100002"),
        (US, "'+15550100003", "+15550100003", "+15550100003"),
        (US, "\u2019+15550100003", "+15550100003", "+15550100003"),
        (US, "+1\u00a05550100004", "+15550100004", "+15550100004"),
        (US, "+1\u202f555\u2011010\u20130005", "+15550100005", "+15550100005"),
        (US, "\u202a+15550100006\u202c", "+15550100006", "+15550100006"),
        (US, "+1555\u200b0100007\ufeff", "+15550100007", "+15550100007"),
        (US, "\u200e\u00ad+15550100008", "+15550100008", "+15550100008"),
        (
            US,
            "\uff0b\uff11\uff15\uff15\uff15\uff10\uff11\uff10\uff10\uff10\uff10\uff19",
            "+15550100009",
            "+15550100009",
        ),
        (US, "+\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660\u0660\u0661\u0660", "+15550100010", "+15550100010"),
        (IN, "\u096f\u0966\u0966\u0966\u0966\u0966\u0966\u0966\u0966\u0967", "+919000000001", "9000000001"),
        (US, "15550100001.0", "+15550100001", "15550100001"),
        (US, "15550100001.00", "+15550100001", "15550100001"),
        (US, 15550100001.0, "+15550100001", "15550100001"),
        (US, '="5550100001"', "+15550100001", "5550100001"),
        (US, '"+15550100001"', "+15550100001", "+15550100001"),
        (US, "tel:+1-555-010-0001", "+15550100001", "+15550100001"),
        (US, "+15550100001;", "+15550100001", "+15550100001"),
        (US, "(+1) 555.010.0001", "+15550100001", "+15550100001"),
    ],
)
def test_spellings_of_a_phone_number(region: str | None, value: Any, identity: str, sent: str) -> None:
    person = read_person("phone", value, region)

    assert (person.identity, person.text) == (identity, sent)


@pytest.mark.parametrize(
    ("value", "identity", "sent"),
    [
        ("a@example.com", "a@example.com", "a@example.com"),
        ("A@Example.COM", "a@example.com", "A@Example.COM"),
        (" a@example.com\t", "a@example.com", "a@example.com"),
        ("\u00a0a@example.com", "a@example.com", "a@example.com"),
        ("a@exam\u200bple.com", "a@example.com", "a@example.com"),
        ("\ufeffa@example.com\u200e", "a@example.com", "a@example.com"),
        ("mailto:a@example.com", "a@example.com", "a@example.com"),
        ("MAILTO:a@example.com?subject=hi", "a@example.com", "a@example.com"),
        ("<a@example.com>", "a@example.com", "a@example.com"),
        ("<mailto:a@example.com>", "a@example.com", "a@example.com"),
        ("Jo Doe <a@example.com>", "a@example.com", "a@example.com"),
        ('"Doe, Jo" <a@example.com>;', "a@example.com", "a@example.com"),
        ("a@example.com;", "a@example.com", "a@example.com"),
        ("a@example.com ,", "a@example.com", "a@example.com"),
        ("'a@example.com", "a@example.com", "a@example.com"),
        ("'a@example.com'", "a@example.com", "a@example.com"),
        ('"a@example.com"', "a@example.com", "a@example.com"),
        ("\u201ca@example.com\u201d", "a@example.com", "a@example.com"),
        ('="a@example.com"', "a@example.com", "a@example.com"),
        ("a\uff20example.com", "a@example.com", "a@example.com"),
        ("o'neil@example.com", "o'neil@example.com", "o'neil@example.com"),
        ("jose\u0301@example.com", "jos\u00e9@example.com", "jose\u0301@example.com"),
        ("stra\u00dfe@example.com", "stra\u00dfe@example.com", "stra\u00dfe@example.com"),
        ("a@B\u00fccher.example", "a@b\u00fccher.example", "a@B\u00fccher.example"),
        ("a@xn--bcher-kva.example", "a@b\u00fccher.example", "a@xn--bcher-kva.example"),
        ("a@xn--\u00fc.example", "a@xn--\u00fc.example", "a@xn--\u00fc.example"),
        ("jo+news@example.com", "jo+news@example.com", "jo+news@example.com"),
    ],
)
def test_spellings_of_an_email_address(value: Any, identity: str, sent: str) -> None:
    person = read_person("email", value)

    assert (person.identity, person.text, person.form) == (identity, sent, "known")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", f"a@xn--{'a' * 2_000_000}.com"),
        ("email", f"{'a@' * 1_000_000}"),
        ("email", f"a@{'a' * 2_000_000}"),
        ("email", f"{'<' * 2_000_000}"),
        ("phone", f"+1{' ' * 2_000_000}5"),
        ("phone", "1(" * 1_000_000),
        ("phone", "1 " * 1_000_000),
        ("id", f"{' ' * 2_000_000}x"),
    ],
)
def test_a_long_value_takes_no_more_time_than_its_length(kind: Kind, value: str) -> None:
    try:
        person = read_person(kind, value)
    except UnreadableError:
        return
    assert person.kind == kind


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("user-1", "user-1"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        (1000, "1000"),
        (1000.0, "1000"),
        ("1000.0", "1000.0"),
        (" \u200buser 1\u00a0", "user 1"),
        ("'0042", "0042"),
        ("'quoted", "'quoted"),
        ("+1 555", "+1 555"),
    ],
)
def test_an_id_is_taken_as_it_stands(value: Any, sent: str) -> None:
    assert read_person("id", value)[1:3] == (sent, sent)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "+447700900001", "+17700900001"),
        ("phone", "09000000001", "9000000001"),
        ("email", "straße@example.com", "strasse@example.com"),
        ("email", "jo@example.com", "j.o@example.com"),
        ("email", "jo+a@example.com", "jo@example.com"),
        ("id", "user-1", "User-1"),
        ("id", "1000", "01000"),
    ],
)
def test_other_people(kind: Kind, one: str, other: str) -> None:
    assert read_person(kind, one).key != read_person(kind, other).key


def test_kinds_are_different_people() -> None:
    assert len({read_person(kind, "447700900000").key for kind in ("phone", "id")}) == 2


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("phone", "1.55501E+10", LOST_DIGITS),
        ("phone", "1,55501e10", LOST_DIGITS),
        ("phone", 1.5, ""),
        ("phone", float("nan"), ""),
        ("phone", 1e20, LOST_DIGITS),
        ("phone", "", ""),
        ("phone", None, ""),
        ("phone", True, ""),
        ("phone", ["+15550100001"], ""),
        ("phone", "+15550100001 +15550100002", ""),
        ("phone", "+15550100001, +15550100002", ""),
        ("phone", "15550100001/15550100002", ""),
        ("phone", "5550101 5550102", ""),
        ("phone", "5550101\n5550102", ""),
        ("phone", "+1 555 010 0001 ext. 2", ""),
        ("phone", "ring after 5", ""),
        ("phone", "+1555\x000100001", ""),
        ("phone", "12345678901234567890", ""),
        ("phone", "+", ""),
        ("email", "a@example.com;b@example.com", ""),
        ("email", "a@example.com, b@example.com", ""),
        ("email", "a@example.com;asked", ""),
        ("email", "Jo|a@example.com", ""),
        ("email", "a@example.com|asked", ""),
        ("email", "a@example", ""),
        ("email", "a@example.com.", ""),
        ("email", "<a@example.com", ""),
        ("email", "Jo a@example.com", ""),
        ("email", "a@exa\0mple.com", ""),
        ("email", "+15550100001", ""),
        ("email", None, ""),
        ("id", "", ""),
        ("id", " \u200b", ""),
        ("id", None, ""),
        ("id", True, ""),
        ("id", 1.5, ""),
    ],
)
def test_a_value_that_names_no_one_person(kind: Kind, value: Any, expected: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_person(kind, value)

    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("region", "value", "form"),
    [
        (None, "+447700900211", "known"),
        (None, "00447700900211", "known"),
        (None, "447700900211", "assumed"),
        (None, "15550100001", "assumed"),
        (None, "2025550100", "national"),  # also a number in Egypt
        (None, "09000000001", "national"),
        (None, "9000000001", "national"),
        (None, "89000000001", "national"),
        (None, "123", "national"),
        (None, "+09000000001", "national"),
        (None, "+999123456789", "national"),
        (IN, "9000000001", "known"),
        (IN, "447700900211", "assumed"),
        (US, "919000000001", "assumed"),
        (DE, "4915112345678", "known"),
        (US, "9190000000", "known"),
        (US, "999123456789", "national"),
        (IN, "123", "national"),
        (IN, "0", "national"),
    ],
)
def test_how_certain_a_number_is(region: str | None, value: str, form: str) -> None:
    assert read_person("phone", value, region).form == form


@pytest.mark.parametrize(
    ("region", "value", "identity", "form"),
    [
        ("US", "447700900211", "+447700900211", "assumed"),
        ("GB", "919000000001", "+919000000001", "assumed"),
        ("GB", "15550100001", "+15550100001", "assumed"),
        (IN, "447700900211", "+447700900211", "assumed"),  # as long as some numbers in India
        (IN, "919000000001", "+919000000001", "known"),
        (IN, "09000000001", "+919000000001", "known"),
        ("GB", "07700900211", "+447700900211", "known"),
        ("US", "123456789012345", "123456789012345", "national"),
    ],
)
def test_a_number_of_another_country_than_the_region(region: str, value: str, identity: str, form: str) -> None:
    person = read_person("phone", value, region)

    assert (person.identity, person.form, person.text) == (identity, form, value)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.sampled_from(["IN", "US", "GB", "IT", "DE", "RU", "AR", "BR", "SG", "CN"]),
    st.from_regex(r"[0-9]{4,13}", fullmatch=True),
)
def test_the_short_ways_find_what_phonenumbers_finds(region: str, digits: str) -> None:
    for text, country in ((f"+{digits}", None), (digits, region)):
        person = read_person("phone", text, country)
        if person.form != "known" or text.startswith("00"):
            continue
        number = phonenumbers.parse(text, country)
        assert person.identity == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@pytest.mark.parametrize(("region", "known"), [(None, None), ("", None), (" in ", "IN"), ("GB", "GB")])
def test_a_region_is_a_country(region: Any, known: str | None) -> None:
    assert known_region(region) == known


@pytest.mark.parametrize("region", ["XX", "India", 91])
def test_no_country(region: Any) -> None:
    with pytest.raises(InputError, match=r"region of connection 'a': expected a country of two letters, e.g. IN"):
        known_region(region, "region of connection 'a'")


@pytest.mark.parametrize(
    ("kind", "region", "opted_out", "contact", "answer"),
    [
        ("phone", IN, "09000000001", "+919000000001", "yes"),
        ("phone", IN, "+919000000001", "9000000001", "yes"),
        ("phone", IN, "+449000000001", "9000000001", "no"),
        ("phone", IN, "+447700900211", "447700900211", "yes"),
        ("phone", IN, "447700900211", "+447700900211", "yes"),
        ("phone", US, "+919000000001", "919000000001", "yes"),
        ("phone", US, "919000000001", "00919000000001", "yes"),
        ("phone", DE, "+4915112345678", "4915112345678", "perhaps"),
        ("phone", DE, "4915112345678", "+4915112345678", "perhaps"),
        ("phone", DE, "4915112345678", "4915112345678", "yes"),
        ("phone", DE, "+4915112345679", "4915112345678", "no"),
        ("phone", DE, "+4915112345678", "015112345678", "yes"),
        ("phone", IN, "+18002000001", "18002000001", "perhaps"),
        ("phone", IN, "+6591234567", "6591234567", "perhaps"),
        ("phone", IN, "6591234567", "+6591234567", "perhaps"),
        ("phone", IN, "+96512345678", "96512345678", "perhaps"),
        ("phone", IN, "+916591234567", "6591234567", "yes"),
        ("phone", None, "+919000000001", "919000000001", "yes"),
        ("phone", None, "00919000000001", "+919000000001", "yes"),
        ("phone", None, "+919000000001", "09000000001", "perhaps"),
        ("phone", None, "+919000000001", "9000000001", "perhaps"),
        ("phone", None, "+79000000001", "89000000001", "perhaps"),
        ("phone", None, "919000000001", "9000000001", "perhaps"),
        ("phone", None, "+8613800138000", "13800138000", "perhaps"),
        ("phone", None, "13800138000", "+8613800138000", "perhaps"),
        ("phone", None, "13800138000", "8613800138000", "perhaps"),
        ("phone", None, "+919000000001", "+449000000001", "no"),
        ("phone", None, "+919000000001", "+919000000002", "no"),
        ("phone", None, "+919000000001", "9000000002", "no"),
        ("email", None, "A@example.com", "a@EXAMPLE.com", "yes"),
        ("email", None, "a@example.com", "b@example.com", "no"),
        ("id", None, "USER-1", "user-1", "yes"),
        ("id", None, "user-1", "user-2", "no"),
    ],
)
def test_who_opted_out(kind: Kind, region: str | None, opted_out: str, contact: str, answer: str) -> None:
    keys = opt_out_keys(read_person(kind, opted_out, region), region)
    certain, perhaps = contact_keys(read_person(kind, contact, region), region)

    assert ("yes" if certain in keys else "perhaps" if perhaps & keys else "no") == answer


@pytest.mark.parametrize(
    ("patterns", "kind", "value", "answer"),
    [
        ([], "phone", "+447700900000", True),
        (["*@example.com"], "email", "jo@example.com", True),
        (["*@example.com"], "email", "Jo@Example.COM", True),
        (["*@Example.com"], "email", "jo@example.com", True),
        (["*@example.com"], "email", "jo@example.com.evil.example", False),
        (["*@example.com"], "id", "real-customer-1", False),
        (["+44 7700 900*"], "phone", "+447700900000", True),
        (["+44-7700-900-000"], "phone", "+44 (7700) 900000", True),
        (["+44-7700-90000[0-4]"], "phone", "+447700900002", True),
        (["+44-7700-90000[0-4]"], "phone", "+447700900005", False),
        (["+44*"], "phone", "0044 7700 900000", True),
        (["447700900*"], "phone", "+44 7700 900000", True),
        (["447700900*"], "phone", "447700900000", True),
        (["+447700900*"], "phone", "447700900000", False),
        (["+1*"], "phone", "1234567890", False),
        (["2025550100"], "phone", "202-555-0100", True),
        (["user-?"], "id", "user-1", True),
        (["user-?"], "id", "user-12", False),
        (["1-2"], "id", "1-2", True),
        (["*"], "id", "anything at all", True),
    ],
)
def test_who_may_be_contacted(patterns: list[str], kind: Kind, value: str, answer: bool) -> None:
    assert AllowList(patterns).allows(read_person(kind, value)) == answer


def test_with_a_region_a_pattern_fits_every_spelling() -> None:
    assert AllowList(["+91 90000*"]).allows(read_person("phone", "09000000001", IN))


def test_what_is_to_be_hidden_of_a_person() -> None:
    persons = [read_person("phone", "09000000001", IN), read_person("email", "Jo@example.com")]

    assert spellings(persons) == {"09000000001", "+919000000001", "919000000001", "Jo@example.com", "jo@example.com"}


def test_a_person_is_not_shown() -> None:
    assert repr(Person("email", "a@example.com", "a@example.com")) == "Person(email)"


@pytest.mark.parametrize(
    ("kind", "person"), [("phone", "+447700900123"), ("email", "jo.doe@example.com"), ("id", "user-1")]
)
def test_every_spelling_that_other_tests_draw_is_one_person(kind: Kind, person: str) -> None:
    for spell in SPELLINGS[kind]:
        assert read_person(kind, spell(person)).identity == person
