"""Exotel: campaigns listed, created, changed and watched, and what its nested replies mean."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
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
from airflow_provider_campaigns.protocol.messages import Conversation, NoReplyError, Response
from airflow_provider_campaigns.vendors.exotel import account
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from airflow_provider_campaigns.vendors.exotel.dialect import ACTIONS, Exotel
from airflow_provider_campaigns.vendors.exotel.status import normalise
from tests.vendors.conversations import Script, drive
from tests.vendors.exotel_replies import ACCOUNT, failure, listing
from tests.vendors.malformed import damaged_replies

# The reply printed on "bulk campaign details"; there its custom_field has unescaped quotes, so that it is no JSON,
# and telephone numbers and callback addresses are others.
PAGE: dict[str, Any] = json.loads((Path(__file__).with_name("pages") / "exotel-list-campaigns.json").read_text())
CAMPAIGNS = "/v2/accounts/example1/campaigns"
CAMPAIGN = CreateCampaign(
    name="Spring", caller_id="+447700900005", read_via_text="Hello there", numbers=["+447700900123"]
)


class TestListing:
    def test_the_pages_sample(self) -> None:
        # The page's Python sample sends DELETE; its other four samples, and the API, mean GET.
        script = Script([(200, PAGE)])
        assert script.play(ACCOUNT.list_campaigns(status="Created,Completed", limit=3)) == 3
        (request,) = script.requests
        assert (request.method, request.path, request.effect, request.json) == ("GET", CAMPAIGNS, "read", None)
        asked = {name: value for name, value in request.params.items() if value is not None}
        assert list(asked.items()) == [("offset", 0), ("status", "Created,Completed"), ("limit", 3)]
        user_and_password = b64decode(request.headers["Authorization"].removeprefix("Basic "))
        assert user_and_password == b"example-key:example-token"
        for campaign, printed in zip(script.items, PAGE["response"], strict=True):
            assert campaign == printed["data"] | {"summary": printed["summary"]}
        assert script.items[0]["custom_field"] == '{"name": "time"}'

    @pytest.mark.parametrize("http_status", [200, 207])
    def test_pages_until_the_total(self, http_status: int) -> None:
        pages = [listing({"id": n}, {"id": n + 1}, total=4)[1] for n in (0, 2)]
        script = Script([(http_status, page) for page in pages])
        assert script.play(ACCOUNT.list_campaigns(page_size=2)) == 4
        assert [item["id"] for item in script.items] == [0, 1, 2, 3]
        assert [(request.params["offset"], request.params["limit"]) for request in script.requests] == [(0, 2), (2, 2)]

    def test_a_page_smaller_than_asked_for_is_not_the_end_while_the_total_says_more(self) -> None:
        script = Script([listing({"id": 0}, total=2), listing({"id": 1}, total=2)])
        assert script.play(ACCOUNT.list_campaigns()) == 2
        assert [request.params["offset"] for request in script.requests] == [0, 1]

    def test_without_a_total_a_short_page_is_the_end(self) -> None:
        script = Script([listing({"id": 0}, {"id": 1}), listing({"id": 2})])
        assert script.play(ACCOUNT.list_campaigns(page_size=2)) == 3

    def test_an_empty_page_is_the_end_whatever_the_total(self) -> None:
        script = Script([listing(total=9)])
        assert script.play(ACCOUNT.list_campaigns()) == 0
        assert script.pages == []

    @pytest.mark.parametrize("order", [(0, 0), (0, 2, 0), (0, 2, 4, 2)])
    def test_a_page_that_comes_again_ends_it_with_an_error(self, order: tuple[int, ...]) -> None:
        pages = [listing({"id": n, "stats": place}, {"id": n + 1}, total=99) for place, n in enumerate(order)]
        script = Script(pages)
        with pytest.raises(VendorUnavailableError, match="has been there before"):
            script.play(ACCOUNT.list_campaigns(page_size=2))
        assert len(script.requests) == len(order)
        assert len(script.items) == 2 * (len(order) - 1)

    def test_calls_that_look_alike_are_a_page_that_comes_again(self) -> None:
        call = {"number": "+447700900123", "status": "completed"}
        with pytest.raises(VendorUnavailableError, match="at offset 1 has been there before"):
            drive(ACCOUNT.call_details("c1", page_size=1), listing(call, total=3), listing(call, total=3))

    def test_a_list_without_an_end_is_left_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(account, "MOST_PAGES", 3)
        pages = [listing({"id": number}, total=10**30) for number in range(4)]
        with pytest.raises(VendorUnavailableError, match="more than 3 pages"):
            drive(ACCOUNT.list_campaigns(page_size=1), *pages)

    @pytest.mark.parametrize("total", [True, "9", None, -1])
    def test_a_total_that_is_none(self, total: Any) -> None:
        page = listing({"id": 0})
        page[1]["metadata"] = {"total": total}
        assert drive(ACCOUNT.list_campaigns(), page)[0] == 1

    def test_limit_is_the_total(self) -> None:
        script = Script([listing({"id": 0}, {"id": 1}, total=9), listing({"id": 2}, {"id": 3}, total=9)])
        assert script.play(ACCOUNT.list_campaigns(limit=3, page_size=2)) == 3
        assert [item["id"] for item in script.items] == [0, 1, 2]
        assert [request.params["limit"] for request in script.requests] == [2, 1]

    def test_no_limit_no_request(self) -> None:
        assert drive(ACCOUNT.list_campaigns(limit=0)) == (0, [])

    def test_filters_are_sent_as_given(self) -> None:
        filters = {"status": ["in-progress", "created"], "name": "Spring", "sort_by": "date_created:desc"}
        _, (request,) = drive(ACCOUNT.list_campaigns(**filters), listing())  # type: ignore[arg-type]
        wanted = {"offset": 0, "status": "in-progress,created", "limit": 500, "name": "Spring"}
        assert request.params == wanted | {"sort_by": "date_created:desc"}

    @pytest.mark.parametrize("size", [0, 501])
    def test_the_page_size_has_a_maximum(self, size: int) -> None:
        with pytest.raises(InputError, match="page_size: expected 1 to 500"):
            drive(ACCOUNT.list_campaigns(page_size=size))

    def test_a_failed_item_is_an_error_with_the_vendors_words(self) -> None:
        page = listing({"id": 0}, {"id": 1})
        page[1]["response"][1] = {"code": 500, "error_data": {"code": 1001, "message": "No", "description": "Not now"}}
        with pytest.raises(RequestRejectedError, match=r"code 1001.*No: Not now"):
            drive(ACCOUNT.list_campaigns(), page)

    def test_a_failed_item_without_words(self) -> None:
        page = listing({"id": 0}, {"id": 1})
        page[1]["response"][1] = {"code": 404, "status": "failure", "error_data": None}
        with pytest.raises(RequestRejectedError, match=r"code 404.*no message"):
            drive(ACCOUNT.list_campaigns(), page)

    def test_find_by_name_takes_the_exact_name_only(self) -> None:
        found = listing({"id": 1, "name": "Spring"}, {"id": 2, "name": "Spring 2"}, {"id": 3, "name": "Spring"})
        campaigns, (request,) = drive(ACCOUNT.find_by_name("Spring"), found)
        assert [campaign["id"] for campaign in campaigns] == [1, 3]
        assert (request.params["name"], request.params["sort_by"]) == ("Spring", "date_created:desc")

    def test_check_reads_one_campaign(self) -> None:
        message, (request,) = drive(ACCOUNT.check(), (200, PAGE))
        assert (request.method, request.effect, request.params["limit"]) == ("GET", "read", 1)
        assert "example1" in message

    def test_credentials_do_not_show(self) -> None:
        _, (request,) = drive(ACCOUNT.check(), (200, PAGE))
        for shown in (repr(ACCOUNT), repr(request)):
            assert "example-key" not in shown
            assert "example-token" not in shown
            assert "Basic" not in shown

    def test_an_id_cannot_lead_to_another_path(self) -> None:
        account = Exotel(api_key="k", api_token="t", account_sid="a/b")
        _, (request,) = drive(account.get_campaign("1/../2?x"), listing({"id": "1"}))
        assert request.path == "/v2/accounts/a%2Fb/campaigns/1%2F..%2F2%3Fx"

    @pytest.mark.parametrize("campaign_id", ["", ".", ".."])
    def test_what_is_no_id_is_refused(self, campaign_id: str) -> None:
        with pytest.raises(InputError, match="id: expected the id of a campaign or list"):
            drive(ACCOUNT.get_campaign(campaign_id))


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (400, RequestRejectedError),
            (401, CallRefusedError),
            (402, CallRefusedError),
            (403, CallRefusedError),
            (404, CallRefusedError),
            # Something on the way may have sent it twice: it is looked up.
            (409, OutcomeUnknownError),
            ("409", OutcomeUnknownError),
            (500, OutcomeUnknownError),
            (503, OutcomeUnknownError),
        ],
    )
    @pytest.mark.parametrize("where", ["line", "http_code", "item"])
    def test_a_code_counts_wherever_it_stands(self, where: str, code: Any, kind: type[VendorError]) -> None:
        reply = {
            "line": (int(code), {}),
            "http_code": (200, {"http_code": code}),
            "item": (207, failure(code, {"message": "No", "code": 1001}, http_code=207)),
        }[where]
        with pytest.raises(kind) as caught:
            drive(ACCOUNT.create_campaign(CAMPAIGN), reply)
        assert caught.value.status == int(code)

    @pytest.mark.parametrize("reply", [(429, {}), (200, {"http_code": 429}), (200, failure(429))])
    def test_too_many_requests_are_waited_for(self, reply: tuple[int, Any]) -> None:
        script = Script([reply, listing({"id": "1"})])
        script.play(ACCOUNT.create_campaign(CAMPAIGN))
        assert [sleep.throttled for sleep in script.sleeps] == [True]

    @pytest.mark.parametrize(
        ("body", "code", "words"),
        [
            (failure(400, {"code": 1001, "message": "Bad", "description": "No such list"}), 1001, "Bad: No such list"),
            (failure(400, {"message": "Same", "description": "Same"}), None, "Same"),
            (failure(400, {"description": "No such list"}), None, "No such list"),
            (failure(400, "Plain words"), None, "Plain words"),
            ({"response": {"code": 400, "error_data": {"message": "One object"}}}, None, "One object"),
            ({"RestException": {"Status": 400, "Message": "Old style"}}, 400, "Old style"),
            ({"message": "Bare", "code": 7}, 7, "Bare"),
            (failure(400), 400, "no message"),
            ({}, None, "no message"),
            ([], None, "no message"),
            ("text", None, "no message"),
        ],
    )
    def test_words_are_found_in_every_envelope(self, body: Any, code: Any, words: str) -> None:
        with pytest.raises(RequestRejectedError) as caught:
            drive(ACCOUNT.create_campaign(CAMPAIGN), (400, body))
        assert caught.value.code == code
        assert caught.value.message.startswith(words)

    def test_a_body_that_is_no_json(self) -> None:
        with pytest.raises(CallRefusedError, match="HTTP 401"):
            drive(ACCOUNT.check(), Response(401, b"<html>Unauthorized</html>"))

    def test_numbers_in_the_vendors_words_are_hidden(self) -> None:
        reply = (400, failure(400, {"message": "+447700900123 is invalid"}))
        with pytest.raises(RequestRejectedError) as caught:
            drive(ACCOUNT.create_campaign(CAMPAIGN), reply)
        assert "+447700900123" not in str(caught.value)


class TestCreating:
    def test_request(self) -> None:
        created, (request,) = drive(ACCOUNT.create_campaign(CAMPAIGN), listing({"id": "c1", "status": "Created"}))
        assert created == {"id": "c1", "status": "Created"}
        assert (request.method, request.path, request.effect) == ("POST", CAMPAIGNS, "write")
        assert request.json == {"campaigns": [CAMPAIGN.body()]}
        assert request.safe_to_resend == ""

    def test_a_lost_reply_is_never_repeated(self) -> None:
        with pytest.raises(OutcomeUnknownError):
            drive(ACCOUNT.create_campaign(CAMPAIGN), NoReplyError("time-out"))

    @pytest.mark.parametrize(
        "reply", [listing(), listing({"id": "a"}, {"id": "b"}), listing({}), listing({"id": None}), listing(None)]
    )
    def test_a_reply_without_an_id_is_unknown(self, reply: tuple[int, Any]) -> None:
        with pytest.raises(OutcomeUnknownError):
            drive(ACCOUNT.create_campaign(CAMPAIGN), reply)

    def test_an_error_without_a_code_is_a_refusal(self) -> None:
        with pytest.raises(RequestRejectedError, match="No such list"):
            drive(ACCOUNT.create_campaign(CAMPAIGN), (200, failure(None, {"message": "No such list"})))


class TestUpdating:
    @pytest.mark.parametrize("action", ["pause", "resume", "complete", "archive"])
    def test_request(self, action: str) -> None:
        changed, (request,) = drive(ACCOUNT.update_campaign("c1", action), listing({"id": "c1", "status": "Paused"}))
        assert changed == {"id": "c1", "status": "Paused"}
        assert (request.method, request.path, request.effect) == ("PUT", f"{CAMPAIGNS}/c1", "write")
        assert request.json == {"campaigns": [{"action": action}]}
        assert bool(request.safe_to_resend) == (action != "resume")

    @pytest.mark.parametrize("body", [{}, [], {"response": []}, {"response": [{"code": 200, "data": None}]}])
    def test_a_2xx_that_shows_no_campaign_is_fine(self, body: Any) -> None:
        assert drive(ACCOUNT.update_campaign("c1", "pause"), (200, body))[0] == {}

    def test_an_illegal_change_is_refused(self) -> None:
        reply = (200, failure(None, {"message": "Campaign is not paused"}))
        with pytest.raises(RequestRejectedError, match="Campaign is not paused"):
            drive(ACCOUNT.update_campaign("c1", "complete"), reply)

    def test_resume_is_not_repeated_and_pause_is(self) -> None:
        assert drive(ACCOUNT.update_campaign("c1", "pause"), NoReplyError("cut"), listing({}))[0] == {}
        with pytest.raises(OutcomeUnknownError):
            drive(ACCOUNT.update_campaign("c1", "resume"), NoReplyError("cut"))

    def test_another_action_is_refused(self) -> None:
        with pytest.raises(InputError, match=", ".join(ACTIONS)):
            drive(ACCOUNT.update_campaign("c1", "stop"))


IN_THE_FUTURE = "2099-07-21T22:29:47+05:30"
LONG_AGO = "2021-07-21T22:29:47+05:30"


class TestWatching:
    @pytest.mark.parametrize(
        ("status", "end_at", "state"),
        [
            ("Completed", LONG_AGO, "done"),
            ("completed", LONG_AGO, "done"),
            ("Archived", LONG_AGO, "done"),
            ("Failed", IN_THE_FUTURE, "failed"),
            ("canceled", IN_THE_FUTURE, "failed"),
            ("Cancelled", IN_THE_FUTURE, "failed"),
            ("Deleted", IN_THE_FUTURE, "failed"),
            ("Created", LONG_AGO, "running"),
            ("in-progress", LONG_AGO, "running"),
            ("InProgress", IN_THE_FUTURE, "running"),
            ("Paused", IN_THE_FUTURE, "running"),
            ("Paused", LONG_AGO, "failed"),
            ("paused", "2021-07-21T22:29:47", "running"),
            ("paused", None, "running"),
            ("A new word", LONG_AGO, "running"),
            (None, LONG_AGO, "running"),
        ],
    )
    def test_states(self, status: Any, end_at: Any, state: str) -> None:
        campaign = {"id": "c1", "name": "Spring", "status": status, "schedule": {"end_at": end_at}}
        progress, (request,) = drive(ACCOUNT.poll_campaign("c1"), listing(campaign))
        assert (request.method, request.path, request.effect) == ("GET", f"{CAMPAIGNS}/c1", "read")
        assert (progress.state, progress.status) == (state, status or "")
        assert ("reason" in progress.details) == (state == "failed" and status == "Paused")

    def test_details_hold_counts_and_no_recipient(self) -> None:
        progress, _ = drive(ACCOUNT.poll_campaign("c1"), (200, PAGE | {"response": PAGE["response"][:1]}))
        campaign = PAGE["response"][0]["data"]
        assert progress.details == {
            "campaign_id": "c1",
            "name": campaign["name"],
            "status": "Completed",
            "stats": campaign["stats"],
            "summary": PAGE["response"][0]["summary"],
            "report_url": campaign["report_url"],
        }

    @pytest.mark.parametrize("status", ["InProgress", "in-progress", "in_progress", "In Progress"])
    def test_one_spelling(self, status: str) -> None:
        assert normalise(status) == "inprogress"

    @pytest.mark.parametrize("reply", [listing(), listing({"id": 1}, {"id": 2}), listing("junk")])
    def test_a_reply_that_is_not_one_campaign(self, reply: tuple[int, Any]) -> None:
        with pytest.raises(VendorUnavailableError):
            drive(ACCOUNT.poll_campaign("c1"), reply)


class TestCallDetails:
    CALLS = ({"call_sid": "s1", "status": "failed"}, {"call_sid": "s2", "status": "completed"})

    @pytest.mark.parametrize("wrapped", [True, False])
    def test_items_with_or_without_a_wrapping(self, wrapped: bool) -> None:
        reply = listing(*self.CALLS) if wrapped else (200, {"response": list(self.CALLS)})
        script = Script([reply])
        assert script.play(ACCOUNT.call_details("c1", status="failed", sort_by="date_created:asc")) == 2
        assert script.items == list(self.CALLS)
        (request,) = script.requests
        assert request.path == f"{CAMPAIGNS}/c1/call-details"
        assert request.params == {"offset": 0, "status": "failed", "limit": 20, "sort_by": "date_created:asc"}


IMPATIENT = Exotel(api_key="example-key", api_token="example-token", account_sid="example1", policy=RetryPolicy(0, 0))
CREATED = {"id": "c1", "sid": "s1", "name": "Spring", "status": "Paused", "schedule": {"end_at": LONG_AGO}}
GOOD = {
    "http_code": 207,
    "metadata": {"total": 1},
    "response": [{"code": 200, "error_data": None, "data": CREATED, "summary": {}}],
}
REFUSED = failure(None, {"code": 1001, "message": "No", "description": "Not now"}, RestException={"Message": "No"})
CALLS: dict[str, Callable[[], Conversation[Any]]] = {
    "list_campaigns": lambda: IMPATIENT.list_campaigns(limit=3),
    "find_by_name": lambda: IMPATIENT.find_by_name("Spring"),
    "create_campaign": lambda: IMPATIENT.create_campaign(CAMPAIGN),
    "update_campaign": lambda: IMPATIENT.update_campaign("c1", "resume"),
    "poll_campaign": lambda: IMPATIENT.poll_campaign("c1"),
    "call_details": lambda: IMPATIENT.call_details("c1", limit=3),
    "create_list": lambda: IMPATIENT.create_list("L"),
    "find_list": lambda: IMPATIENT.find_list("Spring"),
    "count_list": lambda: IMPATIENT.count_list("l1"),
    "add_contacts_to_list": lambda: IMPATIENT.add_contacts_to_list("l1", ["s1"]),
    "check": IMPATIENT.check,
}


@pytest.mark.parametrize("sample", [GOOD, REFUSED], ids=["good", "refused"])
@pytest.mark.parametrize("name", CALLS)
def test_a_malformed_reply_is_read_or_raises_an_error_of_this_package(name: str, sample: Any) -> None:
    for response in damaged_replies(sample):
        with suppress(CampaignError):
            Script([response] * 4).play(CALLS[name]())
