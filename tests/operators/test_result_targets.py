"""Where results are written, how they are joined to the outcomes, and what of a vendor's replies may be in them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, VendorUnavailableError
from airflow_provider_campaigns.operators.base.result_join import Contacted, ResultJoin
from airflow_provider_campaigns.operators.base.result_target import ResultFile
from airflow_provider_campaigns.operators.collect import CollectResultsOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.common.results import ContactResult
from tests.connections import calls, connect
from tests.operators.contexts import MakeContext
from tests.operators.results import COLUMNS, connect_warehouse, in_file, in_table, results, send_requests

IST = timezone(timedelta(hours=5, minutes=30))
ANSWERS, BUSY = "+447700900100", "+447700900991"
EMAILS = ("done@example.com", "waiting@example.com")


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, tmp_path: Path) -> None:
    connect(monkeypatch, sandbox, "collect", extra={"retry_limit": 0})
    connect_warehouse(monkeypatch, tmp_path)


def collect_results(receipt: Any, folder: Path, **options: Any) -> CollectResultsOperator:
    where = options.keys() & {"output_path", "table"} or {"output_path": str(folder / "results.jsonl")}
    given = where if isinstance(where, dict) else {}
    return CollectResultsOperator(task_id="results", receipt=receipt, **{**given, **options})


@pytest.fixture
def sent(sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path) -> dict[str, Any]:
    """The receipt of two requests at Collect."""
    return send_requests(make_context, EMAILS, outcomes_path=str(tmp_path / "out"))


class TestPlaces:
    @pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
    def test_files(self, suffix: str, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient) -> None:
        path = tmp_path / "new" / f"results{suffix}"
        sandbox.clock(advance=61)
        returned = collect_results(sent, tmp_path, output_path=str(path)).execute({})
        assert returned == {"path": str(path), "count": 2, "results": {"completed": 1, "responded": 1}}
        rows = in_file(path)
        assert [list(row) for row in rows] == [COLUMNS, COLUMNS]
        assert [(row["row"], row["key"], row["result"], row["details"]["status"]) for row in rows] == [
            (1, "done@example.com", "completed", "completed"),
            (2, "waiting@example.com", "responded", "waiting"),
        ]
        assert path.stat().st_mode & 0o777 == 0o600

    def test_a_merge_brings_rows_up_to_date(self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient) -> None:
        operator = collect_results(sent, tmp_path, table="results", sql_conn_id="warehouse")
        operator.execute({})
        assert set(results(in_table(tmp_path)).values()) == {"pending"}
        sandbox.clock(advance=61)
        operator.execute({})
        expected = {"done@example.com": "completed", "waiting@example.com": "responded"}
        assert results(in_table(tmp_path)) == expected

    def test_a_merge_keeps_what_the_vendor_no_longer_lists(
        self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient
    ) -> None:
        sandbox.clock(advance=61)
        operator = collect_results(sent, tmp_path, table="results", sql_conn_id="warehouse")
        operator.execute({})
        before = in_table(tmp_path)
        sandbox.fault("reply", vendor="collect", path="/v1/requests", body=[], status=200, times=-1)
        assert operator.execute({})["results"] == {"pending": 2}
        assert in_table(tmp_path) == before

    def test_deliveries_share_a_table(self, sent: dict[str, Any], make_context: MakeContext, tmp_path: Path) -> None:
        other = send_requests(make_context, EMAILS, outcomes_path=str(tmp_path / "other"))
        for receipt in (sent, other, sent):
            collect_results(receipt, tmp_path, table="main.results", sql_conn_id="warehouse").execute({})
        assert len(in_table(tmp_path)) == 4

    def test_append_adds_rows(self, sent: dict[str, Any], tmp_path: Path) -> None:
        operator = collect_results(sent, tmp_path, table="results", sql_conn_id="warehouse", table_mode="append")
        operator.execute({})
        operator.execute({})
        assert len(in_table(tmp_path)) == 4

    def test_a_vendor_that_fails_leaves_file_and_table_as_they_were(
        self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient
    ) -> None:
        for options in ({}, {"table": "results", "sql_conn_id": "warehouse"}):
            collect_results(sent, tmp_path, **options).execute({})
        before = in_file(tmp_path / "results.jsonl"), in_table(tmp_path)
        for options in ({}, {"table": "results", "sql_conn_id": "warehouse"}):
            sandbox.fault("500", vendor="collect", path="/v1/requests", skip=1)
            with pytest.raises(VendorUnavailableError):
                collect_results(sent, tmp_path, **options).execute({})
        assert (in_file(tmp_path / "results.jsonl"), in_table(tmp_path)) == before

    @pytest.mark.parametrize(
        ("options", "field"),
        [
            ({"output_path": None}, "output_path, table"),
            ({"output_path": "results.jsonl", "table": "results"}, "output_path, table"),
            ({"output_path": "results.txt"}, "output_path"),
            ({"table": "results"}, "sql_conn_id"),
            ({"table": "results", "sql_conn_id": "collect_default"}, "sql_conn_id"),
            ({"table": "results; DROP TABLE people", "sql_conn_id": "warehouse"}, "table"),
            ({"table": 'a"b', "sql_conn_id": "warehouse"}, "table"),
            ({"table": "no_such_schema.results", "sql_conn_id": "warehouse"}, "table"),
            ({"table": "results", "sql_conn_id": "warehouse", "table_mode": "replace"}, "table_mode"),
            ({"output_path": "results.jsonl", "since": "yesterday"}, "since"),
            ({"output_path": "results.jsonl", "receipt": {"vendor": "xebo"}}, "receipt"),
        ],
    )
    def test_bad_input_is_refused_before_the_first_request(
        self, options: dict[str, Any], field: str, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient
    ) -> None:
        if options.get("output_path"):
            options = {**options, "output_path": str(tmp_path / options["output_path"])}
        before = len(calls(sandbox, "collect"))
        with pytest.raises(InputError) as caught:
            CollectResultsOperator(task_id="results", **{"receipt": sent, **options}).execute({})
        assert caught.value.field == field
        assert len(calls(sandbox, "collect")) == before


class TestJoin:
    @staticmethod
    def found(name: str, at: float | None = None, **fields: Any) -> ContactResult:
        when = None if at is None else datetime.fromtimestamp(at, UTC)
        given: dict[str, Any] = {"result": "answered", "vendor_id": None, "details": {}, **fields}
        return ContactResult(names=(("phone", name),), at=when, **given)

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ([("busy", 1.0e9, 0), ("answered", 1.1e9, 0)], "answered"),
            ([("answered", 1.1e9, 0), ("busy", 1.0e9, 0)], "answered"),
            ([("answered", 1.0e9, 0), ("pending", 1.1e9, 0)], "pending"),
            ([("busy", None, 0), ("answered", None, 0)], "answered"),
            ([("delivered", 1.0e9, 2), ("failed", 1.1e9, 0)], "delivered"),
        ],
    )
    def test_of_several_items_the_highest_rank_then_the_latest_counts(
        self, items: list[tuple[Any, float | None, int]], expected: str
    ) -> None:
        with ResultJoin(["phone"]) as join:
            join.add_contacts("Demo", "delivery", [Contacted(1, ANSWERS, "accepted")])
            for result, at, rank in items:
                join.add_result("Demo", self.found(ANSWERS, at, result=result, rank=rank))
            assert [row["result"] for row in join.rows()] == [expected]
            assert join.counts == {expected: 1}

    def test_only_contacts_of_the_campaign_that_were_sent_have_its_results(self) -> None:
        with ResultJoin(["phone"]) as join:
            statuses = ("accepted", "duplicate", "unknown", "rejected", "invalid", "unsent")
            join.add_contacts("Demo", "one", [Contacted(row, ANSWERS, one) for row, one in enumerate(statuses, 1)])
            join.add_contacts("Other", "two", [Contacted(1, ANSWERS, "accepted")])
            assert join.add_result("Demo", self.found(ANSWERS))
            assert not join.add_result("Demo", self.found(BUSY))
            assert [row["result"] for row in join.rows()] == ["answered"] * 3 + [None] * 4

    @pytest.mark.parametrize("year", [1, 9999])
    def test_a_time_that_is_none_is_left_out(self, year: int) -> None:
        with ResultJoin(["phone"]) as join:
            join.add_contacts("Demo", "one", [Contacted(1, ANSWERS, "accepted")])
            found = replace(self.found(ANSWERS), at=datetime(year, 12 if year > 1 else 1, 31, 23, tzinfo=IST))
            join.add_result("Demo", found)
            assert [row["result_at"] for row in join.rows()] == [None]

    @pytest.mark.slow
    @pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
    def test_ten_thousand_contacts_take_no_more_memory_than_one(self, suffix: str, tmp_path: Path) -> None:
        numbers = range(10_000)
        tracemalloc.start()
        try:
            with ResultJoin(["id"]) as join:
                join.add_contacts("Demo", "one", (Contacted(n + 1, f"user-{n}", "accepted") for n in numbers))
                for number in numbers:
                    found = replace(self.found(""), names=(("id", f"user-{number}"),), details={"text": "x" * 100})
                    join.add_result("Demo", found)
                assert ResultFile(str(tmp_path / f"results{suffix}")).write(join.rows()) == 10_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4_000_000
        assert (tmp_path / f"results{suffix}").stat().st_size > 1_000_000


class TestStrangers:
    def test_replies_are_data(
        self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient, logs: Callable[[], str]
    ) -> None:
        first, second = ids_of(sent)
        body = [
            "no object",
            {"_id": first, "status": "completed", "assignedTo": "=cmd()\x00\x1b[31m {{ 7 * 7 }}"},
            {"_id": second, "status": "our own\n status of zoe@example.com", "assignedTo": "x" * 20_000},
            {"_id": {"$gt": ""}, "status": ["completed"], "contact": 7},
        ]
        sandbox.fault("reply", vendor="collect", path="/v1/requests", body=body, status=200)
        operators = [
            collect_results(sent, tmp_path),
            collect_results(sent, tmp_path, table="results", sql_conn_id="warehouse"),
        ]
        operators[0].execute({})
        rows = in_file(tmp_path / "results.jsonl")
        assert [row["result"] for row in rows] == ["completed", "pending"]
        assert "{{ 7 * 7 }}" in rows[0]["details"]["assignedTo"]
        assert rows[1]["details"] == {"left_out": "20,067 characters"}
        logged = logs()
        assert "Statuses that are not documented count as pending" in logged
        assert "zoe@example.com" not in logged
        assert "our own\n" not in logged

        sandbox.fault("reply", vendor="collect", path="/v1/requests", body=body, status=200)
        operators[1].execute({})
        assert results(in_table(tmp_path)) == results(rows)

    def test_the_accounts_secret_is_not_stored(
        self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient
    ) -> None:
        first, _ = ids_of(sent)
        body = [{"_id": first, "status": "completed", "assignedTo": "key collect-sandbox-key"}]
        sandbox.fault("reply", vendor="collect", path="/v1/requests", body=body, status=200)
        collect_results(sent, tmp_path).execute({})
        text = (tmp_path / "results.jsonl").read_text()
        assert "collect-sandbox-key" not in text
        assert "key ***" in text

    def test_a_list_that_never_ends_ends(self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient) -> None:
        page = [{"_id": f"request-{number}", "status": "completed"} for number in range(100)]
        sandbox.fault("reply", vendor="collect", path="/v1/requests", body=page, status=200, times=-1)
        with pytest.raises(VendorUnavailableError, match="has been there before"):
            collect_results(sent, tmp_path).execute({})
        assert not (tmp_path / "results.jsonl").exists()

    def test_a_refusal_is_the_vendors(self, sent: dict[str, Any], tmp_path: Path, sandbox: SandboxClient) -> None:
        sandbox.fault("unauthorized", vendor="collect", path="/v1/requests", times=-1)
        with pytest.raises(CallRefusedError):
            collect_results(sent, tmp_path).execute({})


def ids_of(receipt: dict[str, Any]) -> list[str]:
    return list(receipt["request_ids"])
