"""Exotel campaigns listed and updated, and their calls exported."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.operators.exotel import (
    ExportExotelCallDetailsOperator,
    ListExotelCampaignsOperator,
    UpdateExotelCampaignOperator,
)
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.status import with_count
from tests.connections import calls
from tests.operators.contexts import MakeContext
from tests.operators.exotel.campaigns import BUSY, FAILING, FLOW, NUMBERS, campaigns, create, killed


class TestList:
    @staticmethod
    def fill(count: int) -> None:
        """Create campaigns in one request: the limit is 30 a minute."""
        create().hook.call(
            "POST",
            "/v2/accounts/sandbox1/campaigns",
            json={
                "campaigns": [
                    {"from": NUMBERS, "caller_id": "02025550100", "url": FLOW, "name": f"Campaign {number:04}"}
                    for number in range(count)
                ]
            },
        )

    def test_all_pages(self, sandbox: SandboxClient) -> None:
        self.fill(1001)
        found: Any = ListExotelCampaignsOperator(task_id="list", sort_by="name:desc").execute({})
        assert [one["name"] for one in found] == [f"Campaign {number:04}" for number in reversed(range(1001))]
        assert {one["from"] for one in found} == {2}
        requests = [one for one in sandbox.received("exotel")["requests"] if one["call"] == "list_campaigns"]
        assert [one["query"] for one in requests] == [
            f"offset={offset}&limit=500&sort_by=name%3Adesc" for offset in (0, 500, 1000)
        ]

    @pytest.mark.parametrize("limit", [3, "3"])
    def test_limit(self, limit: Any, sandbox: SandboxClient) -> None:
        self.fill(5)
        assert len(ListExotelCampaignsOperator(task_id="list", limit=limit).execute({})) == 3

    def test_a_limit_that_is_no_number(self, sandbox: SandboxClient) -> None:
        with pytest.raises(InputError, match="limit: expected a whole number from 1, got 'all'"):
            ListExotelCampaignsOperator(task_id="list", limit="all").execute({})

    @pytest.mark.parametrize("status", ["Paused,Completed", ["Paused", "Completed"]])
    def test_statuses(self, status: Any, sandbox: SandboxClient) -> None:
        self.fill(3)
        paused = campaigns(sandbox)[1]["id"]
        UpdateExotelCampaignOperator(task_id="pause", campaign_id=paused, action="pause").execute({})
        found: Any = ListExotelCampaignsOperator(task_id="list", status=status).execute({})
        assert [one["id"] for one in found] == [paused]

    def test_name(self, sandbox: SandboxClient) -> None:
        self.fill(3)
        found: Any = ListExotelCampaignsOperator(task_id="list", name="Campaign 0002").execute({})
        assert [one["name"] for one in found] == ["Campaign 0002"]

    def test_to_a_file(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        self.fill(2)
        path = tmp_path / "new" / "campaigns.jsonl"
        result = ListExotelCampaignsOperator(task_id="list", output_path=str(path)).execute({})
        assert result == {"path": str(path), "count": 2}
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(line["name"], line["from"]) for line in lines] == [(f"Campaign 000{n}", NUMBERS) for n in range(2)]

    def test_numbers_in_one_text_are_counted_too(self) -> None:
        assert with_count({"from": ",".join(NUMBERS)}) == {"from": 2}
        assert with_count({"lists": ["a"]}) == {"lists": ["a"]}
        assert with_count({"from": dict.fromkeys(NUMBERS, 1)}) == {"from": 2}

    @pytest.mark.parametrize("number", [447700900001, 4.5, True])
    def test_what_is_no_list_of_numbers_is_not_shown(self, number: object) -> None:
        assert with_count({"id": "c", "from": number}) == {"id": "c", "from": None}


class TestUpdate:
    @pytest.fixture
    def campaign_id(self, sandbox: SandboxClient, make_context: MakeContext) -> str:
        return str(create().execute(make_context())["id"])

    @staticmethod
    def update(campaign_id: str, action: Any) -> dict[str, Any]:
        return UpdateExotelCampaignOperator(task_id="update", campaign_id=campaign_id, action=action).execute({})

    def test_actions(self, campaign_id: str) -> None:
        reported = [self.update(campaign_id, action) for action in ("pause", "resume", "pause", "complete", "archive")]
        assert [one["status"] for one in reported] == ["Paused", "Created", "Paused", "Completed", "Archived"]
        assert {one["from"] for one in reported} == {2}

    @pytest.mark.parametrize(
        ("actions", "status"),
        [(["resume"], "Created"), (["pause"] * 2, "Paused"), (["pause", "complete", "complete"], "Completed")],
    )
    def test_an_action_that_is_done_already(self, actions: list[str], status: str, campaign_id: str) -> None:
        assert [self.update(campaign_id, action) for action in actions][-1]["status"] == status

    @pytest.mark.parametrize(("elapsed", "status"), [(0, "Created"), (61, "InProgress")])
    def test_complete_pauses_a_campaign_that_is_running_first(
        self, elapsed: int, status: str, campaign_id: str, sandbox: SandboxClient
    ) -> None:
        sandbox.clock(advance=elapsed)
        assert [one["status"] for one in campaigns(sandbox)] == [status]
        assert self.update(campaign_id, "complete")["status"] == "Completed"
        assert calls(sandbox, "exotel").count("update_campaign") == 2
        assert self.update(campaign_id, "complete")["status"] == "Completed"

    def test_complete_after_a_crash_between_the_two(self, campaign_id: str, sandbox: SandboxClient) -> None:
        operator = UpdateExotelCampaignOperator(task_id="update", campaign_id=campaign_id, action="complete")
        request = operator.hook.update_campaign
        operator.hook.update_campaign = lambda *given: killed(request(*given))  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            operator.execute({})
        assert [one["status"] for one in campaigns(sandbox)] == ["Paused"]
        assert self.update(campaign_id, "complete")["status"] == "Completed"

    def test_complete_of_a_campaign_that_comes_to_its_end_meanwhile(
        self, campaign_id: str, sandbox: SandboxClient
    ) -> None:
        operator = UpdateExotelCampaignOperator(task_id="update", campaign_id=campaign_id, action="complete")
        poll = operator.hook.get_campaign

        def poll_and_wait(campaign_id: str) -> dict[str, Any]:
            campaign = poll(campaign_id)
            sandbox.clock(advance=3600)
            return campaign

        operator.hook.get_campaign = poll_and_wait  # type: ignore[method-assign]
        assert operator.execute({})["status"] == "Completed"

    @pytest.mark.parametrize("fault", ["drop", "500-after", "reset"])
    def test_complete_when_a_reply_is_lost(self, fault: str, campaign_id: str, sandbox: SandboxClient) -> None:
        sandbox.fault(fault, vendor="exotel", method="PUT")
        with suppress(OutcomeUnknownError):
            self.update(campaign_id, "complete")
        assert self.update(campaign_id, "complete")["status"] == "Completed"

    def test_complete_of_a_campaign_that_was_archived(self, campaign_id: str) -> None:
        for action in ("complete", "archive", "complete"):
            campaign = self.update(campaign_id, action)
        assert campaign["status"] == "Archived"

    def test_complete_of_a_campaign_that_failed(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        campaign_id = create(numbers=[FAILING]).execute(make_context(run_id="another"))["id"]
        sandbox.clock(advance=3600)
        with pytest.raises(RequestRejectedError, match="Campaign is Failed, complete is not possible"):
            self.update(campaign_id, "complete")

    def test_an_action_that_is_not_possible(self, campaign_id: str) -> None:
        with pytest.raises(RequestRejectedError, match="Campaign is Created, archive is not possible"):
            self.update(campaign_id, "archive")

    def test_another_action(self, campaign_id: str) -> None:
        with pytest.raises(InputError, match="action: expected pause, resume, complete, archive, got stop"):
            self.update(campaign_id, "stop")

    @pytest.mark.parametrize(("fault", "done"), [("drop", True), ("reset", False)])
    def test_a_resume_whose_reply_is_lost(
        self, fault: str, done: bool, campaign_id: str, sandbox: SandboxClient
    ) -> None:
        self.update(campaign_id, "pause")
        sandbox.fault(fault, vendor="exotel", method="PUT")
        if done:
            assert self.update(campaign_id, "resume")["status"] == "Created"
        else:
            with pytest.raises(OutcomeUnknownError):
                self.update(campaign_id, "resume")

    def test_an_unknown_campaign(self, sandbox: SandboxClient) -> None:
        with pytest.raises(CallRefusedError, match="HTTP 404"):
            self.update("unknown", "pause")


class TestExport:
    def test_the_calls_of_a_campaign(self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path) -> None:
        numbers = [*(f"+4477009001{n:02}" for n in range(40)), BUSY]
        campaign = create(numbers=numbers).execute(make_context())
        sandbox.clock(advance=3600)
        path = tmp_path / "calls.jsonl"
        path.write_text("from an earlier try\n")
        result = ExportExotelCallDetailsOperator(
            task_id="export", campaign_id=campaign["id"], output_path=str(path)
        ).execute({})
        assert result == {"path": str(path), "count": 41}
        calls = [json.loads(line) for line in path.read_text().splitlines()]
        assert [call["number"] for call in calls] == numbers
        assert calls[-1]["status"] == "busy"

    def test_pages_that_break_off_leave_the_earlier_file(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        campaign = create(numbers=[f"+4477009001{n:02}" for n in range(30)]).execute(make_context())
        sandbox.clock(advance=3600)
        sandbox.fault("500", vendor="exotel", path="call-details", skip=1)
        path = tmp_path / "calls.jsonl"
        path.write_text("from an earlier try\n")
        with pytest.raises(VendorUnavailableError):
            ExportExotelCallDetailsOperator(
                task_id="export", campaign_id=campaign["id"], output_path=str(path)
            ).execute({})
        assert path.read_text() == "from an earlier try\n"
        assert list(tmp_path.iterdir()) == [path]
