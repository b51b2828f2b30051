"""Collect's call for many requests: as the vendor's page shows it, and what its reply says of each contact."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError, VendorError
from airflow_provider_campaigns.protocol.send import ContactReply
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from tests.vendors.collect.samples import CAMPAIGN, COLLECT, ROW, SAMPLES, SEND, batch, made, sent
from tests.vendors.conversations import drive
from tests.vendors.malformed import damaged


def many(reply: Any, *names: str) -> list[ContactReply]:
    ends, _ = drive(SEND.request(batch(*names)), (200, reply))
    return list(ends)


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

    @pytest.mark.parametrize("errors", [[], ["C-9 is blocked"], ["jo@example.com is blocked"]])
    def test_a_request_that_fits_two_contacts_decides_neither(self, errors: list[str]) -> None:
        ends = many({"requests": [made("jo@example.com")], "errors": errors}, "C-9", "jo@example.com", "al@example.com")
        assert [(end.status, end.vendor_id) for end in ends] == [("unknown", None)] * 3
        assert ends[0].reason == "the reply names it in a way that fits several contacts"

    @pytest.mark.parametrize(
        ("errors", "statuses"),
        [
            pytest.param(["x" * 1_000_000], ["rejected", "rejected"], id="one word"),
            pytest.param([f"e{number}" for number in range(100_000)], ["rejected", "rejected"], id="many errors"),
            pytest.param(["jo@example.com " * 50_000], ["rejected", "unknown"], id="a name again and again"),
        ],
    )
    def test_errors_without_end_take_no_more_time_than_their_length(
        self, errors: list[str], statuses: list[str]
    ) -> None:
        ends = many({"requests": [], "errors": errors}, "jo@example.com", "al@example.com")
        assert [end.status for end in ends] == statuses

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
