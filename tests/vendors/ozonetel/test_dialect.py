"""Ozonetel: the account's calls, its tokens, and what its words mean."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import RetryPolicy
from airflow_provider_campaigns.protocol.messages import (
    Claim,
    Conversation,
    NoReplyError,
    NotSentError,
    Release,
    Request,
    Response,
    SignIn,
    Sleep,
)
from airflow_provider_campaigns.vendors.ozonetel.dialect import INDIA, TOKEN_LIFETIME, Ozonetel, check_call_day
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import damaged_replies

ACCOUNT = Ozonetel(user_name="example-user", api_key="example-key")
BASIC = Ozonetel(user_name="example-user", api_key="example-key", auth_mode="basic")
# "Campaign Status": the sample reply of docs.ozonetel.com lists campaigns that were not asked for.
CAMPAIGNS = {
    "status": "success",
    "message": [
        {"CampaignID": "256", "CampaignName": "Renewals", "UserName": "example-user", "Position": "READY"},
        {"CampaignID": "257", "CampaignName": "Spring", "UserName": "example-user", "Position": "COMPLETED"},
    ],
}


def refusal(message: str, status: str = "false") -> dict[str, Any]:
    return {"status": status, "message": message, "data": None}


class TestCredentials:
    def test_token_mode_sends_the_token_and_the_api_key(self) -> None:
        _, (request,) = drive(ACCOUNT.campaign_status("Spring"), (200, CAMPAIGNS), token="a-token")
        assert request.headers == {"apiKey": "example-key", "Authorization": "Bearer a-token"}

    def test_basic_mode_sends_the_api_key_alone_and_signs_in_nowhere(self) -> None:
        script = Script([(200, CAMPAIGNS)])
        script.play(BASIC.campaign_status("Spring"))
        assert script.requests[0].headers == {"apiKey": "example-key"}
        assert script.sign_ins == []

    def test_credentials_do_not_show(self) -> None:
        assert "example-key" not in repr(ACCOUNT)
        assert "example-key" not in repr(ACCOUNT.authorize(Request("GET", "/", "read"), "a-token"))

    def test_another_auth_mode_is_refused(self) -> None:
        with pytest.raises(InputError, match="auth_mode: expected token or basic, got none"):
            Ozonetel(user_name="example-user", api_key="example-key", auth_mode="none")  # type: ignore[arg-type]


class TestSigningIn:
    def test_a_stored_token_is_used(self) -> None:
        assert drive(ACCOUNT.sign_in(""), stored="stored") == ("stored", [])

    @pytest.mark.parametrize(("stale", "stored"), [("", None), ("old", "old"), ("old", None), ("", "")])
    def test_a_new_token_is_made_and_kept(self, stale: str, stored: str | None) -> None:
        script = Script([(200, {"token": "new", "message": ""})], stored=stored)
        now = time.time()
        assert script.play(ACCOUNT.sign_in(stale)) == "new"
        (request,) = script.requests
        assert (request.method, request.path) == ("POST", "/ca_apis/CAToken/generateToken")
        assert request.json == {"userName": "example-user"}
        assert request.headers == {"apiKey": "example-key"}
        assert script.sign_ins == [], "asking for a token must not ask for a token"
        (kept,) = script.kept
        assert kept.token == "new"
        assert now < kept.expires_at < now + TOKEN_LIFETIME

    def test_a_token_that_was_renewed_meanwhile_is_used(self) -> None:
        assert drive(ACCOUNT.sign_in("old"), stored="newer") == ("newer", [])

    def test_a_token_another_process_shares_is_used(self) -> None:
        script = Script(shared=["shared"], stored="old")
        assert script.play(ACCOUNT.sign_in("old")) == "shared"
        assert script.claims == [Claim("old", per_hour=10)]

    def test_a_token_another_process_makes_is_waited_for(self) -> None:
        pause = Sleep(0.5, "another process is making one")
        script = Script(shared=[pause, pause, "shared"])
        assert script.play(ACCOUNT.sign_in("")) == "shared"
        assert script.sleeps == [pause, pause]

    def test_a_token_is_not_waited_for_longer_than_for_any_refusal(self) -> None:
        script = Script(shared=[Sleep(299, "busy"), Sleep(2, "10 tokens were made in the last hour")])
        with pytest.raises(VendorUnavailableError, match="no token: 10 tokens were made in the last hour"):
            script.play(ACCOUNT.sign_in(""))
        assert [sleep.seconds for sleep in script.sleeps] == [299]

    @pytest.mark.parametrize(
        "reply",
        [
            (200, refusal("UserName is null")),
            (401, refusal("Invalid userName or apiKey")),
            (200, refusal("Invalid action.")),
            (200, refusal("No words anybody documented")),
            (400, {}),
            (401, {}),
            (200, {}),
            (200, {"token": ""}),
            (200, {"token": ["a-token"]}),
            (200, {"token": "a token"}),
            (200, {"token": "a-tok\u00ebn"}),
            (200, {"token": "x" * 100_000}),
        ],
    )
    def test_no_token_is_an_error(self, reply: tuple[int, Any]) -> None:
        script = Script([reply])
        with pytest.raises((CallRefusedError, RequestRejectedError)):
            script.play(ACCOUNT.sign_in(""))
        assert script.kept == []
        assert script.released == [Release(made=False)], "other processes need not wait"

    @pytest.mark.parametrize(
        ("failure", "made"),
        [
            ((200, refusal("Max limit exceeded", "Error")), False),
            ((429, {}), False),
            (NotSentError("refused"), False),
            (NoReplyError("time-out"), True),
            ((500, {}), True),
            ((200, "cut"), True),
        ],
    )
    def test_each_attempt_is_claimed_and_counted_if_it_may_have_made_a_token(self, failure: Any, made: bool) -> None:
        script = Script([failure, (200, {"token": "new"})])
        assert script.play(ACCOUNT.sign_in("")) == "new"
        assert len(script.claims) == len(script.requests) == 2
        assert script.released == [Release(made=made)]
        assert [sleep.throttled for sleep in script.sleeps] == [False]

    @pytest.mark.parametrize("failure", [NoReplyError("time-out"), NotSentError("refused"), (429, {})])
    def test_attempts_end_and_are_never_taken_for_a_sent_contact(self, failure: Any) -> None:
        script = Script([failure] * 4)
        with pytest.raises(VendorUnavailableError, match="no token"):
            script.play(ACCOUNT.sign_in(""))
        assert len(script.released) == 4

    @pytest.mark.parametrize("status", [200, 401])
    @pytest.mark.parametrize("words", ["Token Expired", "Invalid Token", "Token Should Not be Null or Empty."])
    def test_an_ended_token_is_renewed_once(self, status: int, words: str) -> None:
        script = Script([(status, refusal(words)), (200, CAMPAIGNS)])
        assert script.play(ACCOUNT.campaign_status("Spring"))["CampaignID"] == "257"
        assert script.sign_ins == [SignIn(), SignIn(stale="token")]

    def test_a_new_token_that_is_not_taken_either_refuses_the_call(self) -> None:
        script = Script([(200, refusal("Token Expired"))] * 2)
        with pytest.raises(CallRefusedError, match="Token Expired"):
            script.play(ACCOUNT.campaign_status("Spring"))


class TestRefusals:
    @pytest.mark.parametrize("http_status", [200, 400, 401, 403, 500])
    @pytest.mark.parametrize(
        "words",
        [
            "Invalid action.",
            "Invalid User Details",
            "Api Key Should Not be Null or Empty.",
            "Username Should Not be Null or Empty.",
            "Please provide campaign details",
            "No User Found or Campaign Name is Invalid",
            "The selected campaign is not outbound",
            "Missing userName or apiKey",
            "userName or apiKey is Invalid",
        ],
    )
    @pytest.mark.parametrize("body_status", ["false", "FAIL", "Fail", "Error", "error", False])
    def test_words_refuse_the_call_whatever_the_http_status(
        self, http_status: int, words: str, body_status: Any
    ) -> None:
        with pytest.raises(CallRefusedError, match=words):
            drive(BASIC.campaign_status("Spring"), (http_status, refusal(words, body_status)))

    @pytest.mark.parametrize("account", [ACCOUNT, BASIC])
    def test_invalid_action_explains_the_account_setting(self, account: Ozonetel) -> None:
        with pytest.raises(CallRefusedError, match=r"API Authentication.*auth_mode"):
            drive(account.campaign_status("Spring"), (200, refusal("Invalid action.")))

    @pytest.mark.parametrize(
        "words",
        [
            "Max limit exceeded",
            "Request limit exhausted",
            "Already one process is running please try after some time",
        ],
    )
    def test_too_many_requests_are_waited_for(self, words: str) -> None:
        script = Script([(200, refusal(words, "error")), (429, {}), (200, CAMPAIGNS)])
        script.play(ACCOUNT.campaign_status("Spring"))
        assert [sleep.throttled for sleep in script.sleeps] == [True, True]

    def test_an_unreadable_reply_to_a_read_is_asked_for_again(self) -> None:
        result, requests = drive(
            ACCOUNT.campaign_status("Spring"), Response(200, b"<html>"), (502, {}), (200, CAMPAIGNS)
        )
        assert result["CampaignID"] == "257"
        assert len(requests) == 3


class TestSetCampaignStatus:
    @pytest.mark.parametrize(("action", "sent"), [("Start", "Start"), ("STOP", "Stop"), ("stop", "Stop")])
    def test_request(self, action: str, sent: str) -> None:
        done = {"status": "SUCCESS", "message": "SUCCESSFULLY UPDATED, Progressive was started"}
        result, (request,) = drive(ACCOUNT.set_campaign_status("Spring", action), (200, done))
        assert (request.method, request.path, request.effect) == ("PUT", "/ca_apis/setCampaignStatus", "write")
        assert request.json == {
            "userName": "example-user",
            "campaignName": "Spring",
            "action": sent,
            "process": True,
        }
        assert result == "SUCCESSFULLY UPDATED, Progressive was started"

    def test_another_action_is_refused(self) -> None:
        with pytest.raises(InputError, match="Start or Stop"):
            drive(ACCOUNT.set_campaign_status("Spring", "Pause"))

    def test_failure_is_raised(self) -> None:
        with pytest.raises(RequestRejectedError, match="All parameters are mandatory"):
            drive(ACCOUNT.set_campaign_status("", "Stop"), (200, refusal("All parameters are mandatory", "failure")))

    @pytest.mark.parametrize("reply", [{}, [], {"status": "perhaps"}, {"message": "SUCCESSFULLY UPDATED"}])
    def test_a_reply_that_does_not_say_success_is_unknown(self, reply: Any) -> None:
        with pytest.raises(OutcomeUnknownError):
            drive(ACCOUNT.set_campaign_status("Spring", "Start"), (200, reply))

    def test_stop_is_repeated_after_a_lost_reply_and_start_is_not(self) -> None:
        done = (200, {"status": "SUCCESS", "message": "SUCCESSFULLY UPDATED, Progressive was stopped"})
        result, _ = drive(ACCOUNT.set_campaign_status("Spring", "Stop"), NoReplyError("cut"), done)
        assert "stopped" in result
        with pytest.raises(OutcomeUnknownError):
            drive(ACCOUNT.set_campaign_status("Spring", "Start"), NoReplyError("cut"))


class TestCampaignStatus:
    def test_request_is_a_get_with_a_body(self) -> None:
        result, (request,) = drive(ACCOUNT.campaign_status("Renewals"), (200, CAMPAIGNS))
        assert (request.method, request.path, request.effect) == ("GET", "/ca_apis/campaignStatus", "read")
        assert request.json == {"userName": "example-user", "campaignName": "Renewals"}
        assert result == CAMPAIGNS["message"][0]

    @pytest.mark.parametrize("name", ["renewals", "Renewal", "Other"])
    def test_only_the_exact_name_counts(self, name: str) -> None:
        with pytest.raises(CallRefusedError, match=f"no campaign '{name}'"):
            drive(ACCOUNT.campaign_status(name), (200, CAMPAIGNS))

    @pytest.mark.parametrize("http_status", [200, 404])
    def test_no_record_found_names_the_campaign(self, http_status: int) -> None:
        with pytest.raises(CallRefusedError, match="'Spring': no record found"):
            drive(ACCOUNT.campaign_status("Spring"), (http_status, refusal("no record found", "failure")))

    @pytest.mark.parametrize(
        ("position", "target", "wait_for_start", "state"),
        [
            ("COMPLETED", "COMPLETED", True, "done"),
            ("Completed", "completed", True, "done"),
            ("RUNNING", "COMPLETED", True, "running"),
            ("RUNNING", "Running", True, "done"),
            ("STOPPED", "COMPLETED", True, "running"),
            ("READY", "COMPLETED", True, "running"),
            ("READY", "COMPLETED", False, "failed"),
            ("READY", "READY", False, "done"),
            ("RUNNING", "COMPLETED", False, "running"),
            ("A new word", "COMPLETED", False, "running"),
            (None, "COMPLETED", False, "running"),
        ],
    )
    def test_watching(self, position: Any, target: str, wait_for_start: bool, state: str) -> None:
        campaign = CAMPAIGNS["message"][1] | {"Position": position}  # type: ignore[operator]
        look = ACCOUNT.poll_campaign("Spring", target, wait_for_start=wait_for_start)
        progress, _ = drive(look, (200, {"status": "success", "message": [campaign]}))
        assert progress.state == state
        assert progress.details["campaign_id"] == "257"
        assert progress.status == progress.details["position"] == (position or "")
        assert ("reason" in progress.details) == (state == "failed")


def calls(*ids: int, total: Any = None) -> tuple[int, dict[str, Any]]:
    counted = {} if total is None else {"totalCount": total}
    return 200, {"status": "success", "message": "", "details": [{"CallID": one} for one in ids], **counted}


class TestCallRecords:
    DAY = date(2026, 3, 1)

    def test_pages_of_one_day(self) -> None:
        script = Script([calls(1, 2, total=3), calls(3, total=3)])
        assert script.play(ACCOUNT.call_records(self.DAY, "Spring", page_size=2)) == 3
        assert [item["CallID"] for item in script.items] == [1, 2, 3]
        first, second = script.requests
        assert (first.method, first.path, first.effect) == ("GET", "/ca_reports/fetchCdrByPagination", "read")
        assert first.json == {
            "fromDate": "2026-03-01 00:00:00",
            "toDate": "2026-03-01 23:59:59",
            "userName": "example-user",
            "campaignName": "Spring",
        }
        assert [dict(request.params) for request in (first, second)] == [
            {"pageNo": 1, "pageSize": 2},
            {"pageNo": 2, "pageSize": 2},
        ]

    @pytest.mark.parametrize("total", ["4", 4])
    def test_a_page_smaller_than_asked_for_is_not_the_end_while_the_total_says_more(self, total: Any) -> None:
        script = Script([calls(1, 2, total=total), calls(3, 4, total=total)])
        assert script.play(ACCOUNT.call_records(self.DAY)) == 4

    @pytest.mark.parametrize("last", [(3,), ()])
    def test_without_a_total_a_page_that_is_not_full_is_the_end(self, last: tuple[int, ...]) -> None:
        script = Script([calls(1, 2), calls(*last)])
        assert script.play(ACCOUNT.call_records(self.DAY, page_size=2)) == 2 + len(last)

    @pytest.mark.parametrize("total", [None, 5])
    def test_a_vendor_that_does_not_turn_the_page_is_an_error(self, total: Any) -> None:
        script = Script([calls(1, 2, total=total)] * 2)
        with pytest.raises(VendorUnavailableError, match="page 2 of the calls is the one before it again"):
            script.play(ACCOUNT.call_records(self.DAY, page_size=2))

    def test_calls_that_are_counted_and_not_returned_are_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        script = Script([calls(1, 2, total=5), calls(total=5)])
        with caplog.at_level(logging.WARNING):
            assert script.play(ACCOUNT.call_records(self.DAY, page_size=2)) == 2
        assert "2 calls were returned, of 5 that the vendor counts" in caplog.text

    @pytest.mark.parametrize("total", [None, 0])
    def test_a_day_without_calls(self, total: Any) -> None:
        script = Script([calls(total=total)])
        assert script.play(ACCOUNT.call_records(self.DAY)) == 0
        assert "campaignName" not in script.requests[0].json

    @pytest.mark.parametrize(
        "reply",
        [
            {"status": "success", "message": ""},
            {"status": "SUCCESS", "message": "No records", "details": None},
            {"status": "Success", "totalCount": 0},
        ],
    )
    def test_a_success_without_details_is_no_calls(self, reply: dict[str, Any]) -> None:
        script = Script([(200, reply)])
        assert script.play(ACCOUNT.call_records(self.DAY)) == 0
        assert script.pages == []

    @pytest.mark.parametrize(
        "reply",
        [
            {"message": ""},
            {"status": "success", "totalCount": 3},
            {"status": "success", "details": "none"},
            {"status": "done", "details": {}},
        ],
    )
    def test_another_reply_without_calls_is_an_error(self, reply: dict[str, Any]) -> None:
        with pytest.raises(VendorUnavailableError):
            Script([(200, reply)] * 4).play(ACCOUNT.call_records(self.DAY))

    @pytest.mark.parametrize(
        ("mode", "words", "hinted"),
        [
            ("basic", "userName or apiKey is Invalid", True),
            ("token", "userName or apiKey is Invalid", True),
            ("basic", "Missing userName or apiKey", True),
            ("basic", "Invalid action.", True),
            ("basic", "Token Should Not be Null or Empty.", True),
            ("basic", "Token Expired", True),
            ("token", "Missing fromDate and toDate", False),
            ("basic", "Invalid User Details", False),
        ],
    )
    @pytest.mark.parametrize("http_status", [200, 401])
    def test_the_wrong_auth_mode_is_hinted_at(self, mode: Any, words: str, hinted: bool, http_status: int) -> None:
        account = Ozonetel(user_name="example-user", api_key="example-key", auth_mode=mode)
        with pytest.raises(VendorError) as caught:
            Script([(http_status, {"status": "false", "message": words})] * 2).play(account.call_records(self.DAY))
        assert ("extra auth_mode" in str(caught.value)) == hinted


@pytest.mark.parametrize(
    ("days_ago", "given"), [(-2, False), (-1, True), (0, True), (1, True), (15, True), (16, False), (400, False)]
)
def test_only_the_last_15_days_are_asked_for(days_ago: int, given: bool) -> None:
    day = datetime.now(INDIA).date() - timedelta(days=days_ago)
    with nullcontext() if given else pytest.raises(InputError, match="day: expected one of the last 15 days in India"):
        check_call_day(day)


class TestCheck:
    @pytest.mark.parametrize("reply", [(200, CAMPAIGNS), (200, refusal("no record found", "failure"))])
    def test_credentials_are_proved_by_a_read(self, reply: tuple[int, Any]) -> None:
        message, (request,) = drive(ACCOUNT.check(), reply)
        assert (request.method, request.effect) == ("GET", "read")
        assert "auth_mode token" in message

    @pytest.mark.parametrize(
        "reply",
        [
            (200, refusal("Invalid User Details")),
            (200, refusal("All parameters are mandatory", "failure")),
            (200, {"status": "success"}),
            (404, {}),
        ],
    )
    def test_anything_else_is_an_error(self, reply: tuple[int, Any]) -> None:
        with pytest.raises(CampaignError):
            drive(ACCOUNT.check(), reply)


IMPATIENT = Ozonetel(user_name="example-user", api_key="example-key", policy=RetryPolicy(retry_limit=0, max_wait=0))
CALLS: dict[str, tuple[Callable[[], Conversation[Any]], Any]] = {
    "sign_in": (lambda: IMPATIENT.sign_in(""), {"token": "new", "message": ""}),
    "set_campaign_status": (
        lambda: IMPATIENT.set_campaign_status("Spring", "Start"),
        {"status": "SUCCESS", "message": "SUCCESSFULLY UPDATED"},
    ),
    "poll_campaign": (lambda: IMPATIENT.poll_campaign("Spring"), CAMPAIGNS),
    "check": (IMPATIENT.check, CAMPAIGNS),
    "call_records": (
        lambda: IMPATIENT.call_records(date(2026, 3, 1)),
        {"status": "success", "details": [{"CallID": 1}], "totalCount": 1},
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_malformed_reply_is_read_or_raises_an_error_of_this_package(name: str) -> None:
    call, reply = CALLS[name]
    for response in damaged_replies(reply):
        with suppress(CampaignError):
            Script([response] * 3).play(call())
