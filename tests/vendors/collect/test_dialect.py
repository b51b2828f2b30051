"""Collect's credentials, and its calls that change, read and watch requests, from the vendor's pages."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import Response
from airflow_provider_campaigns.vendors.collect.dialect import MOST_LISTED, parse_date
from tests.vendors.collect.samples import CAMPAIGN, COLLECT, ROW, SAMPLES, SEND, made, sent
from tests.vendors.conversations import Script, drive


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

    def test_of_requests_that_were_not_looked_for_none_is_kept(self) -> None:
        def page(number: int) -> Response:
            listed = [made(f"al-{number}@example.com", number, note="x" * 2_000) for _ in range(99)]
            jo = made("jo@example.com", number, createdAt="2024-12-04T07:20:06Z")
            return Response(200, json.dumps([*listed, jo]).encode())

        search = COLLECT.find_requests(CAMPAIGN, "jo@example.com", datetime(2022, 7, 4, tzinfo=UTC))
        next(search)
        tracemalloc.start()
        try:
            for number in range(40):
                search.send(page(number))
            assert tracemalloc.get_traced_memory()[0] < 2_000_000
        finally:
            tracemalloc.stop()
        with pytest.raises(StopIteration) as end:
            search.send(Response(200, b"[]"))
        assert len(end.value.value) == 40

    @pytest.mark.parametrize(
        ("text", "when"),
        [
            ("2022-07-04 07:20:06 UTC", datetime(2022, 7, 4, 7, 20, 6, tzinfo=UTC)),
            ("2024-12-04T07:20:06Z", datetime(2024, 12, 4, 7, 20, 6, tzinfo=UTC)),
            ("2024-12-04T07:20:06", None),
            ("2022-07-04 07:20:06UTC ", datetime(2022, 7, 4, 7, 20, 6, tzinfo=UTC)),
            ("UTC", None),
            ("soon", None),
            pytest.param(f"a{' ' * 1_000_000}b", None, id="a long text", marks=pytest.mark.timeout(20)),
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
