"""Collect, from the vendor's pages: requests as they show them, and every reply they show with its outcome."""

from __future__ import annotations

from base64 import b64decode
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

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
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.collect.dialect import MOST_LISTED, Collect, parse_date
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from tests.vendors.conversations import Reply, Script, drive
from tests.vendors.malformed import damaged, page

SAMPLES = page("collect")
CAMPAIGN = SAMPLES["request"]["campaignId"]
COLLECT = Collect(api_key="a-key")
SEND = SendCollectRequest(COLLECT, CAMPAIGN)
ROW = {"email": "jo@example.com"}
PORTAL = SAMPLES["reply"]["request"]["portalUrl"]


def sent(send: SendCollectRequest, *rows: dict[str, Any]) -> Any:
    """Return the only request that a batch of ``rows`` makes."""
    _, (request,) = drive(send.request([send.contact(row) for row in rows]), (200, SAMPLES["reply"]))
    return request


def single(reply: Any, row: dict[str, Any] | None = None) -> ContactReply:
    (end,), _ = drive(SEND.request([SEND.contact(row or ROW)]), (200, reply))
    return end


def batch(*names: str) -> list[Contact]:
    return [SEND.contact({"email": name} if "@" in name else {"contactId": name}) for name in names]


def many(reply: Any, *names: str) -> list[ContactReply]:
    ends, _ = drive(SEND.request(batch(*names)), (200, reply))
    return list(ends)


def made(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    contact = {"_id": "C-9", "email": name} if "@" in name else {"_id": name}
    return {"_id": f"R-{number}", "portalUrl": f"https://portal.example.com/{number}", "contact": contact, **more}


def reply_with(**changes: Any) -> dict[str, Any]:
    reply: dict[str, Any] = deepcopy(SAMPLES["reply"])
    return reply | {"request": reply["request"] | changes}


class TestCredentials:
    def test_the_user_is_empty_and_the_key_is_the_password(self) -> None:
        request = sent(SEND, ROW)
        kind, _, credentials = request.headers["Authorization"].partition(" ")
        assert (kind, b64decode(credentials)) == ("Basic", b":a-key")

    def test_the_key_is_never_shown(self) -> None:
        assert "a-key" not in repr(COLLECT)
        assert "a-key" not in repr(SEND)
        with pytest.raises(CallRefusedError) as caught:
            drive(COLLECT.check(), (401, {"message": "wrong key a-key"}))
        assert "a-key" not in str(caught.value)


class TestOneRequest:
    def test_it_is_as_on_the_page(self) -> None:
        row = {"email": "jo@example.com", "firstName": "Jo", "lastName": "Doe", "company": "Example Motors"}
        request = sent(SEND, {**row, "brand": "Example", "model": "Roadster"})
        assert (request.method, request.path, request.effect) == ("POST", "/v1/request", "write")
        assert request.json == SAMPLES["request"]

    @pytest.mark.parametrize("column", ["contact", "contactId", "_id"])
    def test_an_id_alone_is_an_existing_contact(self, column: str) -> None:
        request = sent(SEND, {column: "WmTjsFknzHdmfs3Ra", "email": "", "firstName": None})
        assert request.json == SAMPLES["request_to_known"]

    def test_the_campaigns_part_has_the_pages_names(self) -> None:
        send = SendCollectRequest(
            COLLECT,
            CAMPAIGN,
            items=["I-1", "I-2"],
            data={"invoice": 7},
            samples={"itemId": "I-1", "url": "https://example.com/sample.pdf"},
            due_date="2026-03-01T18:00:00Z",
            created_by="U-1",
            assigned_to="al@example.com",
            send_message=False,
        )
        assert sent(send, ROW).json == {
            "campaignId": CAMPAIGN,
            "contact": {"email": "jo@example.com"},
            "items": ["I-1", "I-2"],
            "data": {"invoice": 7},
            "sample": {"itemId": "I-1", "url": "https://example.com/sample.pdf"},
            "dueDate": "2026-03-01T18:00:00+00:00",
            "createdBy": "U-1",
            "assignedTo": "al@example.com",
            "sendMessage": False,
        }

    @pytest.mark.parametrize(
        ("due", "text"),
        [
            (datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T09:00:00+02:00"),
            ("2026-03-01 09:00:00+00:00", "2026-03-01T09:00:00+00:00"),
            ("2026-03-01", "2026-03-01"),
            (date(2026, 3, 1), "2026-03-01"),
        ],
    )
    def test_a_due_date_goes_out_as_iso_8601(self, due: Any, text: str) -> None:
        assert sent(SendCollectRequest(COLLECT, CAMPAIGN, due_date=due), ROW).json["dueDate"] == text

    @pytest.mark.parametrize("due", [datetime(2026, 3, 1, 9), "2026-03-01T09:00", "tomorrow", 17])  # noqa: DTZ001
    def test_a_due_date_without_a_time_zone_is_refused_at_once(self, due: Any) -> None:
        with pytest.raises(InputError, match="due_date: expected a date and time with a time zone"):
            SendCollectRequest(COLLECT, CAMPAIGN, due_date=due)

    def test_it_is_not_repeated_when_its_fate_is_unknown(self) -> None:
        replies: list[Reply] = [NoReplyError("cut"), (500, {}), Response(200, b"<html>")]
        for reply in replies:
            script = Script([reply])
            with pytest.raises(OutcomeUnknownError):
                script.play(SEND.request(batch("jo@example.com")))
            assert len(script.requests) == 1
        assert SEND.safe_to_resend == ""

    @pytest.mark.parametrize("status", [429, 503])
    def test_it_is_repeated_when_the_vendor_says_later(self, status: int) -> None:
        (end,), requests = drive(SEND.request(batch("jo@example.com")), (status, {}), (200, SAMPLES["reply"]))
        assert (end.status, len(requests)) == ("accepted", 2)

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_refusals_of_the_call_end_it(self, status: int) -> None:
        with pytest.raises(CallRefusedError, match=f"HTTP {status}"):
            drive(SEND.request(batch("jo@example.com")), (status, {}))

    def test_an_invalid_request_is_rejected_in_the_vendors_words(self) -> None:
        with pytest.raises(RequestRejectedError, match="firstName is too long"):
            drive(SEND.request(batch("jo@example.com")), (400, {"errors": [{"message": "firstName is too long"}]}))


class TestOneReply:
    def test_the_reply_on_the_page_is_accepted(self) -> None:
        assert single(SAMPLES["reply"]) == ContactReply("accepted", vendor_id="nw42MmBsJoccgutST", url=PORTAL)

    @pytest.mark.parametrize(
        ("errors", "message"),
        [
            (["no such item"], "no such item"),
            ([{"message": "no such item"}, {"code": 7}], 'no such item; {"code": 7}'),
            ("no such item", "no such item"),
            ({"error": "jo@example.com is blocked"}, "*** is blocked"),
        ],
    )
    def test_errors_beside_no_request_refuse_it_on_a_200_too(self, errors: Any, message: str) -> None:
        end = single({"request": None, "errors": errors})
        assert end == ContactReply("rejected", reason="refused by the vendor", message=message)

    @pytest.mark.parametrize(
        ("errors", "message"),
        [
            (["message not sent"], "message not sent"),
            ("jo@example.com gets no message", "*** gets no message"),
            ([{"message": "no such sample"}, {"code": 7}], 'no such sample; {"code": 7}'),
            ([], None),
        ],
    )
    def test_errors_beside_a_request_that_was_made_are_kept_as_its_message(
        self, errors: Any, message: str | None
    ) -> None:
        end = single({**SAMPLES["reply"], "errors": errors})
        assert (end.status, end.vendor_id, end.url, end.message) == ("accepted", "nw42MmBsJoccgutST", PORTAL, message)

    def test_a_request_whose_sending_failed_is_rejected(self) -> None:
        end = single(reply_with(status="error"))
        assert (end.status, end.message) == ("rejected", "sending failed")
        end = single({**reply_with(status="error"), "errors": ["no such address"]})
        assert (end.status, end.message) == ("rejected", "no such address")

    @pytest.mark.parametrize("reply", [{}, [], {"request": None, "errors": []}, {"request": {}}, {"request": "R-1"}])
    def test_a_reply_without_a_request_is_unknown(self, reply: Any) -> None:
        assert single(reply).status == "unknown"

    def test_a_malformed_reply_accepts_only_what_has_an_id(self) -> None:
        for body in damaged(SAMPLES["reply"]):
            try:
                ((end,), _) = drive(SEND.request(batch("jo@example.com")), (200, body))
            except VendorError:
                continue
            if end.status == "accepted":
                assert end.vendor_id == str(body["request"]["_id"])


class TestManyRequests:
    def test_they_are_as_on_the_page(self) -> None:
        request = sent(SEND, {"contactId": "WmTjsFknzHdmfs3Ra"}, SAMPLES["requests"]["contacts"][1])
        assert (request.method, request.path, request.effect) == ("POST", "/v1/requests", "write")
        assert request.json == SAMPLES["requests"]
        assert (SEND.batch_limit, SEND.requests_per_minute) == (50, None)

    def test_samples_go_out_as_a_list(self) -> None:
        sample = {"itemId": "I-1", "url": "https://example.com/sample.pdf"}
        for samples in (sample, [sample]):
            send = SendCollectRequest(COLLECT, CAMPAIGN, samples=samples)
            assert sent(send, {"contactId": "C-1"}, {"contactId": "C-2"}).json["samples"] == [sample]

    @pytest.mark.parametrize(
        "extra",
        [
            {"data": {"invoice": 7}},
            {"created_by": "U-1"},
            {"esign_docs": [{"itemId": "I-1"}]},
            {"esign_triggers": {"when": "completed"}},
            {"send_completion_message": False},
            {"send_rejection_message": True},
            {"send_reopen_message": False},
        ],
    )
    def test_what_it_cannot_take_is_sent_contact_by_contact(self, extra: dict[str, Any]) -> None:
        assert SendCollectRequest(COLLECT, CAMPAIGN, **extra).batch_limit == 1

    def test_several_samples_need_it(self) -> None:
        samples = [{"itemId": str(number), "url": "https://example.com"} for number in (1, 2)]
        send = SendCollectRequest(COLLECT, CAMPAIGN, samples=samples)
        assert sent(send, ROW).path == "/v1/requests"
        with pytest.raises(InputError, match="samples: expected one sample when created_by is given"):
            SendCollectRequest(COLLECT, CAMPAIGN, samples=samples, created_by="U-1")

    @pytest.mark.parametrize("parameter", [{"items": "doc-1"}, {"data": "{'brand': 'Acme'}"}, {"samples": "[]"}])
    def test_what_a_template_rendered_as_text_is_refused_at_once(self, parameter: dict[str, Any]) -> None:
        with pytest.raises(InputError, match=r"got (text|str)"):
            SendCollectRequest(COLLECT, CAMPAIGN, **parameter)

    @pytest.mark.parametrize("campaign_id", ["", "  ", "None", None, 5, True])
    def test_no_campaign_is_refused_at_once(self, campaign_id: Any) -> None:
        with pytest.raises(InputError, match=r"^campaign_id: expected the id of a campaign"):
            SendCollectRequest(COLLECT, campaign_id)

    @pytest.mark.parametrize(
        "wrong",
        [
            *({"items": 5}, {"data": [1]}, {"samples": 5}, {"samples": [5]}, {"created_by": 5}, {"assigned_to": ["x"]}),
            *({"esign_docs": "I-1"}, {"esign_triggers": 5}, {"overrides": ["x"]}),
            *(
                {"overrides": {"contact": "C-1"}},
                {"overrides": {"esignDocs": []}},
                {"overrides": {"sendMessage": True}},
            ),
        ],
    )
    def test_what_is_no_list_object_or_text_is_refused_at_once(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(InputError, match=f"^{next(iter(wrong))}: expected"):
            SendCollectRequest(COLLECT, CAMPAIGN, **wrong)

    def test_the_newest_pages_fields_and_overrides(self) -> None:
        send = SendCollectRequest(
            COLLECT,
            CAMPAIGN,
            send_completion_message=False,
            send_rejection_message=True,
            send_reopen_message=False,
            esign_docs=[{"itemId": "I-1"}],
            esign_triggers={"when": "completed"},
            overrides={"reminders": 3},
        )
        assert sent(send, ROW).json == {
            "campaignId": CAMPAIGN,
            "contact": ROW,
            "esignDocs": [{"itemId": "I-1"}],
            "esignTriggers": {"when": "completed"},
            "sendCompletionMessage": False,
            "sendRejectionMessage": True,
            "sendReopenMessage": False,
            "reminders": 3,
        }

    def test_overrides_go_with_the_call_for_many_too(self) -> None:
        send = SendCollectRequest(COLLECT, CAMPAIGN, overrides={"reminders": 3})
        assert sent(send, {"contactId": "C-1"}, {"contactId": "C-2"}).json["reminders"] == 3

    def test_values_that_json_cannot_hold_make_a_contact_invalid(self) -> None:
        itself: dict[str, Any] = {}
        itself["itself"] = itself
        for value in (b"\xff", itself):
            with pytest.raises(InvalidContactError):
                SendCollectRequest(COLLECT, CAMPAIGN).contact({**ROW, "note": value})


class TestManyReplies:
    def test_requests_are_matched_by_email_in_any_case_or_by_id(self) -> None:
        reply = {"requests": [made("C-1", 1), made("Jo@Example.com", 2)], "errors": []}
        ends = many(reply, "jo@example.com", "C-1")
        assert ends == [
            ContactReply("accepted", vendor_id="R-2", url="https://portal.example.com/2"),
            ContactReply("accepted", vendor_id="R-1", url="https://portal.example.com/1"),
        ]

    def test_a_contact_may_be_named_by_its_id_alone(self) -> None:
        reply = {"requests": [{"_id": "R-1", "contact": "C-1"}]}
        assert [end.status for end in many(reply, "C-1", "C-2")] == ["accepted", "unknown"]

    def test_who_is_missing_is_unknown(self) -> None:
        _, missing = many({"requests": [made("jo@example.com")]}, "jo@example.com", "al@example.com")
        assert missing == ContactReply("unknown", reason="not in the reply")

    def test_who_is_there_twice_is_unknown(self) -> None:
        reply = {"requests": [made("jo@example.com", 1), made("jo@example.com", 2), made("al@example.com", 3)]}
        ends = many(reply, "jo@example.com", "al@example.com")
        assert [end.status for end in ends] == ["unknown", "accepted"]
        assert ends[0].reason == "more than once in the reply"

    @pytest.mark.parametrize(
        "error",
        [
            "al@example.com is blocked",
            {"contact": "Al@Example.com", "why": "blocked"},
            {"contact": "al@example.com", "message": "blocked"},
        ],
    )
    def test_who_is_missing_and_named_by_an_error_is_rejected(self, error: Any) -> None:
        reply = {"requests": [made("jo@example.com")], "errors": [error, "something else"]}
        jo, al, val = many(reply, "jo@example.com", "al@example.com", "val@example.com")
        assert (jo.status, al.status, val.status) == ("accepted", "rejected", "unknown")
        assert "something else" not in (al.message or "")
        assert "al@example.com" not in (al.message or "").lower()

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            ("val@example.com is blocked", "unknown"),
            ("al@example.com.invalid is blocked", "unknown"),
            ("not sent: al@example.com.", "rejected"),
        ],
    )
    def test_a_longer_address_names_somebody_else(self, error: str, status: str) -> None:
        _, al = many({"requests": [made("jo@example.com")], "errors": [error]}, "jo@example.com", "al@example.com")
        assert al.status == status

    @pytest.mark.parametrize(
        ("errors", "statuses"),
        [
            # Named by one of them; a person who is not in the batch; nobody, so all; one named and one not.
            ([{"contact": "b@example.com"}], ["unknown", "rejected"]),
            (["b@example.com is blocked"], ["unknown", "rejected"]),
            ({"email": "B@example.com", "message": "blocked"}, ["unknown", "rejected"]),
            ([{"contact": "a@example.com"}, {"contact": "b@example.com"}], ["rejected", "rejected"]),
            ([{"contact": "c@example.com"}], ["unknown", "unknown"]),
            (["c@example.com is blocked"], ["unknown", "unknown"]),
            ([{"contactId": "WmTjsFknzHdmfs3Ra"}], ["unknown", "unknown"]),
            (["plan limit reached"], ["rejected", "rejected"]),
            ([{"code": 7}], ["rejected", "rejected"]),
            ([{"contact": "b@example.com"}, "plan limit reached"], ["rejected", "rejected"]),
        ],
    )
    @pytest.mark.parametrize("requests", [[], None])
    def test_errors_without_a_request_concern_those_they_name(
        self, requests: Any, errors: Any, statuses: list[str]
    ) -> None:
        ends = many({"requests": requests, "errors": errors}, "a@example.com", "b@example.com")
        assert [end.status for end in ends] == statuses

    def test_errors_that_name_a_contact_whose_request_was_made_are_its_message(self) -> None:
        reply = {"requests": [made("jo@example.com")], "errors": [{"contact": "jo@example.com", "message": "no SMS"}]}
        jo, al = many(reply, "jo@example.com", "al@example.com")
        assert (jo.status, jo.message, al.status) == ("accepted", "no SMS", "unknown")

    @pytest.mark.parametrize("requests", [[], None])
    def test_errors_and_no_request_at_all_refuse_everybody(self, requests: Any) -> None:
        ends = many({"requests": requests, "errors": ["plan limit reached"]}, "jo@example.com", "C-1")
        assert [(end.status, end.message) for end in ends] == [("rejected", "plan limit reached")] * 2

    def test_a_malformed_reply_accepts_nobody_it_does_not_name(self) -> None:
        good = {"requests": [made("jo@example.com", 1), made("C-1", 2)], "errors": ["x"]}
        for body in damaged(good):
            try:
                ends, _ = drive(SEND.request(batch("jo@example.com", "C-1")), (200, body))
            except VendorError:
                continue
            ids = [end.vendor_id for end in ends if end.status == "accepted"]
            requests = body.get("requests") if isinstance(body, dict) else None
            requests = requests if isinstance(requests, list) else []
            assert set(ids) <= {str(item.get("_id")) for item in requests if isinstance(item, dict)}, body


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


class TestUpdate:
    def test_the_id_goes_into_the_body(self) -> None:
        conversation = COLLECT.update_request(
            "R-1",
            status="canceled",
            due_date="2026-03-01",
            data={"a": 1},
            assigned_to="unset",
            send_completion_message=True,
            send_rejection_message=False,
            send_reopen_message=True,
        )
        request, (sent_request,) = drive(conversation, (200, SAMPLES["reply"]))
        assert (sent_request.method, sent_request.path, sent_request.effect) == ("PATCH", "/v1/request", "write")
        assert sent_request.safe_to_resend == ""
        assert sent_request.json == {
            "requestId": "R-1",
            "status": "canceled",
            "dueDate": "2026-03-01",
            "data": {"a": 1},
            "assignedTo": "unset",
            "sendCompletionMessage": True,
            "sendRejectionMessage": False,
            "sendReopenMessage": True,
        }
        assert request == SAMPLES["reply"]["request"]

    def test_what_is_not_given_stays_as_it_is(self) -> None:
        _, (request,) = drive(COLLECT.update_request("R-1", status="archived"), (200, SAMPLES["reply"]))
        assert request.json == {"requestId": "R-1", "status": "archived"}

    def test_nothing_to_change_is_refused_at_once(self) -> None:
        with pytest.raises(InputError, match="something to change"):
            drive(COLLECT.update_request("R-1"))

    def test_errors_in_the_reply_refuse_it(self) -> None:
        with pytest.raises(RequestRejectedError, match="no such status"):
            drive(COLLECT.update_request("R-1", status="x"), (200, {"request": None, "errors": ["no such status"]}))

    @pytest.mark.parametrize("reply", [{}, [], {"request": None, "errors": []}])
    def test_a_reply_that_says_nothing_is_unknown(self, reply: Any) -> None:
        with pytest.raises(OutcomeUnknownError, match="neither a request nor errors"):
            drive(COLLECT.update_request("R-1", status="x"), (200, reply))


class TestReading:
    def test_one_request_is_asked_for_by_its_id(self) -> None:
        request = SAMPLES["reply"]["request"]
        result, (asked,) = drive(COLLECT.get_request("R/1"), (200, request))
        assert (asked.method, asked.path, asked.effect) == ("GET", "/v1/requests/R%2F1", "read")
        assert result == request

    def test_a_list_is_read_page_by_page(self) -> None:
        pages = [[{"_id": str(number)} for number in range(100)], [{"_id": "last"}]]
        script = Script([(200, page) for page in pages])
        assert script.play(COLLECT.list_requests(CAMPAIGN, status="due", search="jo")) == 101
        assert [request.params for request in script.requests] == [
            {"campaignId": CAMPAIGN, "offset": offset, "limit": 100, "filter": "due", "search": "jo"}
            for offset in (0, 100)
        ]
        assert script.items == pages[0] + pages[1]

    def test_a_list_that_is_none_is_empty(self) -> None:
        assert drive(COLLECT.list_requests(CAMPAIGN), (200, {"requests": []}))[0] == 0

    def test_requests_to_an_address_are_found_from_a_moment_on(self) -> None:
        since = datetime(2022, 7, 4, 7, 20, 6, tzinfo=UTC)
        listed = [
            made("Jo@example.com", 1, createdAt="2022-07-04 07:20:06 UTC"),
            made("jo@example.com", 2, createdAt="2024-12-04T07:20:06Z"),
            made("jo@example.com", 3, createdAt="2022-07-04 07:20:05 UTC"),
            made("al@example.com", 4, createdAt="2024-12-04T07:20:06Z"),
            made("jo@example.com", 5, createdAt="soon"),
            made("jo@example.com", 6),
            made("jo@example.com", 7, createdAt="2024-12-04T07:20:06Z", campaignId="another"),
            made("jo@example.com", 8, createdAt="2024-12-04T07:20:06Z", campaignId=CAMPAIGN),
            None,
        ]
        script = Script([(200, listed)])
        # The vendor's dates have no fractions: a request that was made after .5 reads as if before.
        found = script.play(COLLECT.find_requests(CAMPAIGN, "jo@example.com", since + timedelta(seconds=0.5)))
        assert [request["_id"] for request in found] == ["R-1", "R-2", "R-8"]
        assert script.requests[0].params["search"] == "jo@example.com"
        assert script.pages == []

    @pytest.mark.parametrize(
        ("text", "when"),
        [
            ("2022-07-04 07:20:06 UTC", datetime(2022, 7, 4, 7, 20, 6, tzinfo=UTC)),
            ("2024-12-04T07:20:06Z", datetime(2024, 12, 4, 7, 20, 6, tzinfo=UTC)),
            ("2024-12-04T07:20:06", None),
            ("soon", None),
            (None, None),
            (17, None),
        ],
    )
    def test_both_date_forms_are_read(self, text: Any, when: datetime | None) -> None:
        assert parse_date(text) == when

    def test_a_team_proves_the_key(self) -> None:
        message, (request,) = drive(COLLECT.check(), (200, {"_id": "T-1", "name": "Example", "tz": "Europe/Paris"}))
        assert (request.method, request.path, request.effect) == ("GET", "/v1/team", "read")
        assert message == "Collect takes the API key (team Example)"

    def test_another_hosts_answer_does_not(self) -> None:
        with pytest.raises(CallRefusedError, match="check the connection's host"):
            drive(COLLECT.check(), (200, {"hello": "world"}))

    def test_a_vendor_that_is_down_does_not(self) -> None:
        with pytest.raises(VendorUnavailableError):
            Script([(503, {})] * 8).play(COLLECT.check())


class TestWatching:
    @pytest.mark.parametrize(
        ("statuses", "state"),
        [
            (["completed"], "done"),
            (["completed", "completed"], "done"),
            (["completed", "pending"], "running"),
            (["pending"], "running"),
            (["due"], "running"),
            (["waiting"], "running"),
            (["a status of our own"], "running"),
            ([None], "running"),
            (["completed", "error"], "failed"),
            (["pending", "cancelled"], "failed"),
            (["pending", "canceled"], "failed"),
            (["archived"], "failed"),
        ],
    )
    def test_all_must_be_completed_and_none_may_have_failed(self, statuses: list[Any], state: str) -> None:
        ids = [f"R-{number}" for number in range(len(statuses))]
        replies = [(200, {"_id": name, "status": status}) for name, status in zip(ids, statuses, strict=True)]
        progress, requests = drive(COLLECT.poll_requests(ids), *replies)
        assert progress.state == state
        assert [request.path for request in requests] == [f"/v1/requests/{name}" for name in ids]

    def test_those_of_a_campaign_are_read_from_its_list(self) -> None:
        ids = [f"R-{number}" for number in range(150)]
        listed = [{"_id": name, "status": "completed"} for name in (*ids[:149], "of somebody else")]
        replies = [(200, listed[:100]), (200, [*listed[100:], "no object", {"_id": ["R-0"]}])]
        one = (200, {"_id": ids[149], "status": "archived"})

        progress, requests = drive(COLLECT.poll_requests(ids, "KYC"), *replies, one)

        assert progress.details["counts"] == {"completed": 149, "archived": 1}
        assert [request.path for request in requests] == ["/v1/requests", "/v1/requests", "/v1/requests/R-149"]
        assert [request.params["offset"] for request in requests[:2]] == [0, 100]

    @pytest.mark.parametrize(
        ("number", "pages", "lists"),
        [
            # One call each costs no more.
            (1, [], 0),
            # Requests of others, on more pages than are worth it.
            (4, [[{"_id": f"other-{page}-{row}"} for row in range(100)] for page in range(2)], 2),
            # A vendor that does not turn the page.
            (8, [[{"_id": f"other-{row}"} for row in range(100)]] * 2, 2),
        ],
    )
    def test_a_list_that_takes_too_long_is_given_up(self, number: int, pages: list[Any], lists: int) -> None:
        ids = [f"R-{row}" for row in range(number)]
        ones = [(200, {"_id": name, "status": "completed"}) for name in ids]
        progress, requests = drive(COLLECT.poll_requests(ids, "KYC"), *[(200, page) for page in pages], *ones)
        assert progress.state == "done"
        assert [request.path for request in requests].count("/v1/requests") == lists

    def test_it_says_how_many_are_where(self) -> None:
        replies = [(200, {"status": status}) for status in ("completed", "pending")]
        progress, _ = drive(COLLECT.poll_requests(["R-1", "R-2"]), *replies)
        assert progress.status == "1 completed, 1 pending"
        assert progress.details == {
            "counts": {"completed": 1, "pending": 1},
            "requests": {"R-2": "pending", "R-1": "completed"},
        }

    def test_one_id_may_come_as_text(self) -> None:
        progress, _ = drive(COLLECT.poll_requests("R-1"), (200, {"status": "pending"}))
        assert (progress.status, progress.details["requests"]) == ("pending", {"R-1": "pending"})

    def test_only_so_many_are_named(self) -> None:
        ids = [f"R-{number}" for number in range(MOST_LISTED + 1)]
        progress, _ = drive(COLLECT.poll_requests(ids), *[(200, {"status": "completed"})] * len(ids))
        assert (progress.details["counts"], len(progress.details["requests"])) == ({"completed": 101}, 100)

    def test_no_ids_are_refused_at_once(self) -> None:
        with pytest.raises(InputError, match="request_ids: expected at least one id"):
            drive(COLLECT.poll_requests([]))
