"""Who is on the suppression list is contacted by no delivery."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.suppression import read_people
from airflow_provider_campaigns.identity import Kind, read_id, read_phone
from airflow_provider_campaigns.protocol.history import MAYBE_SUPPRESSED, SUPPRESSED, HeldBack
from airflow_provider_campaigns.protocol.send import Contact
from tests.history.people import PHONE, delivery, numbered, person, with_email


def test_who_is_on_the_list_is_held_back_until_taken_off(history: History) -> None:
    assert suppression.add(history, read_people(["+44 7700 900002"], "phone"), reason="asked us", source="crm") == 1

    assert delivery(history, "first").reserve(numbered(1, 2)) == {2: HeldBack("invalid", SUPPRESSED)}

    assert suppression.remove(history, read_people(["+447700900002"], "phone")) == 1
    assert not delivery(history, "second").reserve(numbered(1, 2))


def test_who_is_on_the_list_already_stays_as_it_is(history: History) -> None:
    some = list(read_people(["one@example.com", "two@example.com"], "email"))
    assert suppression.add(history, some[:1], reason="first") == 1

    assert suppression.add(history, some, reason="second") == 1

    assert sorted(one.reason for one in suppression.entries(history)) == ["first", "second"]
    assert suppression.remove(history, read_people(["nobody@example.com"], "email")) == 0


def test_many_people(history: History) -> None:
    many = list(read_people([f"+1555{number:07}" for number in range(1_200)], "phone"))

    assert suppression.add(history, many) == 1_200
    assert len(list(suppression.entries(history))) == 1_200
    assert suppression.remove(history, many) == 1_200


@pytest.mark.parametrize(
    ("kind", "value", "contact"),
    [
        ("email", "ONE@example.com", with_email(person(1), "one@example.com")),
        ("id", "User-7", Contact("user-7", {})),
        ("id", "row-9", person(1)._replace(key="ROW-9")),
    ],
)
def test_other_spellings_and_other_names_of_a_contact(
    history: History, kind: Kind, value: str, contact: Contact
) -> None:
    suppression.add(history, read_people([value], kind))

    assert delivery(history, "first").reserve([(1, contact)]) == {1: HeldBack("invalid", SUPPRESSED)}


@pytest.mark.parametrize(("region", "reason"), [(None, MAYBE_SUPPRESSED), ("GB", SUPPRESSED), ("US", None)])
def test_a_national_form_may_be_somebody_on_the_list(history: History, region: str | None, reason: str | None) -> None:
    suppression.add(history, read_people(["+447700900002"], "phone"))
    found = read_phone("07700900002", region)
    contact = Contact(found.text, {}, (found.text,), found.key, (found,))

    held = delivery(history, "first", about=replace(PHONE, region=region)).reserve([(1, contact)])

    assert held == ({1: HeldBack("invalid", reason)} if reason else {})


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("taken_off", [0, 1])
def test_a_national_form_that_two_people_share_stays_when_one_is_taken_off(
    history: History, taken_off: int, together: bool
) -> None:
    both = ["+447700900001", "+917700900001"]
    for part in [both] if together else [[one] for one in both]:
        suppression.add(history, read_people(part, "phone"))
    found = read_phone("07700900001")
    contact = Contact(found.text, {}, (found.text,), found.key, (found,))

    assert suppression.remove(history, read_people([both[taken_off]], "phone")) == 1

    assert len(list(suppression.entries(history))) == 1
    assert delivery(history, "first").reserve([(1, contact)]) == {1: HeldBack("invalid", MAYBE_SUPPRESSED)}


def test_who_is_suppressed_takes_no_place_under_a_cap(history: History) -> None:
    suppression.add(history, read_people(["+447700900001"], "phone"))
    delivery(history, "first", ["1 per day"]).reserve(numbered(1))
    suppression.remove(history, read_people(["+447700900001"], "phone"))

    assert not delivery(history, "second", ["1 per day"]).reserve(numbered(1))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("phone", "07700 900002", r"phone numbers with \+ and country code, or region"),
        ("phone", "nobody", "one phone number"),
        ("email", "nobody", "one e-mail address"),
        ("id", " ", "one id"),
    ],
)
def test_a_value_that_names_nobody_for_certain(kind: Kind, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"contacts: expected {message}.*number 2") as caught:
        list(read_people([{"phone": "+447700900001"}.get(kind, "a@example.com"), value], kind))

    assert "00002" not in str(caught.value)


def test_the_list_names_nobody(history: History) -> None:
    suppression.add(history, [read_id("user-7")], reason="asked us", source="crm")

    (entry,) = suppression.entries(history)

    assert len(entry.person) == 32
    assert (entry.reason, entry.source) == ("asked us", "crm")
