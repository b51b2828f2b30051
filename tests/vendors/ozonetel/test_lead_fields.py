"""A row as Ozonetel's lead: what goes out of it, what the operator fills in, and which rows are invalid."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignLead
from tests.vendors.conversations import drive
from tests.vendors.ozonetel.leads import ACCOUNT, ADDED, LEAD, PHONE


class TestFields:
    def test_defaults_never_start_dialling(self) -> None:
        _, (request,) = drive(LEAD.request([LEAD.contact({"phoneNumber": PHONE})]), (200, ADDED))
        assert request.json == {
            "campaignName": "Spring",
            "phoneNumber": PHONE,
            "checkDuplicate": "TRUE",
            "userName": "example-user",
        }

    def test_the_operators_values_fill_in_what_a_row_lacks(self) -> None:
        lead = AddCampaignLead(
            ACCOUNT,
            "Spring",
            action="stop",
            check_duplicate=False,
            skill="Sales",
            priority=5,
            agent_id="Bobby",
            expiry_date=date(2026, 12, 31),
        )
        rows = ({"phoneNumber": PHONE, "skill": "Care", "priority": 9, "agentId": ""}, {"phoneNumber": PHONE})
        sent = [drive(lead.request([lead.contact(row)]), (200, ADDED))[1][0].json for row in rows]
        assert [body.pop("action", None) for body in sent] == ["STOP", None]
        common = {
            "campaignName": "Spring",
            "phoneNumber": PHONE,
            "agentId": "Bobby",
            "expiryDate": "2026-12-31",
            "checkDuplicate": "FALSE",
            "userName": "example-user",
        }
        assert sent == [common | {"skill": "Care", "priority": "9"}, common | {"skill": "Sales", "priority": "5"}]

    @pytest.mark.parametrize("blank", ["", "  ", None, float("nan")])
    @pytest.mark.parametrize("name", ["Name", "skill", "priority", "agentId", "expiryDate", "City"])
    def test_what_is_not_given_is_left_out(self, name: str, blank: Any) -> None:
        assert LEAD.contact({"phoneNumber": PHONE, name: blank}).body == {"phoneNumber": PHONE}

    def test_other_columns_go_along_as_they_are(self) -> None:
        row = {"phoneNumber": PHONE, "City": " Pune", "name": "lower", "Paid": True, "Plan": {"id": 7}}
        contact = LEAD.contact(row | {"Due": date(2026, 1, 2), "Amount": Decimal("1.50")})
        assert contact.body == row | {"Due": "2026-01-02", "Amount": "1.50"}
        _, (request,) = drive(LEAD.request([contact]), (200, ADDED))
        assert request.json.items() >= contact.body.items()

    @pytest.mark.parametrize("name", ["action", "Action", "campaignName", "userName", "checkDuplicate", "apiKey"])
    def test_a_column_cannot_set_what_the_operator_sets(self, name: str) -> None:
        with pytest.raises(InvalidContactError, match=f"{name}: expected no such column"):
            LEAD.contact({"phoneNumber": PHONE, name: "START"})

    def test_a_column_no_json_can_hold_is_invalid(self) -> None:
        with pytest.raises(InvalidContactError, match="values that JSON can hold"):
            LEAD.contact({"phoneNumber": PHONE, "City": object()})

    @pytest.mark.parametrize(
        ("given", "sent", "identity"),
        [
            (PHONE, PHONE, "phone:+447700900123"),
            ("447700900123", "447700900123", "phone:+447700900123"),
            (447700900123, "447700900123", "phone:+447700900123"),
            (" +44 7700-900123", PHONE, "phone:+447700900123"),
            (447700900123.0, "447700900123", "phone:+447700900123"),
            (" 0123 ", "0123", "phone:0123"),
            ("123", "123", "phone:123"),
            ("1" * 16, "1" * 16, f"phone:{'1' * 16}"),
        ],
    )
    def test_phone_numbers(self, given: Any, sent: str, identity: str) -> None:
        contact = LEAD.contact({"phoneNumber": given})
        assert (contact.body["phoneNumber"], contact.key, contact.addresses) == (sent, sent, (sent,))
        assert contact.identity == identity

    @pytest.mark.parametrize(
        "given", ["12", "1" * 17, "++123", "abc", "٣٣", "123\n4", True, ["123"], -1234, f"{PHONE} {PHONE}"]
    )
    def test_other_phone_numbers_are_invalid(self, given: Any) -> None:
        with pytest.raises(InvalidContactError, match="phoneNumber: expected 3 to 16 digits"):
            LEAD.contact({"phoneNumber": given})

    def test_a_missing_phone_number_shows_nothing_of_the_row(self) -> None:
        with pytest.raises(InvalidContactError, match="got nothing") as caught:
            LEAD.contact({"Name": "Jo Example"})
        assert "Jo" not in str(caught.value)
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("2026-12-31", "2026-12-31"),
            ("2026-12-31 23:59:00", "2026-12-31 23:59:00"),
            (date(2026, 12, 31), "2026-12-31"),
            (datetime(2026, 12, 31, 8, 5, 1, 999), "2026-12-31 08:05:01"),  # noqa: DTZ001 - as a table holds it
            # As a typed column of a file or database comes.
            ("2026-12-31T00:00:00", "2026-12-31"),
            ("2026-12-31T00:00:00.000000", "2026-12-31"),
            (" 2026-12-31T10:00:00 ", "2026-12-31 10:00:00"),
        ],
    )
    def test_expiry_dates(self, given: Any, sent: str) -> None:
        assert LEAD.contact({"phoneNumber": PHONE, "expiryDate": given}).body["expiryDate"] == sent

    @pytest.mark.parametrize(
        ("name", "given"),
        [
            ("expiryDate", "31/12/2026"),
            ("expiryDate", "2026-02-30"),
            ("expiryDate", "2026-12-31T10:00:00+05:30"),
            ("expiryDate", "2026-02-30T00:00:00"),
            ("expiryDate", "2026-12-31T25:00:00"),
            ("expiryDate", 20261231),
            ("priority", "0"),
            ("priority", "100"),
            ("priority", "high"),
            ("priority", 5.0),
            ("skill", 1.5),
            ("agentId", ["Bobby"]),
            ("Name", {"first": "Jo"}),
        ],
    )
    def test_other_values_are_invalid(self, name: str, given: Any) -> None:
        with pytest.raises(InvalidContactError, match=f"^{name}: expected "):
            LEAD.contact({"phoneNumber": PHONE, name: given})

    def test_e_mail_and_phone_columns_are_addresses_too(self) -> None:
        row = {"phoneNumber": PHONE, "Email": "jo@example.com", "agentId": "4477009", "Name": "4477009"}
        assert LEAD.contact(row).addresses == (PHONE, "jo@example.com")

    @pytest.mark.parametrize(
        "options",
        [
            {"campaign_name": ""},
            {"action": "STRAT"},
            {"priority": 0},
            {"priority": "high"},
            {"expiry_date": "tomorrow"},
            {"skill": 1.5},
        ],
    )
    def test_the_operators_values_are_checked_at_once(self, options: dict[str, Any]) -> None:
        with pytest.raises(InputError) as caught:
            AddCampaignLead(ACCOUNT, **{"campaign_name": "Spring", **options})
        assert not isinstance(caught.value, InvalidContactError)
