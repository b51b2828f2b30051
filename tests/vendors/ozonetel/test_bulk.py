"""Ozonetel's call that adds many leads: the request, its limits, and what a reply says of each lead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
)
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import NoReplyError, NotSentError, SignIn
from airflow_provider_campaigns.vendors.ozonetel.dialect import Ozonetel
from airflow_provider_campaigns.vendors.ozonetel.replies import SENT_BEFORE
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData
from tests.vendors.conversations import Script, drive
from tests.vendors.ozonetel.leads import ACCOUNT, ADDED, BULK, LEAD, PHONE

SECOND = ("SuccessFully Updated", "Number Already Exist")


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
