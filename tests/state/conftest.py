"""Airflow Variables as a task, a trigger or the Test button meets them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow import settings
from airflow.models.base import Base
from airflow.models.variable import Variable
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, select
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import NullPool

Stored = Callable[[], dict[str, str]]
"""Returns what the Variables hold, as it is stored."""


class Encryption(Fernet):
    """With a key of its own."""

    is_encrypted = True

    def __init__(self) -> None:
        super().__init__(self.generate_key())


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """A metadata database with encrypted Variables, and nothing else; in reach of Airflow 2 and the API server."""
    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db", poolclass=NullPool, connect_args={"timeout": 20})
    tables = [Base.metadata.tables[name] for name in ("team", "variable") if name in Base.metadata.tables]
    Base.metadata.create_all(engine, tables=tables)
    session = scoped_session(sessionmaker(bind=engine, expire_on_commit=False))
    monkeypatch.setattr(settings, "Session", session)
    encryption = Encryption()
    monkeypatch.setattr("airflow.models.variable.get_fernet", lambda: encryption)

    def stored() -> dict[str, str]:
        with engine.connect() as connection:
            rows = connection.execute(select(Variable.__table__.c.key, Variable.__table__.c.val))
            return {row.key: row.val for row in rows}

    yield stored
    session.remove()
    engine.dispose()


class Supervisor:
    """Answers a task process of Airflow 3 from a dict, a bit slowly, and one at a time."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.failing = False
        self._lock = threading.Lock()

    def send(self, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        time.sleep(0.005)
        with self._lock:
            if isinstance(message, (comms.GetVariable, comms.PutVariable, comms.DeleteVariable)) and self.failing:
                return comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR)
            if isinstance(message, comms.PutVariable):
                self.values[message.key] = str(message.value)
            if isinstance(message, comms.DeleteVariable):
                self.values.pop(message.key, None)
            if isinstance(message, comms.GetVariable) and message.key in self.values:
                return comms.VariableResult(key=message.key, value=self.values[message.key])
            if isinstance(message, comms.GetVariable):
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND)
            return None


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    """The supervisor of a task process, of Airflow 3 only."""
    from airflow.sdk.execution_time import task_runner

    comms = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    return comms


@pytest.fixture(params=["database", *(["supervisor"] if AIRFLOW_V_3_0_PLUS else [])])
def stored(request: pytest.FixtureRequest) -> Stored:
    """Every kind of Variables that this Airflow has, one after the other."""
    if request.param == "database":
        return request.getfixturevalue("database")  # type: ignore[no-any-return]
    supervisor: Supervisor = request.getfixturevalue("supervisor")
    return lambda: supervisor.values
