"""Reading and counting the responses to a Xebo survey, from the vendor's pages."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError, VendorUnavailableError
from tests.vendors.conversations import Script, drive
from tests.vendors.xebo.samples import KEY, SAMPLES


class TestResponses:
    SURVEY = SAMPLES["export_request"]["survey_id"]

    def test_the_request_is_as_on_the_page(self) -> None:
        conversation = KEY.responses(
            self.SURVEY,
            collector_ids=SAMPLES["export_request"]["collector_ids"],
            since="2024-08-05",
            until=date(2024, 8, 6),
            response_status=(0, 1, 2),
        )
        number, (request,) = drive(conversation, (200, []))
        assert (request.method, request.path, request.effect) == ("POST", "/api/v1/export/responses/json", "read")
        assert request.json == SAMPLES["export_request"]
        assert request.params == {"page": 1, "page_size": 250}
        assert number == 0

    def test_until_is_tomorrow_by_default(self) -> None:
        _, (request,) = drive(KEY.responses(self.SURVEY, since=datetime(2024, 8, 5, 23, tzinfo=UTC)), (200, []))
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        assert request.json["date_filter"]["operand"] == ["2024-08-05", tomorrow.isoformat()]

    def test_until_alone_is_refused(self) -> None:
        with pytest.raises(InputError, match="since: expected a first day"):
            drive(KEY.responses(self.SURVEY, until="2024-08-05"))

    @pytest.mark.parametrize(
        ("filters", "field"),
        [
            ({"since": "2024-08-05", "until": "2024-08-04"}, "until"),
            ({"since": "2024-08-05", "until": "tomorrow"}, "until"),
            ({"response_status": (3,)}, "response_status"),
            ({"response_status": ()}, "response_status"),
            ({"response_status": ["complete"]}, "response_status"),
        ],
    )
    def test_filters_that_cannot_be_meant_are_refused(self, filters: dict[str, Any], field: str) -> None:
        with pytest.raises(InputError) as caught:
            drive(KEY.responses(self.SURVEY, **filters))
        assert caught.value.field == field

    def test_pages_are_read_until_one_is_not_full(self) -> None:
        script = Script([(200, [{"id": 1}, {"id": 2}]), (200, [{"id": 3}])])
        assert script.play(KEY.responses(self.SURVEY, page_size=2)) == 3
        assert [request.params["page"] for request in script.requests] == [1, 2]
        assert script.items == [{"id": 1}, {"id": 2}, {"id": 3}]

    def test_a_vendor_that_does_not_turn_the_page_is_not_asked_for_ever(self) -> None:
        script = Script([(200, [1, 2])] * 2)
        with pytest.raises(VendorUnavailableError, match="page 2 of the list has been there before"):
            script.play(KEY.responses(self.SURVEY, page_size=2))
        assert script.items == [1, 2]

    @pytest.mark.parametrize(
        "body",
        [
            [1, 2, 3],
            {"data": [1, 2, 3]},
            {"success": True, "responses": [1, 2, 3]},
            {"result": [1, 2, 3]},
            {"results": [1, 2, 3]},
            {"rows": [1, 2, 3]},
            {"data": {"total": 3, "responses": [1, 2, 3]}},
        ],
    )
    def test_the_list_is_found_wherever_it_may_be(self, body: Any) -> None:
        progress, _ = drive(KEY.count_responses(self.SURVEY, 3), (200, body))
        assert (progress.state, progress.details) == ("done", {"responses": 3})

    @pytest.mark.parametrize("body", [{}, {"data": None}, {"message": "no data"}, {"data": "x"}])
    def test_no_list_is_no_responses_and_is_logged(self, body: Any, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            progress, _ = drive(KEY.count_responses(self.SURVEY, 1), (200, body))
        assert (progress.state, progress.status) == ("running", "0 of 1 responses")
        assert "no list of responses" in caplog.text

    def test_counting_asks_for_complete_responses_only_and_stops_when_there_are_enough(self) -> None:
        pages = [(200, list(range(start, start + 250))) for start in (0, 250)]
        progress, requests = drive(KEY.count_responses(self.SURVEY, 300, ["c"], "2024-08-05"), *pages)
        assert progress.state == "done"
        assert requests[0].json["response_status"] == [1]
        assert requests[0].json["collector_ids"] == ["c"]
        assert requests[0].json["date_filter"]["operand"][0] == "2024-08-05"

    def test_a_day_that_is_none_is_refused(self) -> None:
        with pytest.raises(InputError, match="since: expected a date and time with a time zone"):
            drive(KEY.count_responses(self.SURVEY, 1, since="yesterday"))
