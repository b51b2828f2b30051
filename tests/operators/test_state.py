"""State that a later try can rely on: what cannot be read or written is an error, never an empty record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_3_PLUS

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.operators.state import MemoryStore, TaskStateStore, VariableStore, task_state
from tests.operators.conftest import FakeTaskInstance

below_3_3 = pytest.mark.skipif(AIRFLOW_V_3_3_PLUS, reason="3.3 has a task state store")
from_3_3 = pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="the task state store came with 3.3")
from_3_0 = pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="a task of Airflow 2 asks the database itself")
below_3_0 = pytest.mark.skipif(AIRFLOW_V_3_0_PLUS, reason="a task of Airflow 3 asks its supervisor")

VALUE = {"settled": [[1, 500]], "header": {"campaign": "José"}}


def round_trip(store: Any) -> None:
    """Check what every store does."""
    assert store.get("try-1") is None
    store.set("try-1", {"first": 1})
    store.set("try-1", VALUE)
    store.set("try-2", 2)
    store.set("latest", [])
    assert (store.get("try-1"), store.get("try-2"), store.get("latest")) == (VALUE, 2, [])


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


def test_outside_a_task_it_is_memory_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    store = task_state({})

    round_trip(store)
    assert isinstance(store, MemoryStore)
    assert "Executed outside a task" in caplog.text


def test_memory_keeps_no_reference_to_what_it_was_given() -> None:
    store, value = MemoryStore(), {"rows": [1]}
    store.set("try-1", value)
    value["rows"].append(2)

    assert store.get("try-1") == {"rows": [1]}


# -- Airflow 3.3: the task state store


@from_3_3
def test_the_task_state_store_keeps_what_never_expires() -> None:
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    class Accessor:
        values: dict[str, Any] = {}  # noqa: RUF012

        def get(self, key: str) -> Any:
            return self.values.get(key)

        def set(self, key: str, value: Any, *, retention: Any = None) -> None:
            assert retention is NEVER_EXPIRE
            self.values[key] = value

    round_trip(TaskStateStore(Accessor()))


@from_3_3
@pytest.mark.parametrize("use", [lambda store: store.get("try-1"), lambda store: store.set("try-1", VALUE)])
def test_a_task_state_store_that_cannot_be_asked_is_an_error(
    supervisor: Callable[..., Any], use: Callable[[Any], Any]
) -> None:
    from uuid import uuid4

    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import context

    supervisor(ErrorType.API_SERVER_ERROR)
    scope: Any = None

    with pytest.raises(AirflowRuntimeError, match="API_SERVER_ERROR"):
        use(TaskStateStore(context.TaskStateStoreAccessor(uuid4(), scope)))


# -- Airflow 3.0 to 3.2: Variables through the supervisor


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that puts a supervisor in place which answers from a dict, or with an error."""
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import comms, task_runner

    class Supervisor:
        def __init__(self, error: Any = None, raises: bool = False) -> None:
            self.values: dict[str, Any] = {}
            self.error = comms.ErrorResponse(error=error, detail={}) if error else None
            self.raises = raises

        def send(self, message: Any) -> Any:
            if self.error:
                if self.raises or type(message).__name__ == "SetTaskStateStore":
                    raise AirflowRuntimeError(self.error)
                return self.error
            if isinstance(message, comms.PutVariable):
                self.values[message.key] = message.value
                return comms.OKResponse(ok=True)
            assert isinstance(message, comms.GetVariable)
            if message.key not in self.values:
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": message.key})
            return comms.VariableResult(key=message.key, value=self.values[message.key])

    def start(*args: Any, **options: Any) -> Supervisor:
        it = Supervisor(*args, **options)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", it, raising=False)
        return it

    return start


@from_3_0
def test_variables_keep_json_under_the_name_of_the_task_instance(supervisor: Callable[..., Any]) -> None:
    it = supervisor()

    round_trip(VariableStore("campaigns_ledger_abc"))

    assert list(it.values) == [f"campaigns_ledger_abc_{key}" for key in ("try-1", "try-2", "latest")]
    assert json.loads(it.values["campaigns_ledger_abc_try-1"]) == VALUE


@from_3_0
@pytest.mark.parametrize("raises", [True, False], ids=["raised", "returned"])
@pytest.mark.parametrize("use", [lambda store: store.get("try-1"), lambda store: store.set("try-1", VALUE)])
def test_variables_that_cannot_be_asked_are_an_error(
    supervisor: Callable[..., Any], use: Callable[[Any], Any], raises: bool
) -> None:
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

    supervisor(ErrorType.GENERIC_ERROR, raises=raises)

    with pytest.raises(AirflowRuntimeError, match="GENERIC_ERROR"):
        use(VariableStore("campaigns_ledger_abc"))


@from_3_0
@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_there_but_empty_is_an_error(supervisor: Callable[..., Any], value: str | None) -> None:
    supervisor().values["campaigns_ledger_abc_try-1"] = value

    with pytest.raises(LedgerError, match=r"campaigns_ledger_abc_try-1 is there, but cannot be read"):
        VariableStore("campaigns_ledger_abc").get("try-1")


@from_3_0
def test_a_variable_that_holds_something_else_is_an_error(supervisor: Callable[..., Any]) -> None:
    supervisor().values["campaigns_ledger_abc_try-1"] = "not JSON"

    with pytest.raises(ValueError, match="Expecting value"):
        VariableStore("campaigns_ledger_abc").get("try-1")


# -- Airflow 2: Variables in the database

IN_A_DATABASE = """
import json, sys
from airflow.utils import db
db.resetdb = None
from airflow.models import Variable
from airflow.utils.session import create_session
from airflow import settings
settings.initialize()
Variable.__table__.create(settings.engine, checkfirst=True)

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.operators.state import VariableStore
from tests.operators.test_state import VALUE, round_trip

store = VariableStore("campaigns_ledger_abc")
round_trip(store)
assert json.loads(Variable.get("campaigns_ledger_abc_try-1")) == VALUE

with create_session() as session:
    variable = session.query(Variable).filter(Variable.key == "campaigns_ledger_abc_try-1").one()
    assert variable.is_encrypted
    variable._val = "encrypted with another key"
try:
    store.get("try-1")
except LedgerError as error:
    print(error)

Variable.__table__.drop(settings.engine)
for use in (lambda: store.get("try-1"), lambda: store.set("try-1", VALUE)):
    try:
        use()
    except Exception as error:
        print(type(error).__name__)
"""


@below_3_0
def test_variables_in_the_database(tmp_path: Path) -> None:
    from cryptography.fernet import Fernet

    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    done = subprocess.run(
        [sys.executable, "-c", IN_A_DATABASE], env=environment, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 0, done.stderr
    unreadable, *failures = done.stdout.splitlines()[-3:]
    assert "campaigns_ledger_abc_try-1 is there, but cannot be read (was the Fernet key changed?)" in unreadable
    assert failures == ["OperationalError", "OperationalError"]
