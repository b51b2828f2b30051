"""What results are about, and their rows, read back from where operators wrote them."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator
from tests.operators.contexts import MakeContext

COLUMNS = ["delivery", "row", "key", "vendor_id", "status", "result", "result_at", "details"]
DATABASE = "warehouse.db"


def connect_warehouse(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Set the connection ``warehouse``, to a SQLite database in ``folder``."""
    fields = {"conn_type": "sqlite", "host": str(folder / DATABASE)}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))


def execute(operator: Any, make_context: MakeContext, **ti: Any) -> dict[str, Any]:
    """Execute an operator that sends, and return its receipt."""
    receipt: dict[str, Any] = operator.execute(make_context(**ti))
    return receipt


def send_requests(make_context: MakeContext, emails: Iterable[str], **options: Any) -> dict[str, Any]:
    """Send requests of a campaign at Collect, and return the receipt."""
    contacts = [{"email": email} for email in emails]
    operator = SendCollectRequestOperator(task_id="send", campaign_id="KYC", contacts=contacts, **options)
    return execute(operator, make_context)


def in_file(path: str | Path) -> list[dict[str, Any]]:
    """Return the rows of a .jsonl, .csv or .parquet file, its details parsed."""
    path = Path(path)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            found: list[dict[str, Any]] = [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    else:
        from pyarrow.parquet import read_table

        found = read_table(path).to_pylist()
    return [_parsed(row) for row in found]


def in_table(folder: Path, table: str = "results") -> list[dict[str, Any]]:
    """Return the rows of a table of the warehouse, in the order of delivery and row."""
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        database.row_factory = sqlite3.Row
        found = database.execute(f'SELECT * FROM "{table}" ORDER BY delivery, "row"').fetchall()
    return [_parsed(dict(row)) for row in found]


def results(rows: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    """Return the result of each contact, by its key."""
    return {str(row["key"]): row["result"] for row in rows}


def _parsed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "row": int(row["row"]), "details": json.loads(row["details"]) if row["details"] else None}
