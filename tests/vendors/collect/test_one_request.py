"""Collect's call for one request: as the vendor's page shows it, and every reply with its outcome."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
)
from airflow_provider_campaigns.protocol.messages import NoReplyError, Response
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from tests.vendors.collect.samples import CAMPAIGN, COLLECT, ROW, SAMPLES, SEND, batch, sent
from tests.vendors.conversations import Reply, Script, drive
from tests.vendors.malformed import damaged

PORTAL = SAMPLES["reply"]["request"]["portalUrl"]


def single(reply: Any, row: dict[str, Any] | None = None) -> ContactReply:
    (end,), _ = drive(SEND.request([SEND.contact(row or ROW)]), (200, reply))
    return end


def reply_with(**changes: Any) -> dict[str, Any]:
    reply: dict[str, Any] = deepcopy(SAMPLES["reply"])
    return reply | {"request": reply["request"] | changes}


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
