"""The calls that add Ozonetel's leads: every answer of the page, malformed ones, and what may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, OutcomeUnknownError
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import NoReplyError, NotSentError, Response, SignIn
from airflow_provider_campaigns.protocol.send import ContactReply, Send
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.replies import SENT_BEFORE
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import damaged_replies
from tests.vendors.ozonetel.leads import ACCOUNT, ADDED, BULK, LEAD, PHONE

PAGES = Path(__file__).with_name("pages")
SAMPLE: dict[str, str] = json.loads((PAGES / "ozonetel-add-campaign-data-request.json").read_text())
# Every row of "Possible responses" on the page, without its CSV quotes; some have no braces there either.
RESPONSES: list[dict[str, str]] = json.loads((PAGES / "ozonetel-add-campaign-data-responses.json").read_text())

UNCHECKED = AddCampaignLead(ACCOUNT, "Spring", check_duplicate=False)
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
    """Checked by mypy, too."""
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
