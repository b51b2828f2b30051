"""The operator that keeps the suppression list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.operators.suppression import UpdateSuppressionListOperator


def update(**parameters: Any) -> UpdateSuppressionListOperator:
    return UpdateSuppressionListOperator(
        task_id="suppress", **{"kind": "phone", "history_conn_id": "history", **parameters}
    )


def listed(history: History) -> int:
    return len(list(suppression.entries(history)))


@pytest.mark.parametrize(
    ("contacts", "parameters"),
    [
        (["+447700900001", "+44 7700 900002"], {}),
        ([{"phone": "+447700900001"}, {"phone": "+447700900002"}], {}),
        ([{"id": 1, "tel": "07700 900001"}, {"id": 2, "tel": "07700 900002"}], {"column": "tel", "region": "GB"}),
        (pd.DataFrame({"phone": ["+447700900001", "+447700900002"]}), {}),
    ],
)
def test_people_are_added_and_removed(history: History, contacts: Any, parameters: dict[str, str]) -> None:
    assert update(contacts=contacts, reason="asked us", **parameters).execute({}) == {"people": 2, "changed": 2}
    assert update(contacts=contacts, **parameters).execute({}) == {"people": 2, "changed": 0}
    assert [(one.reason, one.source.endswith(".suppress")) for one in suppression.entries(history)] == [
        ("asked us", True)
    ] * 2

    assert update(contacts=contacts, action="remove", **parameters).execute({}) == {"people": 2, "changed": 2}
    assert listed(history) == 0


def test_a_file(history: History, tmp_path: Path) -> None:
    path = tmp_path / "opted_out.csv"
    path.write_text("email\nJo@Example.com\nzoe@example.com\n")

    assert update(contacts=str(path), kind="email").execute({}) == {"people": 2, "changed": 2}


def test_a_query(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "crm.db") as database:
        database.execute("CREATE TABLE opted_out (user_id text)")
        database.execute("INSERT INTO opted_out VALUES ('a'), ('b'), ('a')")
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}))

    result = update(sql="SELECT user_id FROM opted_out", sql_conn_id="crm", kind="id").execute({})

    assert result == {"people": 3, "changed": 2}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"contacts": ["+447700900001", "07700 900002"]}, "phone numbers with .* number 2"),
        ({"contacts": [{"a": "+447700900001", "b": 1}]}, "one column, or the parameter column"),
        ({"contacts": [{"a": "+447700900001"}], "column": "tel"}, "a column 'tel'"),
        ({"contacts": ["x"], "kind": "name"}, "kind: expected phone or email or id"),
        ({"contacts": ["x"], "action": "clear"}, "action: expected add or remove"),
        ({"contacts": ["x"], "region": "Europe"}, "region: expected a country"),
        ({}, "contacts, sql: expected exactly one of them"),
        ({"contacts": ["+447700900001"], "history_conn_id": None}, "history_conn_id: expected it, or"),
    ],
)
def test_a_mistake_changes_nothing(history: History, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        update(**parameters).execute({})

    assert listed(history) == 0
