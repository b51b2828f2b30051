"""Xtremepush, from the vendor's pages: every request they show, and replies by the envelope they describe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import NoReplyError, Response
from airflow_provider_campaigns.protocol.retry import call
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.send import QUEUED, TWICE, UNCONFIRMED, ExecuteCampaign
from tests.vendors.conversations import Script, drive
from tests.vendors.malformed import damaged, page

SAMPLES = page("xtremepush")
PUSH = Xtremepush(app_token="YOURAPPTOKEN")
SEND = ExecuteCampaign(PUSH, "CAMPAIGNID")
DONE = {"success": True, "code": 200}


def sent(send: ExecuteCampaign, *rows: dict[str, Any]) -> Any:
    """Return the only request that a batch of ``rows`` makes."""
    _, (request,) = drive(send.request([send.contact(row) for row in rows]), (200, DONE))
    return request


def replies(reply: Any, *ids: str) -> list[ContactReply]:
    ends, _ = drive(SEND.request([SEND.contact({"user_id": name}) for name in ids or ("1", "2")]), reply)
    return list(ends)


class TestCredentials:
    def test_the_token_goes_first_into_the_body(self) -> None:
        request = sent(SEND, {"user_id": "1"})
        assert next(iter(request.json.items())) == ("apptoken", "YOURAPPTOKEN")
        assert not request.headers

    def test_it_is_never_shown(self) -> None:
        assert "YOURAPPTOKEN" not in repr(PUSH)
        assert "YOURAPPTOKEN" not in repr(SEND)
        assert "YOURAPPTOKEN" not in repr(sent(SEND, {"user_id": "1"}))
        with pytest.raises(CallRefusedError) as caught:
            replies((401, {"success": False, "code": 401, "message": "YOURAPPTOKEN is not valid"}))
        assert "YOURAPPTOKEN" not in str(caught.value)

    def test_a_call_of_ones_own_gets_it_too(self) -> None:
        _, (request,) = drive(call(PUSH, "POST", "/api/external/info/campaign"), (200, DONE))
        assert request.json == {"apptoken": "YOURAPPTOKEN"}

    def test_a_body_that_has_no_place_for_it_is_refused(self) -> None:
        with pytest.raises(InputError, match="json: expected an object"):
            drive(call(PUSH, "POST", "/api/external/info/campaign", json=[1]))


class TestRequest:
    def test_contacts_with_variables_of_their_own(self) -> None:
        rows = [
            {"user_id": "crm-user-1", "fname": "Alex", "balance": "100 EUR"},
            {"user_id": "crm-user-2", "fname": "John", "balance": "80 EUR"},
        ]
        request = sent(SEND, *rows)
        assert (request.method, request.path) == ("POST", "/api/external/execute/campaign")
        assert (request.effect, request.safe_to_resend, SEND.safe_to_resend) == ("write", "", "")
        assert request.json == SAMPLES["with_params"]
        assert list(request.json) == list(SAMPLES["with_params"])

    @pytest.mark.parametrize(
        "send_at",
        [
            datetime(2021, 1, 1, 12, tzinfo=UTC),
            datetime(2021, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
            "2021-01-01T12:00:00Z",
            "2021-01-01 13:00:59+01:00",
            "2021-01-01 12:00 UTC",
        ],
    )
    def test_variables_for_all_and_a_time(self, send_at: Any) -> None:
        send = ExecuteCampaign(
            PUSH, "CAMPAIGNID", template_params={"external_message_id": "987654321"}, send_at=send_at
        )
        request = sent(send, {"user_id": "user1"}, {"user_id": "user2"})
        assert request.json == SAMPLES["at_a_time"]
        assert list(request.json) == list(SAMPLES["at_a_time"])

    def test_a_payload_and_a_numeric_device_id(self) -> None:
        payload = SAMPLES["with_payload"]["payload_add"]
        send = ExecuteCampaign(PUSH, "CAMPAIGNID", target_by="id", overrides={"payload_add": payload})
        assert sent(send, {"id": 123456}).json == {**SAMPLES["with_payload"], "target_by": "id"}

    def test_channel_options_and_a_retry_period(self) -> None:
        overrides = {name: SAMPLES["with_retry"][name] for name in ("messages", "retry_for", "retry_for_period")}
        send = ExecuteCampaign(PUSH, "CAMPAIGNID", overrides=overrides)
        assert sent(send, {"user_id": "12345"}).json == SAMPLES["with_retry"]

    def test_one_user_with_a_reference(self) -> None:
        row = {"user_id": "12345", "first_name": "FIRSTNAME", "external_message_id": "987654321"}
        assert sent(SEND, row).json == SAMPLES["one_user"]

    def test_contacts_with_and_without_variables_go_together(self) -> None:
        request = sent(SEND, {"user_id": 1, "fname": "Alex"}, {"user_id": 2, "fname": ""})
        assert request.json["target_with_params"] == {"1": {"fname": "Alex"}, "2": {}}
        assert "target" not in request.json

    @pytest.mark.parametrize("send_at", [datetime(2021, 1, 1, 12), "2021-01-01 12:00", "noon"])  # noqa: DTZ001
    def test_a_time_without_a_zone_is_refused_at_once(self, send_at: Any) -> None:
        with pytest.raises(InputError, match="send_at: expected a date and time with a time zone"):
            ExecuteCampaign(PUSH, "CAMPAIGNID", send_at=send_at)

    @pytest.mark.parametrize("name", ["apptoken", "id", "target", "target_with_params", "target_by", "params", "time"])
    def test_overrides_cannot_replace_the_other_parameters(self, name: str) -> None:
        with pytest.raises(InputError, match=f"overrides: expected fields that no other parameter sets, got {name}"):
            ExecuteCampaign(PUSH, "CAMPAIGNID", overrides={name: "x", "retry_for": 2})

    @pytest.mark.parametrize("name", ["template_params", "overrides"])
    def test_what_a_template_rendered_as_text_is_refused_at_once(self, name: str) -> None:
        with pytest.raises(InputError, match=f"{name}: expected an object, got text"):
            ExecuteCampaign(PUSH, "CAMPAIGNID", **cast("Any", {name: "{'a': 1}"}))

    @pytest.mark.parametrize("name", ["template_params", "overrides"])
    def test_what_is_no_object_is_refused_at_once(self, name: str) -> None:
        with pytest.raises(InputError, match=f"{name}: expected an object, got list"):
            ExecuteCampaign(PUSH, "CAMPAIGNID", **cast("Any", {name: ["a"]}))

    @pytest.mark.parametrize("campaign_id", ["", " ", "None", None, 7.5, True])
    def test_no_campaign_is_refused_at_once(self, campaign_id: Any) -> None:
        with pytest.raises(InputError, match=r"^campaign_id: expected the id of a live campaign"):
            ExecuteCampaign(PUSH, campaign_id)

    def test_targets_are_never_left_to_the_vendors_default(self) -> None:
        with pytest.raises(InputError, match="target_by"):
            ExecuteCampaign(PUSH, "CAMPAIGNID", target_by="")

    def test_of_a_target_that_comes_twice_the_first_is_sent(self) -> None:
        contacts = [SEND.contact({"user_id": "1", "fname": name}) for name in ("Alex", "John")]
        ends, (request,) = drive(SEND.request(contacts), (200, DONE))
        assert list(ends) == [QUEUED, TWICE]
        assert TWICE.status == "duplicate"
        assert request.json["target_with_params"] == {"1": {"fname": "Alex"}}


class TestReply:
    @pytest.mark.parametrize("status", [200, 202])
    def test_success_means_queued_and_says_so(self, status: int) -> None:
        ends = replies((status, DONE))
        assert ends == [ContactReply("accepted", message="accepted for sending; not delivered yet")] * 2

    @pytest.mark.parametrize("reply", [{}, [], {"code": 200}, {"success": "true"}, {"success": 1}, {"success": None}])
    def test_without_success_it_is_unknown(self, reply: Any) -> None:
        assert replies((200, reply)) == [UNCONFIRMED] * 2
        assert UNCONFIRMED.status == "unknown"

    def test_success_with_errors_is_unknown(self) -> None:
        assert replies((200, {**DONE, "errors": ["user 2 not found"]})) == [UNCONFIRMED] * 2

    @pytest.mark.parametrize("code", [401, 402, 403, 404, "401", "404"])
    @pytest.mark.parametrize("status", [200, 400])
    def test_a_refusal_of_the_call_may_come_in_a_200(self, status: int, code: int | str) -> None:
        with pytest.raises(CallRefusedError, match="campaign not found") as caught:
            replies((status, {"success": False, "code": code, "message": "campaign not found"}))
        assert caught.value.code == code

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_or_with_its_http_status_alone(self, status: int) -> None:
        with pytest.raises(CallRefusedError):
            replies((status, {"success": False, "message": "no"}))

    @pytest.mark.parametrize(
        "body",
        [
            {"success": False, "code": 400, "message": "bad target", "errors": ["target is empty"]},
            {"success": False, "code": 17, "message": "bad target", "errors": {"message": "target is empty"}},
            {"success": False, "errors": ["bad target", {"message": "target is empty"}]},
        ],
    )
    @pytest.mark.parametrize("status", [200, 400])
    def test_any_other_refusal_rejects_the_batch(self, status: int, body: Any) -> None:
        with pytest.raises(RequestRejectedError, match="bad target; target is empty"):
            replies((status, body))

    def test_a_throttling_code_in_a_200_is_waited_for(self) -> None:
        contacts = [SEND.contact({"user_id": "1"})]
        script = Script([(200, {"success": False, "code": 429}), (200, DONE)])
        assert list(script.play(SEND.request(contacts))) == [QUEUED]
        assert [sleep.throttled for sleep in script.sleeps] == [True]

    @pytest.mark.parametrize(
        "reply",
        [
            (500, {"success": False, "code": 404}),
            (200, {"success": False, "code": 500}),
            (503, {}),
            Response(202, b""),
            Response(200, b"<html>"),
            NoReplyError("cut"),
        ],
    )
    def test_a_fate_that_is_unknown_is_not_tried_again(self, reply: Any) -> None:
        script = Script([reply])
        with pytest.raises(OutcomeUnknownError):
            script.play(SEND.request([SEND.contact({"user_id": "1"})]))
        assert len(script.requests) == 1

    def test_a_malformed_reply_is_accepted_only_with_success(self) -> None:
        good = {"success": True, "code": 200, "message": "ok", "errors": [], "model": {"id": 1}}
        for body in damaged(good):
            try:
                ends = replies((200, body))
            except VendorError:
                continue
            if ends[0].status == "accepted":
                assert body["success"] is True
                assert not any(body.get("errors") or [])


class TestContacts:
    @pytest.mark.parametrize(
        ("target_by", "row", "key"),
        [
            ("user_id", {"user_id": "crm-user-1", "email": "jo@example.com"}, "crm-user-1"),
            ("user_id", {"user_id": 17}, "17"),
            ("user_id", {"user_id": " Jo "}, "Jo"),
            ("email", {"email": "Jo@Example.com"}, "Jo@Example.com"),
        ],
    )
    def test_the_key_is_the_target(self, target_by: str, row: dict[str, Any], key: str) -> None:
        assert ExecuteCampaign(PUSH, 1, target_by=target_by).contact(row).key == key

    def test_two_spellings_of_an_email_are_one_person(self) -> None:
        send = ExecuteCampaign(PUSH, 1, target_by="email")
        one, other = (send.contact({"email": email}) for email in ("Jo@Example.com", "jo@example.com"))
        assert one.key == "Jo@Example.com"
        assert one.identity == other.identity == "email:jo@example.com"

    def test_other_columns_are_variables_and_empty_ones_are_left_out(self) -> None:
        contact = SEND.contact({"user_id": "1", "fname": "Alex", "since": datetime(2021, 1, 1, tzinfo=UTC), "x": ""})
        assert contact.body == {"target": "1", "params": {"fname": "Alex", "since": "2021-01-01T00:00:00Z"}}

    def test_addresses_are_found_in_every_column(self) -> None:
        row = {"user_id": "jo@example.com", "mobile_number": 447700900123, "balance": "100 EUR"}
        assert SEND.contact(row).addresses == ("jo@example.com", "447700900123")

    @pytest.mark.parametrize(
        ("target_by", "row", "field"),
        [
            ("user_id", {"fname": "Alex"}, "user_id"),
            ("user_id", {"user_id": "  "}, "user_id"),
            ("user_id", {"user_id": True}, "user_id"),
            ("user_id", {"user_id": 1.5}, "user_id"),
            ("user_id", {"user_id": ["1"]}, "user_id"),
            ("email", {"email": "jo"}, "email"),
            ("email", {"email": 17}, "email"),
            ("user_id", {"user_id": "1", "thing": object()}, "row"),
        ],
    )
    def test_a_row_that_cannot_be_sent_says_which_field(self, target_by: str, row: dict[str, Any], field: str) -> None:
        with pytest.raises(InvalidContactError) as caught:
            ExecuteCampaign(PUSH, 1, target_by=target_by).contact(row)
        assert caught.value.field == field

    def test_a_delivery_knows_what_it_is(self) -> None:
        send = ExecuteCampaign(PUSH, 17, target_by="email")
        assert (send.vendor, send.campaign, send.batch_limit) == ("xtremepush", "17", 1000)
        assert send.requests_per_minute is None
        assert send.identity == {"campaign": "17", "target_by": "email"}
        assert send.required == (("email",),)


class TestReading:
    def test_a_campaign_is_asked_for_by_its_id(self) -> None:
        campaign, (request,) = drive(PUSH.campaign_info(17), (200, {**DONE, "model": {"id": 17, "active": 1}}))
        assert (request.method, request.path, request.effect) == ("POST", "/api/external/info/campaign", "read")
        assert request.json == {"apptoken": "YOURAPPTOKEN", "id": 17}
        assert campaign == {"id": 17, "active": 1}

    def test_a_list_is_read_page_by_page(self) -> None:
        pages = [[{"id": number} for number in range(50)], [{"id": 50}]]
        script = Script([(200, {**DONE, "data": page}) for page in pages])
        conversation = PUSH.list_campaigns(condition=[["active", "=", 1]], order=["id DESC"], select=["id"])
        assert script.play(conversation) == 51
        assert script.requests[1].path == "/api/external/list/campaign"
        assert script.requests[1].json == {
            "apptoken": "YOURAPPTOKEN",
            "condition": [["active", "=", 1]],
            "order": ["id DESC"],
            "select": ["id"],
            "limit": 50,
            "offset": 50,
        }
        assert script.items == pages[0] + pages[1]

    def test_without_filters_it_asks_for_everything(self) -> None:
        number, (request,) = drive(PUSH.list_campaigns(), (200, {**DONE, "data": None}))
        assert (number, list(request.json)) == (0, ["apptoken", "limit", "offset"])

    def test_one_campaign_of_the_list_proves_the_token(self) -> None:
        message, (request,) = drive(PUSH.check(), (200, {**DONE, "data": []}))
        assert message == "Xtremepush takes the app token"
        assert request.json == {"apptoken": "YOURAPPTOKEN", "limit": 1}
        assert request.effect == "read"

    @pytest.mark.parametrize("reply", [(200, {"hello": "world"}), (200, {"success": False, "code": 401}), (403, {})])
    def test_anything_else_does_not(self, reply: Any) -> None:
        with pytest.raises(CallRefusedError):
            drive(PUSH.check(), reply)

    def test_a_vendor_that_is_down_does_not(self) -> None:
        with pytest.raises(VendorUnavailableError):
            Script([(500, {})] * 8).play(PUSH.check())


class TestWatching:
    @pytest.mark.parametrize("active", [1, True, "1", "true"])
    def test_an_active_campaign_is_live(self, active: Any) -> None:
        progress, (request,) = drive(PUSH.poll_campaign("17"), (200, {**DONE, "model": {"active": active}}))
        assert (progress.state, progress.status, progress.details) == ("done", "live", {"active": active})
        assert request.json["select"] == ["id", "title", "active"]

    @pytest.mark.parametrize("model", [{"active": 0}, {"active": "0"}, {"active": None}, {"active": []}, {}, None, []])
    def test_any_other_is_waited_for(self, model: Any) -> None:
        progress, _ = drive(PUSH.poll_campaign("17"), (200, {**DONE, "model": model}))
        assert (progress.state, progress.status) == ("running", "not live")

    def test_an_unknown_campaign_is_an_error(self) -> None:
        with pytest.raises(CallRefusedError):
            drive(PUSH.poll_campaign("17"), (200, {"success": False, "code": 404, "message": "not found"}))
