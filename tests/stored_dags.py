"""DAGs as Airflow stores them in its database."""

from __future__ import annotations

import json
from typing import Any, Protocol, cast

from airflow.serialization import serialized_objects


class _Serialization(Protocol):
    def to_dict(self, var: Any) -> dict[str, Any]: ...

    def from_dict(self, serialized_obj: dict[str, Any]) -> Any: ...


def _serialization() -> _Serialization:
    # The class has another name before Airflow 3.2.
    names = [name for name in ("DagSerialization", "SerializedDAG") if hasattr(serialized_objects, name)]
    return cast("_Serialization", getattr(serialized_objects, names[0]))


def stored_dag(dag: Any) -> str:
    """Return what Airflow stores of a DAG, as JSON."""
    return json.dumps(_serialization().to_dict(dag))


def scheduled_dag(dag: Any) -> Any:
    """Return a DAG as the scheduler has it: stored, and read again."""
    return _serialization().from_dict(_serialization().to_dict(dag))
