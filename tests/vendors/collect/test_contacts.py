"""The contacts of Collect's requests: their keys, what goes out of a row, and which rows are refused."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InvalidContactError
from tests.vendors.collect.samples import CAMPAIGN, SEND


class TestContacts:
    @pytest.mark.parametrize(
        ("row", "key"),
        [
            ({"email": "Jo@Example.com"}, "Jo@Example.com"),
            ({"_id": "WmTjsFknzHdmfs3Ra"}, "WmTjsFknzHdmfs3Ra"),
            ({"contact": 17}, "17"),
        ],
    )
    def test_the_key_is_the_email_as_written_else_the_id(self, row: dict[str, Any], key: str) -> None:
        assert SEND.contact(row).key == key

    def test_two_spellings_of_an_email_are_one_person(self) -> None:
        one, other = (SEND.contact({"email": email}) for email in ("Jo@Example.com", "jo@example.com"))
        assert one.key == "Jo@Example.com"
        assert one.identity == other.identity == "email:jo@example.com"

    def test_the_email_goes_out_as_it_is_written(self) -> None:
        contact = SEND.contact({"email": "Jo@Example.com"})
        assert contact.body == {"email": "Jo@Example.com"}
        assert contact.addresses == ("Jo@Example.com",)

    def test_data_and_other_columns_are_put_together(self) -> None:
        body = SEND.contact({"email": "jo@example.com", "data": {"a": 1}, "phone": "020 79460", "b": 2}).body
        assert body == {"email": "jo@example.com", "data": {"a": 1, "phone": "020 79460", "b": 2}}

    @pytest.mark.parametrize(
        ("row", "field"),
        [
            ({"firstName": "Jo"}, "email"),
            ({}, "email"),
            ({"email": "jo"}, "email"),
            ({"email": ["jo@example.com"]}, "email"),
            ({"email": "jo@example.com", "firstName": 1.5}, "firstName"),
            ({"email": "jo@example.com", "data": "x"}, "data"),
            ({"email": "jo@example.com", "data": "x", "b": 2}, "data"),
            ({"email": "jo@example.com", "contactId": "C-1"}, "contactId"),
            ({"contact": {"email": "jo@example.com"}}, "contact"),
        ],
    )
    def test_a_row_that_cannot_be_sent_says_which_field(self, row: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidContactError) as caught:
            SEND.contact(row)
        assert caught.value.field == field

    def test_a_delivery_knows_what_it_is(self) -> None:
        assert (SEND.vendor, SEND.campaign, SEND.identity) == ("collect", CAMPAIGN, {"campaign": CAMPAIGN})
        assert SEND.required == (("email", "contact", "contactId", "_id"),)
