"""Ozonetel's leads: rows, the two calls that add them, and every answer of the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    InputError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
)
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import NoReplyError, NotSentError, Response, SignIn
from airflow_provider_campaigns.protocol.send import ContactReply, Send
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.replies import SENT_BEFORE
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import damaged_replies

PAGES = Path(__file__).with_name("pages")
SAMPLE: dict[str, str] = json.loads((PAGES / "ozonetel-add-campaign-data-request.json").read_text())
# Every row of "Possible responses" on the page, without its CSV quotes; some have no braces there either.
RESPONSES: list[dict[str, str]] = json.loads((PAGES / "ozonetel-add-campaign-data-responses.json").read_text())

ACCOUNT = Ozonetel(user_name="example-user", api_key="example-key")
LEAD = AddCampaignLead(ACCOUNT, "Spring")
UNCHECKED = AddCampaignLead(ACCOUNT, "Spring", check_duplicate=False)
BULK = AddCampaignBulkData(ACCOUNT, "Spring")
PHONE = "+447700900123"
SECOND = ("SuccessFully Updated", "Number Already Exist")
ADDED = {"status": "SUCCESS", "message": "SuccessFully Updated"}
THERE = {"status": "SUCCESS", "message": "Number Already Exist"}

REFUSED_CALL = "the call is refused"
SIGNED_OUT = "signed out"
EXPECTED = {
    "Token Expired": SIGNED_OUT,
    "Token Should Not be Null or Empty.": SIGNED_OUT,
    "Invalid action.": REFUSED_CALL,
    "Api Key Should Not be Null or Empty.": REFUSED_CALL,
    "Invalid User Details": REFUSED_CALL,
    "Username Should Not be Null or Empty.": REFUSED_CALL,
    "Please provide campaign details": REFUSED_CALL,
    "No User Found or Campaign Name is Invalid": REFUSED_CALL,
    "The selected campaign is not outbound": REFUSED_CALL,
    "phone number should be numeric and must be between 3 to 16 digits and allows prefix +": "rejected",
    "The priority value must be numeric and range from 0 to 99.": "rejected",
    "Invalid date format. Please enter date in format yyyy-MM-dd": "rejected",
    "Agent Is Empty!": "rejected",
    "Agent is not correctly mapped!": "rejected",
    "Please provide valid skill": "rejected",
    "Number Already Exist": "duplicate",
    "Number Already Existed": "duplicate",
    "Campaign xxxxx Is Already Started": "accepted",
    "Campaign xxxx Is Already Started": "accepted",
    "SuccessFully Updated": "accepted",
    "SuccessFully Updated xxxx Campaign": "accepted",
    "SuccessFully Updated xxxxx Campaign": "accepted",
    "SuccessFully Updated Progressive Campaign": "accepted",
    "SuccessFully Updated Progressive Campaign Stoped": "accepted",
    "SuccessFully Updated, IVR was started": "accepted",
    "SuccessFully Updated, xxx was started": "accepted",
    "SuccessFully Updated, xxxx was started": "accepted",
    "Please pass the valid Campaign action SuccessFully Updated xxxxx Campaign Data": "accepted",
}


def send(lead: AddCampaignLead, *replies: Any, fields: Mapping[str, Any] | None = None, **options: Any) -> ContactReply:
    (reply,), _ = drive(lead.request([lead.contact(fields or {"phoneNumber": PHONE})], **options), *replies)
    return reply


def fits_the_contract(*sends: Send) -> tuple[Send, ...]:
    """PreflightResult by mypy, too."""
    return sends


def test_both_are_sends() -> None:
    single, bulk = fits_the_contract(LEAD, BULK)
    assert (single.vendor, single.campaign, single.batch_limit) == ("ozonetel", "Spring", 1)
    assert bulk.batch_limit == 500
    assert (single.requests_per_minute, bulk.requests_per_minute) == (100, 5)
    assert single.identity == bulk.identity == {"campaign": "Spring", "account": "example-user"}
    assert single.required == (("phoneNumber",),)
    assert "example-key" not in repr(LEAD)


class TestThePage:
    @pytest.mark.parametrize("row", RESPONSES, ids=[row["case"] for row in RESPONSES])
    def test_response(self, row: dict[str, str]) -> None:
        message = next(words for words in sorted(EXPECTED, key=len, reverse=True) if f'"{words}"' in row["body"])
        response = Response(200, row["body"].encode())
        script = Script([response, response])
        conversation = LEAD.request([LEAD.contact({"phoneNumber": PHONE})])
        expected = EXPECTED[message]
        if expected in {REFUSED_CALL, SIGNED_OUT}:
            with pytest.raises(CallRefusedError, match=message):
                script.play(conversation)
            assert len(script.requests) == (2 if expected == SIGNED_OUT else 1)
            assert (SignIn(stale="token") in script.sign_ins) == (expected == SIGNED_OUT)
        else:
            (reply,) = script.play(conversation)
            assert (reply.status, reply.message) == (expected, message)
            assert len(script.requests) == 1

    def test_every_row_is_there(self) -> None:
        assert len(RESPONSES) == 41
        assert {json.loads(row["body"])["message"] for row in RESPONSES if row["body"][0] == "{"} <= set(EXPECTED)

    def test_request(self) -> None:
        # The sample's values are placeholders that its own rules refuse; its keys and their order are what counts.
        values = {"phoneNumber": PHONE, "priority": "7", "expiryDate": "2026-12-31", "checkDuplicate": "TRUE"}
        wanted = SAMPLE | values | {"action": "START"}
        lead = AddCampaignLead(
            Ozonetel(user_name=SAMPLE["userName"], api_key="example-key"), SAMPLE["campaignName"], action="START"
        )
        row = {name: wanted[name] for name in ("phoneNumber", "Name", "skill", "priority", "agentId", "expiryDate")}
        _, (request,) = drive(lead.request([lead.contact(row)]), (200, ADDED), token="a-token")
        assert (request.method, request.path, request.effect) == ("POST", "/ca_apis/AddCampaignData", "write")
        assert list(request.json.items()) == list(wanted.items())
        assert request.headers == {"apiKey": "example-key", "Authorization": "Bearer a-token"}


class TestReplies:
    @pytest.mark.parametrize("http_status", [200, 400, 404, 422, 500])
    @pytest.mark.parametrize(
        "words", [*(words for words, status in EXPECTED.items() if status == "rejected"), "PhoneNumber is a DND Number"]
    )
    def test_words_on_the_contact_reject_it_whatever_the_http_status(self, http_status: int, words: str) -> None:
        reply = send(LEAD, (http_status, {"status": "FAIL", "message": words}))
        assert reply == ContactReply("rejected", reason="refused by the vendor", message=words)

    def test_unknown_words_of_a_failure_reject(self) -> None:
        assert send(LEAD, (200, {"status": "Fail", "message": "Something new"})).status == "rejected"

    def test_the_vendors_words_do_not_show_the_recipient(self) -> None:
        reply = send(
            LEAD, (200, {"status": "FAIL", "message": f"{PHONE} or 12345 is bad"}), fields={"phoneNumber": 12345}
        )
        assert reply.message == "+44***23 or *** is bad"

    @pytest.mark.parametrize(
        "body", [{}, [], {"status": "true"}, {"status": "perhaps", "message": "Updated"}, {"message": "SuccessFully"}]
    )
    def test_nothing_but_success_is_accepted(self, body: Any) -> None:
        assert send(UNCHECKED, (200, body)).status == "unknown"

    @pytest.mark.parametrize(
        "body", [{}, [], {"status": "true"}, {"status": "perhaps", "message": "Updated"}, {"message": "SuccessFully"}]
    )
    def test_what_the_reply_does_not_say_is_asked_for_again_when_that_is_safe(self, body: Any) -> None:
        assert send(LEAD, (200, body), (200, ADDED)).status == "accepted"
        reply = send(LEAD, (200, body), (200, THERE))
        assert (reply.status, reply.reason) == ("duplicate", SENT_BEFORE)
        with pytest.raises(OutcomeUnknownError):
            send(LEAD, (200, body), (200, body))

    def test_an_existing_number_is_a_duplicate_even_if_the_status_fails(self) -> None:
        assert send(LEAD, (200, THERE | {"status": "FAIL"})).status == "duplicate"


class TestRepeating:
    def test_an_unanswered_send_is_repeated_under_the_duplicate_check(self) -> None:
        assert send(LEAD, NoReplyError("time-out"), (200, ADDED)).status == "accepted"

    @pytest.mark.parametrize("lost", [NoReplyError("reset"), (502, {}), Response(200, b"<html>")])
    def test_there_after_an_unanswered_send_may_be_ours_or_not_and_is_a_duplicate(self, lost: Any) -> None:
        reply = send(LEAD, lost, (200, THERE))
        assert (reply.status, reply.reason) == ("duplicate", SENT_BEFORE)

    @pytest.mark.parametrize("refused", [NotSentError("refused"), (429, {}), (200, {"message": "Max limit exceeded"})])
    def test_there_after_a_send_that_never_arrived_is_a_duplicate(self, refused: Any) -> None:
        assert send(LEAD, refused, (200, THERE)).status == "duplicate"

    def test_there_after_an_earlier_try_of_the_task_is_a_duplicate(self) -> None:
        reply = send(LEAD, (200, THERE), resent=True)
        assert (reply.status, reply.reason) == ("duplicate", SENT_BEFORE)

    def test_there_after_a_send_that_was_answered_is_a_duplicate_for_sure(self) -> None:
        assert send(LEAD, (200, THERE)).reason is None

    def test_without_the_check_an_unanswered_send_is_unknown(self) -> None:
        assert UNCHECKED.safe_to_resend == ""
        with pytest.raises(OutcomeUnknownError):
            send(UNCHECKED, NoReplyError("time-out"))


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


class TestBulk:
    def test_request(self) -> None:
        rows = (
            {"phoneNumber": PHONE, "Name": "Jo", "priority": "6", "expiryDate": "2026-12-31", "City": "Pune"},
            {"phoneNumber": "447700900124", "agentId": "Bobby", "skill": "Sales", "Plan": 7},
        )
        bulk = AddCampaignBulkData(ACCOUNT, "Spring", action="START")
        _, (request,) = drive(bulk.request([bulk.contact(row) for row in rows]), (200, ADDED), token="a-token")
        assert (request.method, request.effect) == ("POST", "write")
        assert request.path == "/cloudAgentRestAPI/index.php/AddCampaignBulkDataV4/addBulkData/format/json"
        assert request.json == {
            "apiKey": "example-key",
            "userName": "example-user",
            "campaignName": "Spring",
            "action": "START",
            "checkDuplicate": "TRUE",
            "bulkData": {
                "map": ["PhoneNumber", "Name", "Priority", "ExpiryDate", "AgentId", "skill", "City", "Plan"],
                "data": [
                    [PHONE, "Jo", 6, "2026-12-31", "", "", "Pune", ""],
                    ["447700900124", "", 1, "", "Bobby", "Sales", "", 7],
                ],
            },
        }

    def test_the_key_is_added_when_the_request_is_signed_and_not_before(self) -> None:
        request = next(BULK.request([BULK.contact({"phoneNumber": PHONE})]))
        assert isinstance(request, SignIn)
        assert BULK._frame(None) == {"campaignName": "Spring", "checkDuplicate": "TRUE", "userName": "example-user"}

    def test_success_is_queued(self) -> None:
        contacts = [BULK.contact({"phoneNumber": f"44770090000{n}"}) for n in range(3)]
        replies, _ = drive(BULK.request(contacts), (200, {"status": "success", "message": "Data processing"}))
        assert [reply.status for reply in replies] == ["accepted"] * 3
        assert replies[0].reason == "queued by the vendor, which adds the leads later"
        assert replies[0].message == "Data processing"

    @pytest.mark.parametrize("top", [{}, {"status": "success"}, {"status": "error"}])
    def test_results_per_number(self, top: dict[str, str]) -> None:
        numbers = [f"+44770090000{n}" for n in range(7)]
        results = [
            {"PhoneNumber": numbers[6], "Status": None},
            {"PhoneNumber": numbers[0], "Status": "SuccessFully Updated"},
            {"PhoneNumber": 447700900001, "Status": "SuccessFully Updated"},
            {"PhoneNumber": numbers[2], "Status": "Number Already Exist"},
            {"PhoneNumber": numbers[3], "Status": f"{numbers[3]} is unsuccessful"},
            {"PhoneNumber": numbers[4], "Status": "SuccessFully Updated"},
            {"PhoneNumber": numbers[4], "Status": "SuccessFully Updated"},
            {"PhoneNumber": "+447700900999", "Status": "SuccessFully Updated"},
            "junk",
        ]
        contacts = [BULK.contact({"phoneNumber": number}) for number in numbers]
        unchecked = AddCampaignBulkData(ACCOUNT, "Spring", check_duplicate=False)
        replies, _ = drive(unchecked.request(contacts), (200, top | {"message": results}))
        statuses = ["accepted", "accepted", "duplicate", "rejected", "unknown", "unknown", "unknown"]
        assert [reply.status for reply in replies] == statuses
        assert replies[3].message == "*** is unsuccessful"
        assert replies[2].reason is None
        replies, _ = drive(unchecked.request(contacts, resent=True), (200, top | {"message": results}))
        assert replies[2].reason == SENT_BEFORE

    def test_rows_that_the_reply_leaves_out_are_sent_once_more_when_that_is_safe(self) -> None:
        numbers = [f"+44770090000{n}" for n in range(4)]
        contacts = [BULK.contact({"phoneNumber": number}) for number in numbers]
        first = {"message": [{"PhoneNumber": numbers[0], "Status": "SuccessFully Updated"}]}
        second = {"message": [{"PhoneNumber": n, "Status": s} for n, s in zip(numbers[1:], SECOND, strict=False)]}
        replies, requests = drive(BULK.request(contacts), (200, first), (200, second))
        assert [row[0] for row in requests[1].json["bulkData"]["data"]] == numbers[1:]
        assert [reply.status for reply in replies] == ["accepted", "accepted", "duplicate", "unknown"]

    @pytest.mark.parametrize("failure", [NotSentError("refused"), NoReplyError("reset"), (402, {}), (400, {})])
    def test_what_is_known_of_some_rows_is_kept_when_the_others_cannot_be_sent_again(self, failure: Any) -> None:
        impatient = Ozonetel(user_name="u", api_key="k", policy=RetryPolicy(retry_limit=0, max_wait=0))
        bulk = AddCampaignBulkData(impatient, "Spring")
        contacts = [bulk.contact({"phoneNumber": f"+44770090000{n}"}) for n in range(2)]
        rows = {"message": [{"PhoneNumber": "+447700900000", "Status": "SuccessFully Updated"}]}
        replies, _ = drive(bulk.request(contacts), (200, rows), failure)
        assert [reply.status for reply in replies] == ["accepted", "unknown"]

    @pytest.mark.parametrize("failure", [NotSentError("refused"), NoReplyError("reset"), (402, {}), (400, {})])
    def test_a_batch_of_which_nothing_is_known_is_open(self, failure: Any) -> None:
        impatient = Ozonetel(user_name="u", api_key="k", policy=RetryPolicy(retry_limit=0, max_wait=0))
        bulk = AddCampaignBulkData(impatient, "Spring")
        with pytest.raises(OutcomeUnknownError):
            drive(bulk.request([bulk.contact({"phoneNumber": PHONE})]), (200, {"status": "?"}), failure)

    @pytest.mark.parametrize("body", [{}, [], {"status": "perhaps"}, {"message": "SuccessFully Updated"}])
    def test_a_reply_that_says_nothing_is_unknown(self, body: Any) -> None:
        unchecked = AddCampaignBulkData(ACCOUNT, "Spring", check_duplicate=False)
        replies, _ = drive(unchecked.request([BULK.contact({"phoneNumber": PHONE})]), (200, body))
        assert [reply.status for reply in replies] == ["unknown"]

    @pytest.mark.parametrize(
        "words",
        [
            "no user found",
            "No User Found",
            "api_key or campaign_name is invalid or not found",
            "Passed campaign are invalid",
            "Authentication failed",
            "Please provide valid data",
            "Authentication failed.",
            "Error: please provide valid data!",
        ],
    )
    @pytest.mark.parametrize("status", ["failure", "false", "Error"])
    @pytest.mark.parametrize("http_status", [200, 400, 500])
    def test_words_that_refuse_the_call_for_every_lead(self, http_status: int, status: str, words: str) -> None:
        contacts = [BULK.contact({"phoneNumber": f"+44770090000{n}"}) for n in range(10)]
        with pytest.raises(CallRefusedError, match=f"(?i){words}"):
            drive(BULK.request(contacts), (http_status, {"status": status, "message": words}))

    def test_a_refused_batch_is_raised(self) -> None:
        with pytest.raises(RequestRejectedError, match="Please provide valid skill"):
            drive(
                BULK.request([BULK.contact({"phoneNumber": PHONE})]),
                (200, {"status": "FAIL", "message": "Please provide valid skill"}),
            )

    def test_a_batch_goes_out_again_once_the_one_before_is_done(self) -> None:
        busy = {"status": "error", "message": "Already one process is running please try after some time"}
        script = Script([(200, busy), (200, ADDED)])
        (reply,) = script.play(BULK.request([BULK.contact({"phoneNumber": PHONE})]))
        assert reply.status == "accepted"
        assert [sleep.throttled for sleep in script.sleeps] == [True]

    @pytest.mark.parametrize("name", ["Jo_1 (a.b) + $5 % x-y:z", "José", ""])
    def test_names(self, name: str) -> None:
        assert BULK.contact({"phoneNumber": PHONE, "Name": name}).body.get("Name", "") == name

    @pytest.mark.parametrize("name", ["Jo & Co", "Jo;", "<b>", "Jo\nExample"])
    def test_other_names_are_invalid_in_bulk_only(self, name: str) -> None:
        assert LEAD.contact({"phoneNumber": PHONE, "Name": name}).body["Name"] == name
        with pytest.raises(InvalidContactError, match=r"^Name: expected letters"):
            BULK.contact({"phoneNumber": PHONE, "Name": name})

    def test_a_row_of_more_than_2000_characters_is_invalid(self) -> None:
        overhead = len(json.dumps([PHONE, ""])) + len(json.dumps(["PhoneNumber", "Note"]))
        assert BULK.contact({"phoneNumber": PHONE, "Note": "x" * (2000 - overhead)})
        with pytest.raises(InvalidContactError, match="at most 2,000 characters, headers included, got 2,001"):
            BULK.contact({"phoneNumber": PHONE, "Note": "x" * (2001 - overhead)})

    def test_headers_of_columns_that_only_other_rows_fill_count_too(self) -> None:
        sparse = [f"column {number:02} of many in this file" for number in range(60)]
        rows = [{"phoneNumber": PHONE, **dict.fromkeys(sparse, ""), name: "x"} for name in sparse]

        for row in rows:
            assert LEAD.contact(row)
            with pytest.raises(InvalidContactError, match="at most 2,000 characters, headers included"):
                BULK.contact(row)

    @pytest.mark.parametrize("columns", [{"action": "", "apiKey": None}, {"priority": None, "agentId": " "}])
    def test_columns_that_are_never_sent_or_few_do_no_harm(self, columns: dict[str, Any]) -> None:
        assert BULK.contact({"phoneNumber": PHONE, **columns}).body == {"phoneNumber": PHONE}

    @pytest.mark.parametrize(
        "row", [{"x" * 1900: "y" * 100}, {f"column {n:02} of many": "value" for n in range(80)}, {"é" * 2000: "z"}]
    )
    def test_headers_count_too(self, row: dict[str, str]) -> None:
        with pytest.raises(InvalidContactError, match="headers included"):
            BULK.contact({"phoneNumber": PHONE, **row})


@pytest.mark.parametrize("resent", [False, True])
@pytest.mark.parametrize("kind", [AddCampaignLead, AddCampaignBulkData])
def test_a_malformed_reply_is_never_accepted_by_default(kind: type[Any], resent: bool) -> None:
    impatient = Ozonetel(user_name="example-user", api_key="example-key", policy=RetryPolicy(retry_limit=0, max_wait=0))
    leads = kind(impatient, "Spring")
    contacts = [leads.contact({"phoneNumber": PHONE})]
    single = kind is AddCampaignLead
    good = {"status": "FAIL", "message": "junk" if single else [{"PhoneNumber": PHONE, "Status": "junk"}]}
    for response in damaged_replies(good):
        with suppress(CampaignError):
            (reply,) = Script([response] * 2).play(leads.request(contacts, resent=resent))
            assert reply.status in {"rejected", "unknown"}
