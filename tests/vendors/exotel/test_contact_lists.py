"""Exotel: contacts and contact lists, from which large campaigns are created."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, RequestRejectedError
from airflow_provider_campaigns.protocol.messages import NoReplyError
from tests.vendors.conversations import Script, drive
from tests.vendors.exotel_replies import ACCOUNT, failure, listing

LISTS = "/v2/accounts/example1/lists"


def test_contacts_are_created_in_order() -> None:
    contacts = [{"number": "+447700900123"}, {"number": "+447700900124", "first_name": "Jo"}]
    ids, (request,) = drive(ACCOUNT.create_contacts(contacts), listing({"sid": "s1"}, {"sid": "s2"}))
    assert ids == ["s1", "s2"]
    assert (request.method, request.path) == ("POST", "/v2/accounts/example1/contacts")
    assert request.json == {"contacts": contacts}


@pytest.mark.parametrize("reply", [listing({"sid": "s1"}), listing({"sid": "s1"}, {}), listing()])
def test_missing_ids_are_unknown(reply: tuple[int, Any]) -> None:
    with pytest.raises(OutcomeUnknownError, match="not 2"):
        drive(ACCOUNT.create_contacts([{"number": "+447700900123"}, {"number": "+447700900124"}]), reply)


def test_a_refused_contact_is_raised() -> None:
    reply = listing({"sid": "s1"}, {})
    reply[1]["response"][1] = {"code": 400, "error_data": {"description": "bad number"}, "data": None}
    with pytest.raises(RequestRejectedError, match="bad number"):
        drive(ACCOUNT.create_contacts([{"number": "+447700900123"}, {"number": "1"}]), reply)


@pytest.mark.parametrize(("tag", "sent"), [(None, {"name": "L"}), ("t", {"name": "L", "tag": "t"})])
def test_a_list_is_created(tag: str | None, sent: dict[str, str]) -> None:
    list_id, (request,) = drive(ACCOUNT.create_list("L", tag), listing({"sid": "l1"}))
    assert list_id == "l1"
    assert (request.path, request.json) == (LISTS, {"lists": [sent]})


def test_a_second_list_of_a_name_is_refused() -> None:
    with pytest.raises(RequestRejectedError, match="already exists"):
        drive(ACCOUNT.create_list("L"), (207, failure(409, {"description": "L already exists"})))


@pytest.mark.parametrize(
    ("there", "found"),
    [([], None), ([{"sid": "l2", "name": "Spring 1 2"}], None), ([{"sid": "l1", "name": "Spring 1"}], "l1")],
)
def test_a_list_is_found_by_its_exact_name(there: list[dict[str, str]], found: str | None) -> None:
    list_id, (request,) = drive(ACCOUNT.find_list("Spring 1"), listing(*there))
    assert list_id == found
    assert (request.method, request.path) == ("GET", LISTS)
    assert (request.params["name"], request.params["sort_by"]) == ("Spring 1", "date_created:desc")


@pytest.mark.parametrize("total", [0, 7, None])
def test_the_contacts_on_a_list_are_counted_where_the_vendor_says_how_many(total: int | None) -> None:
    count, (request,) = drive(ACCOUNT.count_list("l1"), listing(*[{"sid": "s1"}] * bool(total), total=total))
    assert count == total
    assert (request.path, request.params["limit"]) == (f"{LISTS}/l1/contacts", 1)


@pytest.mark.parametrize("metadata", [{}, {"metadata": None}, {"metadata": {"success": 2, "total": 2}}])
def test_contacts_are_added_to_a_list(metadata: dict[str, Any]) -> None:
    status, body = listing({"list_id": "l1"})
    _, (request,) = drive(ACCOUNT.add_contacts_to_list("l1", ["s1", "s2"]), (status, body | metadata))
    assert (request.method, request.path) == ("POST", f"{LISTS}/l1/contacts")
    assert request.json == {"contact_references": [{"contact_sid": "s1"}, {"contact_sid": "s2"}]}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (failure(None, {"description": "no such contact"}), "no such contact"),
        ({**listing({"list_id": "l1"})[1], "metadata": {"success": 1, "total": 2}}, "only 1 of 2 contacts were added"),
    ],
)
def test_an_addition_that_is_refused_in_part_is_raised(reply: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestRejectedError, match=words):
        drive(ACCOUNT.add_contacts_to_list("l1", ["s1", "s2"]), (200, reply))


def test_what_rings_nobody_twice_is_repeated_after_a_lost_reply_and_adding_is_not() -> None:
    lost = NoReplyError("reset")
    drive(ACCOUNT.create_contacts([{"number": "+447700900123"}]), lost, listing({"sid": "s1"}))
    drive(ACCOUNT.create_list("L"), lost, listing({"sid": "l1"}))
    script = Script([lost])
    with pytest.raises(OutcomeUnknownError):
        script.play(ACCOUNT.add_contacts_to_list("l1", ["s1"]))
    assert len(script.requests) == 1
