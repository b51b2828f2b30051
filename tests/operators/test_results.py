"""What became of each contact, read from each vendor, and written to a file or a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator
from airflow_provider_campaigns.operators.collect import CollectResultsOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator, ExotelResultsOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator, OzonetelResultsOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator, XeboResultsOperator
from airflow_provider_campaigns.operators.xtremepush import (
    ExecuteXtremepushCampaignOperator,
    XtremepushResultsOperator,
)
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sandbox.xebo import export_id
from tests.connections import calls, connect, keep_tokens_in_memory
from tests.operators.contexts import MakeContext
from tests.operators.results import COLUMNS, connect_warehouse, execute, in_file, in_table, results, send_requests

IST = timezone(timedelta(hours=5, minutes=30))
SURVEY = "0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10"
COLLECTOR = "5f3b6f0e8c1d2a4b9e7f6a5c"
FLOW = "http://my.exotel.com/sandbox1/exoml/start_voice/4"
ANSWERS, BUSY, SILENT, WRONG = "+447700900100", "+447700900991", "+447700900992", "+447700900993"

Written = list[dict[str, Any]]
Write = Callable[..., tuple[dict[str, Any], Written]]


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, tmp_path: Path) -> None:
    keep_tokens_in_memory(monkeypatch)
    for vendor in ("collect", "exotel", "ozonetel", "xebo", "xtremepush"):
        connect(monkeypatch, sandbox, vendor, extra={"retry_limit": 0})
    connect_warehouse(monkeypatch, tmp_path)


@pytest.fixture(params=["file", "table"])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Return a function that makes an operator, executes it, and returns what it returns, and the rows it wrote."""

    def run(kind: type[CampaignResultsOperator[Any]], **options: Any) -> tuple[dict[str, Any], Written]:
        if request.param == "file":
            path = str(tmp_path / "results.jsonl")
            returned = kind(task_id="results", output_path=path, **options).execute({})
            rows = in_file(path)
            assert returned["path"] == path
        else:
            returned = kind(task_id="results", table="results", sql_conn_id="warehouse", **options).execute({})
            rows = in_table(tmp_path)
            assert returned["table"] == "results"
        assert returned["count"] == len(rows)
        assert [list(row) for row in rows] == [COLUMNS] * len(rows)
        return returned, rows

    return run


class TestExotel:
    @staticmethod
    def call(make_context: MakeContext, numbers: list[str], **options: Any) -> dict[str, Any]:
        operator = CreateExotelCampaignOperator(
            task_id="call", name="Renewals", caller_id="02025550100", url=FLOW, numbers=numbers, **options
        )
        return execute(operator, make_context)

    @pytest.mark.parametrize("shape", ["wrapped", "flat"])
    def test_each_number_of_a_campaign(
        self, shape: str, sandbox: SandboxClient, make_context: MakeContext, write: Write
    ) -> None:
        sandbox.control("exotel", call_details=shape)
        campaign = self.call(make_context, [ANSWERS, BUSY, SILENT, WRONG])
        sandbox.clock(advance=600)

        returned, rows = write(ExotelResultsOperator, receipt=campaign)

        assert results(rows) == {ANSWERS: "answered", BUSY: "busy", SILENT: "no_answer", WRONG: "failed"}
        assert returned["results"] == {"answered": 1, "busy": 1, "failed": 1, "no_answer": 1}
        assert [row["row"] for row in rows] == [1, 2, 3, 4]
        assert {(row["delivery"], row["status"]) for row in rows} == {(campaign["id"], "accepted")}
        assert (rows[0]["details"]["duration"], rows[0]["details"]["status"]) == (30, "completed")
        assert datetime.fromisoformat(rows[0]["result_at"]).utcoffset() == timedelta(0)
        assert len({row["vendor_id"] for row in rows}) == 4

    def test_numbers_that_were_not_rung(self, sandbox: SandboxClient, make_context: MakeContext, write: Write) -> None:
        campaign = self.call(make_context, [ANSWERS, BUSY])
        _, rows = write(ExotelResultsOperator, receipt={"campaign_id": campaign["id"]})
        assert results(rows) == {ANSWERS: "pending", BUSY: "pending"}

        sandbox.control("exotel", campaign=campaign["id"], status="Canceled")
        _, rows = write(ExotelResultsOperator, receipt=[campaign])
        assert results(rows) == {ANSWERS: "failed", BUSY: "failed"}

    def test_of_a_campaign_for_lists_the_numbers_that_were_rung(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        campaign = self.call(make_context, [ANSWERS, BUSY])
        sandbox.clock(advance=600)
        hook = "airflow_provider_campaigns.hooks.exotel.ExotelHook.get_campaign"
        monkeypatch.setattr(hook, lambda hook, campaign_id: {"id": campaign_id, "status": "Completed", "lists": ["7"]})

        _, rows = write(ExotelResultsOperator, receipt=campaign)

        assert [(row["row"], row["key"], row["result"]) for row in rows] == [
            (1, ANSWERS, "answered"),
            (2, BUSY, "busy"),
        ]

    @pytest.mark.parametrize(
        ("rung", "region", "expected"),
        [
            ("447700900100", None, ["busy", "pending"]),
            ("0044 7700 900100", None, ["busy", "pending"]),
            # It may be either of them.
            ("07700900100", None, ["pending", "pending"]),
            ("07700900100", "GB", ["busy", "pending"]),
            ("7700900100", "IN", ["pending", "busy"]),
            ("anonymous", "IN", ["pending", "pending"]),
        ],
    )
    def test_a_number_in_another_spelling(
        self,
        rung: str,
        region: str | None,
        expected: list[str],
        *,
        sandbox: SandboxClient,
        make_context: MakeContext,
        tmp_path: Path,
    ) -> None:
        campaign = self.call(make_context, ["+447700900100", "+917700900100"])
        call = {"number": rung, "status": "busy", "end_time": "2026-03-01T10:00:00+05:30"}
        sandbox.fault("reply", vendor="exotel", path="call-details", body={"response": [call]}, status=200)
        path = str(tmp_path / "results.jsonl")
        ExotelResultsOperator(task_id="results", receipt=campaign, region=region, output_path=path).execute({})
        assert [row["result"] for row in in_file(path)] == expected


class TestOzonetel:
    @pytest.fixture(autouse=True)
    def noon(self, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the vendor's clock be at noon in India, tomorrow: no test runs past midnight."""
        now = datetime.fromtimestamp(sandbox.clock(), UTC).astimezone(IST)
        noon = now.replace(hour=12, minute=0) + timedelta(days=1)
        sandbox.clock(advance=(noon - now).total_seconds())
        sandbox.control("ozonetel", seconds_per_lead=1)
        monkeypatch.setattr(OzonetelResultsOperator, "_today", lambda self: noon.date())

    @staticmethod
    def add(make_context: MakeContext, numbers: list[str], folder: Path | None = None, **options: Any) -> Any:
        leads = [{"phoneNumber": number} for number in numbers]
        path = str(folder) if folder else None
        operator = AddCampaignLeadOperator(
            task_id="add", campaign_name="Demo", action="START", contacts=leads, outcomes_path=path, **options
        )
        return execute(operator, make_context)

    def test_each_lead(self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path) -> None:
        dnd, wrong = "+447700900996", "no number"
        numbers = [ANSWERS, BUSY, SILENT, WRONG, ANSWERS, dnd, wrong]
        receipt = self.add(make_context, numbers, tmp_path / "outcomes")
        sandbox.clock(advance=60)

        returned, rows = write(OzonetelResultsOperator, receipt=receipt)

        assert [(row["row"], row["status"], row["result"]) for row in rows] == [
            (1, "accepted", "answered"),
            (2, "accepted", "busy"),
            (3, "accepted", "no_answer"),
            (4, "accepted", "failed"),
            (5, "duplicate", "answered"),
            (6, "rejected", None),
            (7, "invalid", None),
        ]
        assert returned["results"] == {"answered": 2, "busy": 1, "failed": 1, "no_answer": 1, "none": 2}
        assert {row["delivery"] for row in rows} == {receipt["outcomes_path"]}
        assert rows[0]["details"]["TalkTime"] == "00:00:30"
        assert rows[0]["vendor_id"]
        # A day at a time, since the delivery began.
        assert calls(sandbox, "ozonetel").count("call_records") == 2

    def test_leads_that_are_not_dialled_yet(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        receipt = self.add(make_context, [ANSWERS], tmp_path / "outcomes")
        assert results(write(OzonetelResultsOperator, receipt=receipt)[1]) == {ANSWERS: "pending"}
        sandbox.clock(advance=60)
        assert results(write(OzonetelResultsOperator, receipt=receipt)[1]) == {ANSWERS: "answered"}

    def test_calls_before_the_delivery_are_those_of_another(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        receipt = self.add(make_context, [ANSWERS], tmp_path / "outcomes")
        sandbox.clock(advance=60)
        later = datetime.fromtimestamp(sandbox.clock(), UTC)
        _, rows = write(OzonetelResultsOperator, receipt=receipt, since=later.isoformat())
        assert results(rows) == {ANSWERS: "pending"}

    def test_days_that_the_vendor_does_not_have_are_refused(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        receipt = self.add(make_context, [ANSWERS], tmp_path / "outcomes")
        operator = OzonetelResultsOperator(
            task_id="results", receipt=receipt, since="2026-01-01", output_path=str(tmp_path / "results.jsonl")
        )
        with pytest.raises(InputError, match="one of the last 15 days in India"):
            operator.execute({})
        assert "call_records" not in calls(sandbox, "ozonetel")


class TestXebo:
    CONTACTS = (
        {"extUniqueId": "c-1", "email": "zoe@example.com"},
        {"extUniqueId": "partial-2", "email": "ada@example.com"},
        {"extUniqueId": "disqualified-3"},
        {"extUniqueId": "rejected-4"},
        {"extUniqueId": "c-5"},
    )

    @staticmethod
    def survey(make_context: MakeContext, contacts: Any, **options: Any) -> Any:
        operator = TriggerSurveyOperator(
            task_id="send",
            collector_id=COLLECTOR,
            collector_token="example-collector-token",
            contacts=contacts,
            **options,
        )
        return execute(operator, make_context)

    def test_each_contact(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        receipt = self.survey(make_context, list(self.CONTACTS[:4]), outcomes_path=str(tmp_path / "outcomes"))
        sandbox.clock(advance=61)
        late = self.survey(make_context, [self.CONTACTS[4]], outcomes_path=str(tmp_path / "late"))

        _, rows = write(XeboResultsOperator, receipt=[receipt, late], survey_id=SURVEY)

        assert sorted((row["key"], row["status"], row["result"]) for row in rows) == [
            ("c-1", "accepted", "completed"),
            ("c-5", "accepted", "pending"),
            ("disqualified-3", "accepted", "responded"),
            ("partial-2", "accepted", "responded"),
            ("rejected-4", "rejected", None),
        ]
        done = next(row for row in rows if row["key"] == "c-1")
        assert done["details"]["response_status"] == 1
        assert "email" not in done["details"]

    @pytest.mark.parametrize(
        ("medium", "sent", "answered"),
        [
            ("email", {"email": "Zoe@example.com"}, {"email": "zoe@EXAMPLE.com"}),
            ("sms", {"mobile": "+447700900100"}, {"mobile": "00447700900100"}),
            ("email", {"email": "zoe@example.com"}, {"extUniqueId": "its-own-id", "email": "zoe@example.com"}),
        ],
    )
    def test_a_person_in_another_spelling(
        self,
        medium: Any,
        sent: dict[str, str],
        answered: dict[str, str],
        *,
        sandbox: SandboxClient,
        make_context: MakeContext,
        write: Write,
        tmp_path: Path,
    ) -> None:
        receipt = self.survey(make_context, [sent], medium=medium, outcomes_path=str(tmp_path / "outcomes"))
        response = {"response_status": 1, "submitted_at": "2026-03-01 10:00:00", **answered}
        body = {"data": [response, {"response_status": 1, "email": "nobody@example.com"}]}
        sandbox.fault("reply", vendor="xebo", path="responses", body=body, status=200)

        _, rows = write(XeboResultsOperator, receipt=receipt, survey_id=SURVEY, since="2026-01-01")

        assert [(row["result"], row["result_at"]) for row in rows] == [("completed", "2026-03-01T10:00:00+00:00")]

    def test_only_some_collectors(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        receipt = self.survey(make_context, [self.CONTACTS[0]], outcomes_path=str(tmp_path / "outcomes"))
        sandbox.clock(advance=61)
        found = [
            results(write(XeboResultsOperator, receipt=receipt, survey_id=SURVEY, collector_ids=ids)[1])["c-1"]
            for ids in ([export_id(COLLECTOR)], json.dumps([export_id("another")]))
        ]
        # What is there is not replaced in a table.
        assert found[0] == "completed"
        assert found[1] in {"pending", "completed"}


class TestCollect:
    EMAILS = (
        "done@example.com",
        "waiting@example.com",
        "pending@example.com",
        "error@example.com",
        "cancelled@example.com",
        "rejected@example.com",
    )

    def test_each_request_of_a_hundred_a_page(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        emails = [*self.EMAILS, *(f"contact{number}@example.com" for number in range(120))]
        receipt = send_requests(make_context, emails, outcomes_path=str(tmp_path / "outcomes"))
        sandbox.clock(advance=61)

        returned, rows = write(CollectResultsOperator, receipt=receipt)

        assert [results(rows)[email] for email in self.EMAILS] == [
            "completed",
            "responded",
            "pending",
            "failed",
            "failed",
            None,
        ]
        assert returned["results"] == {"completed": 121, "failed": 2, "none": 1, "pending": 1, "responded": 1}
        lists = calls(sandbox, "collect")
        assert "get_request" not in lists
        # Two pages, then the cancelled and the archived ones.
        assert lists.count("list_requests") == 4
        assert {name for row in rows if row["details"] for name in row["details"]} <= {
            "status",
            "createdAt",
            "dueDate",
            "assignedTo",
        }

    def test_a_request_of_an_earlier_delivery_is_not_that_of_this_one(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        send_requests(make_context, self.EMAILS[:1])
        sandbox.clock(advance=61)
        receipt = send_requests(make_context, self.EMAILS[:1], outcomes_path=str(tmp_path / "outcomes"))
        assert results(write(CollectResultsOperator, receipt=receipt)[1]) == {"done@example.com": "pending"}

    def test_a_contact_whose_outcome_is_unknown_is_found_by_its_address(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        sandbox.fault("500-after", vendor="collect", path="/v1/request", method="POST")
        emails = ["zoe@example.com", "ada@example.com"]
        receipt = send_requests(
            make_context, emails, outcomes_path=str(tmp_path / "outcomes"), on_unknown="skip", batch_size=1
        )
        assert receipt["unknown"] <= 1
        sandbox.clock(advance=61)
        assert results(write(CollectResultsOperator, receipt=receipt)[1]) == dict.fromkeys(emails, "completed")


class TestXtremepush:
    USERS = ("user-1", "unregistered-2", "rejected-3")

    @staticmethod
    def execute_campaign(make_context: MakeContext, users: Any, folder: Path) -> Any:
        operator = ExecuteXtremepushCampaignOperator(
            task_id="send",
            campaign_id=7345,
            contacts=[{"user_id": user} for user in users],
            outcomes_path=str(folder),
        )
        return execute(operator, make_context)

    def test_each_contact(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        users = [*self.USERS, *(f"more-{number}" for number in range(60))]
        receipt = self.execute_campaign(make_context, users, tmp_path / "outcomes")

        returned, rows = write(XtremepushResultsOperator, receipt=receipt)

        assert [row["result"] for row in rows[:3]] == ["delivered", "failed", "failed"]
        assert returned["results"] == {"delivered": 61, "failed": 2}
        assert [row["details"].get("error_message") for row in rows[:3]] == [
            None,
            "DEVICE_UNREGISTERED",
            "Not personalized",
        ]
        assert calls(sandbox, "xtremepush").count("list_pushes") == 2

    def test_rows_that_name_devices_alone_leave_users_pending(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        sandbox.control("xtremepush", push_devices="devices")
        receipt = self.execute_campaign(make_context, self.USERS, tmp_path / "outcomes")
        assert results(write(XtremepushResultsOperator, receipt=receipt)[1]) == dict.fromkeys(self.USERS, "pending")

    def test_of_several_devices_one_that_was_reached_counts(
        self, sandbox: SandboxClient, make_context: MakeContext, write: Write, tmp_path: Path
    ) -> None:
        receipt = self.execute_campaign(make_context, ["zoe", "ada", "eve"], tmp_path / "outcomes")
        data = [
            {"user_id": "zoe", "error": None, "create_time": 4_000_000_000},
            {"user_id": "zoe", "error": 1, "create_time": 4_000_000_001},
            {"user_id": "ada", "open": 1, "create_time": "4000-01-01 00:00:00"},
            {"user_id": "eve", "error": 1, "error_message": "Hard bounce"},
        ]
        sandbox.fault(
            "reply", vendor="xtremepush", path="push-devices", body={"success": True, "data": data}, status=200
        )
        _, rows = write(XtremepushResultsOperator, receipt=receipt)
        assert results(rows) == {"zoe": "delivered", "ada": "opened", "eve": "bounced"}
