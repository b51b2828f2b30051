"""Durable state of a task instance: Airflow's task state store (3.3 and later), Airflow Variables before it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.exceptions import LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.ledger import Store

log = logging.getLogger(__name__)


class TaskStateStore:
    """State in ``context["task_state_store"]``, kept until Airflow deletes the task instance."""

    fenced = True

    def __init__(self, accessor: Any) -> None:
        self._accessor = accessor

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raises when the store cannot be asked."""
        return self._accessor.get(key)

    def set(self, key: str, value: Any) -> None:
        """Store the value, or raise."""
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._accessor.set(key, value, retention=NEVER_EXPIRE)


class VariableStore:
    """
    State in Airflow Variables, one per key.

    ``Variable.get`` and, on Airflow 3.0 to 3.2, ``Variable.set`` return normally when the metadata database could not
    be asked; a ledger that seems empty would send everything again. So the calls below them are used, which raise.

    :param prefix: start of the Variables' names.
    """

    fenced = False

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raises when the database cannot be asked."""
        text = (_supervised_get if AIRFLOW_V_3_0_PLUS else _direct_get)(f"{self._prefix}_{key}")
        return json.loads(text) if text else None

    def set(self, key: str, value: Any) -> None:
        """Store the value, or raise."""
        text = json.dumps(value, separators=(",", ":"))
        (_supervised_set if AIRFLOW_V_3_0_PLUS else _direct_set)(f"{self._prefix}_{key}", text)


class MemoryStore:
    """State of an operator that is executed outside a task, as in a unit test: gone when the process ends."""

    fenced = True

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""
        return json.loads(self._values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        """Keep the value."""
        self._values[key] = json.dumps(value)


def task_state(context: Mapping[str, Any]) -> Store:
    """Return the durable state of the task instance that ``context`` belongs to."""
    accessor = context.get("task_state_store")
    if accessor is not None:
        return TaskStateStore(accessor)
    ti = context.get("ti")
    if ti is None:
        log.warning("Executed outside a task: what was sent is not remembered for a later try")
        return MemoryStore()
    identity = json.dumps([ti.dag_id, ti.run_id, ti.task_id, ti.map_index])
    return VariableStore(f"campaigns_ledger_{hashlib.sha256(identity.encode()).hexdigest()[:32]}")


def _supervised_get(name: str) -> str | None:
    from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    reply = SUPERVISOR_COMMS.send(GetVariable(key=name))
    if isinstance(reply, ErrorResponse):
        if reply.error.value == "VARIABLE_NOT_FOUND":
            return None
        raise LedgerError(f"Airflow Variable {name} cannot be read: {reply.error.value}")
    value: str | None = getattr(reply, "value", None)
    return value


def _supervised_set(name: str, value: str) -> None:
    from airflow.sdk.execution_time.comms import ErrorResponse, PutVariable
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    reply = SUPERVISOR_COMMS.send(PutVariable(key=name, value=value, description="what a delivery has sent"))
    if isinstance(reply, ErrorResponse):
        raise LedgerError(f"Airflow Variable {name} cannot be written: {reply.error.value}")


def _direct_get(name: str) -> str | None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        variable = session.scalar(select(Variable).where(Variable.key == name))
        value: str | None = variable.get_val() if variable else None
        return value


def _direct_set(name: str, value: str) -> None:
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session

    with create_session() as session:
        Variable.set(name, value, description="what a delivery has sent", session=session)
