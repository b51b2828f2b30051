"""From an Airflow connection to tables."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from airflow_provider_campaigns.exceptions import InputError, LedgerError
from airflow_provider_campaigns.history import schema
from airflow_provider_campaigns.history.connection import ConnectionSettings, History, _connection, open_history
from airflow_provider_campaigns.history.database import Database, HistoryError
from airflow_provider_campaigns.history.hashing import Hasher
from airflow_provider_campaigns.history.tables import VERSION_TABLE, metadata
from tests.history.conftest import KEY


def test_the_migrations_make_the_tables_that_the_code_works_with(history: History) -> None:
    engine = history.database.engine

    def ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or name != VERSION_TABLE

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert schema.version(engine) == schema.LATEST


def test_the_latest_version_is_that_of_the_last_migration() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == schema.LATEST


@pytest.mark.usefixtures("connection")
def test_several_processes_that_begin_at_once_make_the_tables_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        histories = list(threads.map(open_history, ["history"] * 4))

    assert [schema.version(one.database.engine) for one in histories] == [schema.LATEST] * 4
    for one in histories:
        one.database.engine.dispose()


def settings(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> ConnectionSettings:
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(fields))
    return ConnectionSettings("history", _connection("history"))


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"conn_type": "sqlite", "host": "/data/history.db"}, "sqlite:////data/history.db"),
        (
            {"conn_type": "postgres", "host": "db", "port": 5433, "login": "a", "password": "p@ss", "schema": "crm"},
            "postgresql+psycopg2://a:p%40ss@db:5433/crm?connect_timeout=10",
        ),
        (
            {"conn_type": "postgres", "host": "db", "extra": {"sslmode": "require", "other": 1, "hash_key": KEY}},
            "postgresql+psycopg2://db?connect_timeout=10&sslmode=require",
        ),
        (
            {"conn_type": "mysql", "host": "db", "login": "a", "schema": "crm", "extra": {"ssl_ca": "/ca.pem"}},
            "mysql+pymysql://a@db/crm?charset=utf8mb4&connect_timeout=10&ssl_ca=%2Fca.pem",
        ),
    ],
)
def test_where_the_database_is(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], url: str) -> None:
    found = settings(monkeypatch, **fields).url

    assert found == sa.engine.make_url(url)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conn_type": "oracle"}, "a connection of type postgres, mysql or sqlite, got 'oracle'"),
        ({"conn_type": "sqlite"}, "the path of a file as host"),
        ({"conn_type": "sqlite", "host": ":memory:"}, "the path of a file as host"),
    ],
)
def test_a_connection_that_leads_to_no_database(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _ = settings(monkeypatch, **fields).url


@pytest.mark.parametrize(
    ("extra", "keys"),
    [
        ({"hash_key": KEY}, (KEY,)),
        ({"hash_key": KEY, "previous_hash_key": "the key before it"}, (KEY, "the key before it")),
        ({"clear": True}, ()),
        ({"clear": "true"}, ()),
        ({}, None),
        ({"hash_key": "short"}, None),
        ({"hash_key": KEY, "clear": True}, None),
        ({"previous_hash_key": KEY}, None),
    ],
)
def test_how_identities_are_written(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any], keys: tuple[str, ...] | None
) -> None:
    found = settings(monkeypatch, conn_type="sqlite", host="/h.db", extra=extra)
    if keys is None:
        with pytest.raises(InputError, match="extra hash_key, a secret of at least 16 characters") as caught:
            _ = found.hasher
        assert KEY not in str(caught.value)
    else:
        assert found.hasher == Hasher(keys)
        assert all(key not in repr(found.hasher) for key in keys)


def test_a_hash_depends_on_the_key_and_clear_text_does_not() -> None:
    identity = "phone:+447700900001"

    written = {Hasher((key,)).written(identity) for key in (KEY, "another key")}

    assert len(written) == 2
    assert all(len(text) == 32 and "7700" not in text for text in written)
    assert Hasher().written(identity) == identity
    assert Hasher().written("id:" + "x" * 400).startswith("sha256:")


def test_what_is_sealed_is_opened_by_the_keys_alone() -> None:
    sealed = Hasher((KEY,)).seal("text")

    assert "text" not in sealed
    assert Hasher(("the next key", KEY)).unseal(sealed) == "text"
    with pytest.raises(LedgerError, match="hash_key of its connection was changed without previous_hash_key"):
        Hasher(("the next key",)).unseal(sealed)
    assert Hasher().unseal(Hasher().seal("text")) == "text"


def test_there_is_no_such_connection() -> None:
    with pytest.raises(InputError, match="history_conn_id: expected the id of an Airflow connection"):
        open_history("nowhere")


def test_a_database_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fields = {"conn_type": "sqlite", "host": str(tmp_path / "no" / "folder.db"), "extra": {"hash_key": KEY}}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(fields))

    with pytest.raises(HistoryError, match="history database 'history': OperationalError: unable to open"):
        open_history("history")


def test_a_transaction_that_was_lost_is_done_again(history: History) -> None:
    lost = [sa.exc.OperationalError("BEGIN", {}, Exception("deadlock")) for _ in range(2)]

    def do(_: object) -> str:
        if lost:
            raise lost.pop()
        return "done"

    assert history.database.run(do) == "done"
    assert history.database.lost == 2


def test_what_an_error_says_names_nobody(history: History) -> None:
    database = Database(history.database.engine, "history", patience=0)

    with pytest.raises(HistoryError) as caught:
        database.run(
            lambda connection: connection.execute(sa.text("SELECT * FROM nowhere WHERE a = :a"), {"a": "+447700900001"})
        )

    assert "nowhere" in str(caught.value)
    assert "900001" not in str(caught.value)
    assert caught.value.__suppress_context__
