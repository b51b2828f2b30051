"""Durable state of a task instance: Airflow's task state store (3.3 and later), Airflow Variables before it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.state import variables

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

log = logging.getLogger(__name__)

# Key of the note that shows people how far a delivery is; a ledger has no such key.
PROGRESS = "progress"


class TaskStateStore:
    """State in ``context["task_state_store"]``, kept until Airflow deletes the task instance."""

    def __init__(self, accessor: Any) -> None:
        self._accessor = accessor

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raises when the store cannot be asked."""
        return self._accessor.get(key)

    def set(self, key: str, value: Any) -> None:
        """Store the value, or raise."""
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        self._accessor.set(key, value, retention=NEVER_EXPIRE)

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""
        self._accessor.delete(key)


class VariableStore:
    """
    State in Airflow Variables, one per key; a ledger that seemed empty would send everything again.

    :param prefix: start of the Variables' names.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def get(self, key: str) -> Any:
        """Return the value, None when there is none; raises when the database cannot be asked."""
        try:
            text = variables.read(f"{self._prefix}_{key}")
        except variables.UnreadableVariableError as error:
            raise LedgerError(str(error)) from error
        if text is None:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if value is None:
            raise LedgerError(f"Airflow Variable {self._prefix}_{key} is damaged; it is part of a task's record")
        return value

    def set(self, key: str, value: Any) -> None:
        """Store the value, or raise."""
        text = json.dumps(value, separators=(",", ":"))
        variables.write(f"{self._prefix}_{key}", text, "what a task stores for its next try")

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""
        variables.delete(f"{self._prefix}_{key}")


class MemoryStore:
    """State of an operator that is executed outside a task, as in a unit test: gone when the process ends."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""
        return json.loads(self._values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        """Keep the value."""
        self._values[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """Forget the value."""
        self._values.pop(key, None)


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


def progress_note(context: Mapping[str, Any]) -> Callable[[Any], object] | None:
    """
    Return what shows a value, named ``progress``, in the UI while the task runs; None outside a task.

    Airflow 3.3 and later show the task's state, and refresh it; before them it is an XCom. What it returns raises when
    the value cannot be stored.
    """
    accessor = context.get("task_state_store")
    if accessor is not None:
        return partial(accessor.set, PROGRESS)
    ti = context.get("ti")
    return (lambda value: ti.xcom_push(key=PROGRESS, value=value)) if ti else None
