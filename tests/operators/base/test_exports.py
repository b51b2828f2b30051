"""What vendors report, written to files: whole, in any place, whatever their size."""

from __future__ import annotations

import inspect
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import BaseOperator, ObjectStoragePath

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, VendorUnavailableError
from airflow_provider_campaigns.operators.base.exports import write_lines
from airflow_provider_campaigns.operators.ozonetel import ExportOzonetelCallDetailsOperator
from airflow_provider_campaigns.operators.xebo import ExportXeboResponsesOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sandbox.xebo import export_id
from tests.connections import calls, connect, keep_tokens_in_memory
from tests.delivery.conftest import empty_bucket

IST = timezone(timedelta(hours=5, minutes=30))
SURVEY = "0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10"


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    for vendor in ("ozonetel", "xebo"):
        connect(monkeypatch, sandbox, vendor, extra={"retry_limit": 0})


def lines(path: str | Path) -> list[dict[str, Any]]:
    file = ObjectStoragePath(path) if "://" in str(path) else Path(path)
    return [json.loads(line) for line in file.read_bytes().decode().splitlines()]


class TestFiles:
    def test_one_object_a_line_in_a_new_folder(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "calls.jsonl"
        assert write_lines([{"name": "Zoë"}, {"n": 2}], str(path)) == {"path": str(path), "count": 2}
        assert path.read_text(encoding="utf-8") == '{"name": "Zoë"}\n{"n": 2}\n'

    def test_nothing_is_an_empty_file(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.jsonl"
        assert write_lines([], str(path))["count"] == 0
        assert path.read_text() == ""

    @pytest.mark.parametrize("place", ["local", "bucket"])
    def test_nothing_does_not_replace_a_file_that_has_rows(
        self, place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = f"{tmp_path if place == 'local' else empty_bucket()}/calls.jsonl"
        assert write_lines([], path) == write_lines([], path) == {"path": path, "count": 0}
        write_lines([{"n": 1}], path)
        assert write_lines([], path) == {"path": path, "count": 0, "kept": True}
        assert lines(path) == [{"n": 1}]
        assert "lists nothing; the earlier" in caplog.text

    def test_a_lone_surrogate_is_a_question_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "calls.jsonl"
        write_lines([{"name": "Zo\ud800"}], str(path))
        assert path.read_text() == '{"name": "Zo?"}\n'

    def test_only_its_owner_may_read_it(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "calls.jsonl"
        write_lines([{"n": 1}], str(path))
        assert [path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777] == [0o600, 0o700]

    def test_object_storage(self) -> None:
        url = f"{empty_bucket()}/calls.jsonl"
        assert write_lines([{"n": 1}], url) == {"path": url, "count": 1}
        assert lines(url) == [{"n": 1}]

    @pytest.mark.parametrize("place", ["local", "bucket"])
    def test_what_breaks_off_leaves_the_earlier_file(self, place: str, tmp_path: Path) -> None:
        path = f"{tmp_path if place == 'local' else empty_bucket()}/calls.jsonl"

        def broken() -> Iterator[dict[str, int]]:
            yield {"n": 2}
            raise VendorUnavailableError("ozonetel", "gone")

        write_lines([{"n": 1}], path)
        with pytest.raises(VendorUnavailableError):
            write_lines(broken(), path)
        assert lines(path) == [{"n": 1}]
        if place == "local":
            assert [file.name for file in tmp_path.iterdir()] == ["calls.jsonl"]

    @pytest.mark.parametrize("path", ["", "folder", "/dev/null", "nowhere://bucket/calls.jsonl", "/etc/calls.jsonl"])
    def test_where_nothing_can_be_written_nothing_is_asked_for(
        self, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", f"{tmp_path},/dev,nowhere://bucket")

        def items() -> Iterator[dict[str, int]]:
            pytest.fail("asked for")
            yield {}

        with pytest.raises(InputError) as caught:
            write_lines(items(), str(tmp_path) if path == "folder" else path)
        assert caught.value.field == "output_path"

    @pytest.mark.slow
    def test_a_hundred_thousand_take_no_more_memory_than_one(self, tmp_path: Path) -> None:
        items = ({"CallID": number, "CallerID": "+447700900100"} for number in range(100_000))
        tracemalloc.start()
        try:
            assert write_lines(items, str(tmp_path / "calls.jsonl"))["count"] == 100_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000
        assert (tmp_path / "calls.jsonl").stat().st_size > 4_000_000


def export_calls(path: Path, **changes: Any) -> ExportOzonetelCallDetailsOperator:
    parameters = {
        "campaign_name": "Demo",
        "day": datetime.now(IST).date(),
        "output_path": str(path / "calls.jsonl"),
        **changes,
    }
    return ExportOzonetelCallDetailsOperator(task_id="export", **parameters)


class TestOzonetelCalls:
    @pytest.fixture
    def day(self, sandbox: SandboxClient) -> date:
        """A day of Indian time, at noon of which the sandbox's campaigns dial."""
        now = datetime.fromtimestamp(sandbox.clock(), UTC).astimezone(IST)
        noon = now.replace(hour=12, minute=0) + timedelta(days=1)
        sandbox.clock(advance=(noon - now).total_seconds())
        sandbox.control("ozonetel", seconds_per_lead=0.001)
        return noon.date()

    @staticmethod
    def dial(sandbox: SandboxClient, campaign: str, number_of_leads: int) -> None:
        hook = export_calls(Path()).hook
        for first in range(0, number_of_leads, 500):
            rows = [[str(1000 + row)] for row in range(first, min(first + 500, number_of_leads))]
            bulk = {"map": ["PhoneNumber"], "data": rows}
            body = {"apiKey": "ozonetel-sandbox-key", "userName": "sandbox", "campaignName": campaign, "bulkData": bulk}
            path = "/cloudAgentRestAPI/index.php/AddCampaignBulkDataV4/addBulkData/format/json"
            hook.call("POST", path, json=body)
        hook.set_campaign_status(campaign, "Start")
        sandbox.clock(advance=60)

    def test_every_page_of_a_day_at_two_a_minute(
        self, day: date, sandbox: SandboxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.dial(sandbox, "Demo", 1_200)
        connect(monkeypatch, sandbox, "ozonetel", extra={"requests_per_minute": None})
        operator = export_calls(tmp_path, day=day)
        waited: list[float] = []
        # The vendor's clock runs while the operator waits.
        operator.hook.transport._sleep = lambda seconds: waited.append(seconds) or sandbox.clock(advance=seconds)  # type: ignore[assignment, func-returns-value]

        assert operator.execute({}) == {"path": str(tmp_path / "calls.jsonl"), "count": 1_200}

        assert [line["CallerID"] for line in lines(tmp_path / "calls.jsonl")] == [str(1000 + n) for n in range(1_200)]
        assert calls(sandbox, "ozonetel").count("call_records") == 3
        assert waited[0] == pytest.approx(30, abs=2)

    @pytest.mark.parametrize("form", [date.isoformat, lambda day: day, lambda day: pendulum.Date(*day.timetuple()[:3])])
    def test_a_day_in_any_form(self, form: Any, day: date, sandbox: SandboxClient, tmp_path: Path) -> None:
        self.dial(sandbox, "Demo", 3)
        assert export_calls(tmp_path, day=form(day)).execute({})["count"] == 3

    def test_of_one_campaign_or_of_all(self, day: date, sandbox: SandboxClient, tmp_path: Path) -> None:
        self.dial(sandbox, "Demo", 3)
        self.dial(sandbox, "Progressive", 2)
        exported = [export_calls(tmp_path, day=day, campaign_name=name).execute({})["count"] for name in ("Demo", None)]
        assert exported == [3, 5]

    @pytest.mark.parametrize("day", ["yesterday", "2026-03", "", datetime(2026, 3, 1, tzinfo=UTC), None])
    def test_what_is_no_day_is_refused(self, day: Any, sandbox: SandboxClient, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="day: expected a day, YYYY-MM-DD"):
            export_calls(tmp_path, day=day).execute({})
        assert sandbox.received()["requests"] == []

    def test_a_vendor_that_fails_leaves_the_earlier_file(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        (tmp_path / "calls.jsonl").write_text("{}\n")
        sandbox.fault("500", vendor="ozonetel", path="fetchCdr")
        with pytest.raises(VendorUnavailableError):
            export_calls(tmp_path).execute({})
        assert lines(tmp_path / "calls.jsonl") == [{}]


def export_responses(path: Path, **changes: Any) -> ExportXeboResponsesOperator:
    parameters = {"survey_id": SURVEY, "output_path": str(path / "responses.jsonl"), **changes}
    return ExportXeboResponsesOperator(task_id="export", **parameters)


class TestXeboResponses:
    def test_every_page(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        sandbox.control("xebo", answers=600, collector="spring")
        assert export_responses(tmp_path).execute({}) == {"path": str(tmp_path / "responses.jsonl"), "count": 600}
        exported = lines(tmp_path / "responses.jsonl")
        assert len({line["extUniqueId"] for line in exported}) == 600
        assert {line["collector_id"] for line in exported} == {export_id("spring")}
        assert calls(sandbox, "xebo") == ["responses"] * 3

    @pytest.mark.parametrize(
        ("since", "until", "count"),
        [(-1, None, 5), (-1, 1, 5), (-3, -2, 0), (2, 3, 0)],
    )
    def test_of_some_days(
        self, since: int, until: int | None, count: int, sandbox: SandboxClient, tmp_path: Path
    ) -> None:
        sandbox.control("xebo", answers=5, collector="spring")
        days = {
            name: (datetime.now(UTC).date() + timedelta(days=shift)).isoformat()
            for name, shift in (("since", since), ("until", until))
            if shift is not None
        }
        assert export_responses(tmp_path, **days).execute({})["count"] == count

    def test_of_some_collectors_and_statuses(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        for collector, status, answers in (("spring", 1, 3), ("spring", 0, 4), ("autumn", 1, 5)):
            sandbox.control("xebo", answers=answers, collector=collector, status=status)
        spring = json.dumps([export_id("spring")])
        exported = [
            export_responses(tmp_path, **options).execute({})["count"]
            for options in (
                {},
                {"response_status": (0, 1)},
                {"collector_ids": spring},
                {"response_status": "[0]"},
                {"response_status": ["0"]},
            )
        ]
        assert exported == [8, 12, 3, 4, 4]

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"since": "yesterday"}, "since"),
            ({"until": "2026-03-01"}, "since"),
            ({"since": "2026-03-02", "until": "2026-03-01"}, "until"),
            ({"response_status": "complete"}, "response_status"),
            ({"collector_ids": "spring"}, "collector_ids"),
        ],
    )
    def test_bad_input_is_refused_before_the_first_request(
        self, options: dict[str, Any], field: str, sandbox: SandboxClient, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError) as caught:
            export_responses(tmp_path, **options).execute({})
        assert caught.value.field == field
        assert sandbox.received()["requests"] == []

    def test_an_unknown_survey(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        with pytest.raises(CallRefusedError, match="Survey not found"):
            export_responses(tmp_path, survey_id="unknown").execute({})
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operator", [ExportOzonetelCallDetailsOperator, ExportXeboResponsesOperator])
def test_every_parameter_is_templated(operator: type[BaseOperator]) -> None:
    parameters = inspect.signature(inspect.unwrap(operator.__init__)).parameters
    own = {name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY}
    assert own <= set(operator.template_fields)
    assert any(name.endswith("_conn_id") for name in operator.template_fields)
