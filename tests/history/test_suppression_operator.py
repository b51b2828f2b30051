"""The operator that keeps the suppression list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.operators.suppression import UpdateSuppressionListOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect


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
        ({"contacts": ["x"], "opt_outs_conn_id": "history"}, "exactly one of them, got contacts and opt_outs"),
        ({"opt_outs_conn_id": "history", "action": "remove"}, "action: expected add, with opt_outs_conn_id"),
        ({"opt_outs_conn_id": "history"}, "opt_outs_conn_id: expected a connection to a vendor"),
        ({"opt_outs_conn_id": "history", "since": "yesterday"}, "since: expected"),
        ({"contacts": ["+447700900001"], "history_conn_id": None}, "history_conn_id: expected it, or"),
    ],
)
def test_a_mistake_changes_nothing(history: History, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        update(**parameters).execute({})

    assert listed(history) == 0


LOG: list[dict[str, Any]] = [
    {"user_id": "u1", "channel": "email", "email_address": "Jo@example.com"},
    {"user_id": "u2", "channel": "email", "email_address": "zoe@example.com"},
    {"user_id": "u3", "channel": "sms"},
    {"user_id": "u2", "channel": "email", "email_address": "ZOE@example.com", "status": 1},
    {"user_id": "u4", "channel": "email", "email_address": "no address"},
    {"user_id": "u1", "channel": "email", "email_address": "jo@example.com"},
    *({"user_id": f"v{number}", "channel": "sms", "phone": f"+4477009{number:05}"} for number in range(60)),
]


@pytest.fixture
def xtremepush(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """Xtremepush, whose log of subscriptions has two pages."""
    connect(monkeypatch, sandbox, "xtremepush")
    for number, row in enumerate(LOG):
        sandbox.control("xtremepush", subscription={"update_time": 1_700_000_000 + number, **row})
    return sandbox


@pytest.mark.parametrize(
    ("parameters", "people"),
    [
        ({"kind": "email"}, 1),
        ({"kind": "id"}, 63),
        ({"kind": "phone", "column": "phone"}, 60),
        ({"kind": "email", "since": "2023-11-14T22:13:25+00:00"}, 0),
        ({"kind": "id", "since": "2023-11-14T22:13:25+00:00"}, 60),
    ],
)
def test_who_opted_out_at_a_vendor_and_not_in_again_is_added(
    xtremepush: SandboxClient, history: History, parameters: dict[str, str], people: int
) -> None:
    suppress = update(opt_outs_conn_id="xtremepush_default", **parameters)
    assert suppress.execute({}) == {"people": people, "changed": people}
    assert listed(history) == people
    assert suppress.execute({}) == {"people": people, "changed": 0}


def test_the_vendors_log_is_read_page_by_page(
    xtremepush: SandboxClient, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    update(opt_outs_conn_id="xtremepush_default", kind="email").execute({})
    assert calls(xtremepush, "xtremepush") == ["list_subscriptions"] * 2
    assert "1 of the vendor's rows have no email_address that is understood" in caplog.text
    assert "no address" not in caplog.text


def test_a_vendor_that_cannot_be_asked_changes_nothing(xtremepush: SandboxClient, history: History) -> None:
    xtremepush.fault("unauthorized", vendor="xtremepush")
    with pytest.raises(CallRefusedError):
        update(opt_outs_conn_id="xtremepush_default", kind="id").execute({})
    assert listed(history) == 0


def test_a_phone_number_has_no_documented_field(xtremepush: SandboxClient, history: History) -> None:
    with pytest.raises(InputError, match="column: expected the field that holds a phone"):
        update(opt_outs_conn_id="xtremepush_default", kind="phone").execute({})
