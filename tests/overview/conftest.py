"""An overview whose deliveries are in a history database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from airflow_provider_campaigns.history.connection import History, make_engine, open_history
from airflow_provider_campaigns.history.schema import ensure
from airflow_provider_campaigns.overview.overview import Overview, open_overview


@pytest.fixture
def history_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the configured history database is, which has no tables yet."""
    file = tmp_path / "history.db"
    connection = {"conn_type": "sqlite", "host": str(file), "extra": {"hash_key": "a secret of these tests"}}
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "history")
    return file


@pytest.fixture(scope="session")
def empty_history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history database without anybody, to be copied."""
    file = tmp_path_factory.mktemp("history") / "history.db"
    ensure(make_engine(URL.create("sqlite", database=str(file))))
    return file


@pytest.fixture
def history(history_file: Path, empty_history: Path) -> History:
    """The configured history database."""
    shutil.copy(empty_history, history_file)
    return open_history("history")


@pytest.fixture
def overview() -> Iterator[Overview]:
    with open_overview() as overview:
        yield overview
