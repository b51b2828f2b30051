"""State that a later try can rely on: what cannot be read or written is an error, never an empty record."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.state.task_state import (
    MemoryStore,
    TaskStateStore,
    VariableStore,
    progress_note,
    task_state,
)
from tests.operators.conftest import FakeTaskInstance, FakeTaskStateStore
from tests.versions import AIRFLOW_V_3_3_PLUS

VALUE = {"settled": [[1, 500]], "header": {"campaign": "José"}}


def round_trip(store: Any) -> None:
    """Check what every store does."""
    assert store.get("try-1") is None
    store.set("try-1", {"first": 1})
    store.set("try-1", VALUE)
    store.set("try-2", 2)
    store.set("latest", [])
    assert (store.get("try-1"), store.get("try-2"), store.get("latest")) == (VALUE, 2, [])
    store.delete("try-2")
    store.delete("try-2")
    assert (store.get("try-1"), store.get("try-2")) == (VALUE, None)


# -- which store it is


def test_a_task_state_store_is_used_where_there_is_one() -> None:
    assert isinstance(task_state({"task_state_store": object(), "ti": FakeTaskInstance()}), TaskStateStore)


def test_an_empty_task_state_store_is_one_too() -> None:
    class Empty:
        def __len__(self) -> int:
            return 0

    assert isinstance(task_state({"task_state_store": Empty(), "ti": FakeTaskInstance()}), TaskStateStore)


def test_variables_take_its_place_named_after_the_task_instance() -> None:
    def name(**changes: Any) -> str:
        store = task_state({"ti": FakeTaskInstance(**changes)})
        assert isinstance(store, VariableStore)
        return store._prefix

    names = {
        name(),
        name(dag_id="other"),
        name(run_id="other"),
        name(task_id="other"),
        name(map_index=0),
        name(map_index=1),
        name(dag_id="campaigns_send", task_id=""),
    }

    assert len(names) == 7
    assert name() == name(try_number=2), "all tries share it"
    assert all(one.startswith("campaigns_ledger_") and len(one) < 60 for one in names)


def test_outside_a_task_it_is_memory_and_that_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    store = task_state({})

    round_trip(store)
    assert isinstance(store, MemoryStore)
    assert "Executed outside a task" in caplog.text


def test_memory_keeps_no_reference_to_what_it_was_given() -> None:
    store, value = MemoryStore(), {"rows": [1]}
    store.set("try-1", value)
    value["rows"].append(2)

    assert store.get("try-1") == {"rows": [1]}


# -- Airflow Variables: through the supervisor on Airflow 3, in the database on Airflow 2


class Variables(Protocol):
    """Airflow's Variables, as far as a test needs them."""

    def text(self, name: str) -> str:
        """Return a Variable."""

    def spoil(self, name: str) -> None:
        """Make a Variable unreadable, as a changed Fernet key does."""

    def fail(self) -> None:
        """Answer nothing from now on."""


class Supervised:
    """A supervisor that keeps Variables in a dict."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.error: Any = None

    def send(self, message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        if self.error:
            return self.error
        if isinstance(message, comms.PutVariable):
            self.values[message.key] = message.value
            return comms.OKResponse(ok=True)
        if isinstance(message, comms.DeleteVariable):
            self.values.pop(message.key, None)
            return comms.OKResponse(ok=True)
        assert isinstance(message, comms.GetVariable)
        if message.key not in self.values:
            return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": message.key})
        return comms.VariableResult(key=message.key, value=self.values[message.key])

    def text(self, name: str) -> str:
        return str(self.values[name])

    def spoil(self, name: str) -> None:
        self.values[name] = None

    def fail(self) -> None:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time import comms

        self.error = comms.ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"status_code": 500})


class InDatabase:
    """Variables in a SQLite file."""

    def __init__(self, engine: Any) -> None:
        from airflow.models.variable import Variable

        self.engine = engine
        self.table = Variable.__table__
        self.table.create(engine)

    def text(self, name: str) -> str:
        from airflow.models.variable import Variable

        return str(Variable.get(name))

    def spoil(self, name: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(self.table.update().where(self.table.c.key == name).values(val="of another key"))

    def fail(self) -> None:
        self.table.drop(self.engine)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Variables:
    if AIRFLOW_V_3_0_PLUS:
        from airflow.sdk.execution_time import task_runner

        supervisor = Supervised()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor
    from airflow import settings
    from airflow.models import crypto
    from cryptography.fernet import Fernet
    from sqlalchemy import create_engine
    from sqlalchemy.orm import scoped_session, sessionmaker

    engine = create_engine(f"sqlite:///{tmp_path}/airflow.db")
    monkeypatch.setattr(settings, "Session", scoped_session(sessionmaker(bind=engine, expire_on_commit=False)))
    monkeypatch.setattr(crypto, "_fernet", None)
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    return InDatabase(engine)


def test_variables_keep_json(variables: Variables) -> None:
    round_trip(VariableStore("campaigns_ledger_abc"))

    assert json.loads(variables.text("campaigns_ledger_abc_try-1")) == VALUE


def test_variables_of_two_task_instances_are_apart(variables: Variables) -> None:
    VariableStore("campaigns_ledger_abc").set("try-1", VALUE)

    assert VariableStore("campaigns_ledger_abd").get("try-1") is None


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.get("try-1"),
        lambda store: store.set("try-1", VALUE),
        lambda store: store.delete("try-1"),
    ],
)
def test_variables_that_cannot_be_asked_are_an_error(variables: Variables, use: Callable[[Any], Any]) -> None:
    store = VariableStore("campaigns_ledger_abc")
    store.set("try-1", VALUE)
    variables.fail()

    # AirflowRuntimeError from the supervisor, OperationalError from the database.
    with pytest.raises(Exception, match=r"GENERIC_ERROR|no such table: variable"):
        use(store)


def test_a_variable_that_is_there_but_cannot_be_read_is_an_error(variables: Variables) -> None:
    store = VariableStore("campaigns_ledger_abc")
    store.set("try-1", VALUE)
    variables.spoil("campaigns_ledger_abc_try-1")

    with pytest.raises(LedgerError, match=r"campaigns_ledger_abc_try-1 is there, but cannot be read"):
        store.get("try-1")


@pytest.mark.parametrize("text", ["null", "{", "", "no JSON", "[" * 100_000])
def test_a_variable_that_holds_no_value_is_an_error_and_no_empty_record(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("airflow_provider_campaigns.state.variables.read", lambda name: text)

    with pytest.raises(LedgerError, match=r"Airflow Variable campaigns_ledger_abc_try-1 is damaged"):
        VariableStore("campaigns_ledger_abc").get("try-1")


# -- how far a task is


def test_progress_is_a_note_in_the_tasks_state_where_there_is_one() -> None:
    store, ti = FakeTaskStateStore(), FakeTaskInstance()
    note = progress_note({"task_state_store": store, "ti": ti})
    assert note
    note({"done": 1})
    note({"done": 2})
    assert (store.get("progress"), ti.pushed) == ({"done": 2}, {})


def test_progress_is_an_xcom_before_airflow_3_3() -> None:
    ti = FakeTaskInstance()
    note = progress_note({"ti": ti})
    assert note
    note({"done": 1})
    assert ti.pushed == {"progress": {"done": 1}}


def test_outside_a_task_nobody_looks_at_progress() -> None:
    assert progress_note({}) is None


# -- the task state store of Airflow 3.3

if AIRFLOW_V_3_3_PLUS:

    def test_the_task_state_store_keeps_what_never_expires() -> None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        class Accessor:
            def __init__(self) -> None:
                self.values: dict[str, Any] = {}

            def get(self, key: str) -> Any:
                return self.values.get(key)

            def set(self, key: str, value: Any, *, retention: Any = None) -> None:
                assert retention is NEVER_EXPIRE
                self.values[key] = value

            def delete(self, key: str) -> None:
                self.values.pop(key, None)

        round_trip(TaskStateStore(Accessor()))

    def test_a_task_state_store_that_cannot_be_read_is_an_error(variables: Variables) -> None:
        from uuid import uuid4

        from airflow.sdk.exceptions import AirflowRuntimeError
        from airflow.sdk.execution_time.context import TaskStateStoreAccessor

        variables.fail()
        scope: Any = None

        with pytest.raises(AirflowRuntimeError, match="GENERIC_ERROR"):
            TaskStateStore(TaskStateStoreAccessor(uuid4(), scope)).get("try-1")
