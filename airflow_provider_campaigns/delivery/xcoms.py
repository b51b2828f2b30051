"""Reads what another task stored as an XCom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from airflow_provider_campaigns.exceptions import InputError

OUTCOMES = "outcomes"
"""Key of the XCom that has the outcomes of a delivery without a folder."""


class TaskReference(TypedDict):
    """Which task instance stored an XCom; ``map_index`` is -1 for a task that is not mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


def pull(task: Mapping[str, Any], key: str) -> Any:
    """
    Return an XCom, None when there is none.

    :param task: a ``TaskReference``.
    :raises InputError: it names no task instance, or this is no task of Airflow.
    """
    try:
        where = {name: task[name] for name in TaskReference.__annotations__}
    except (KeyError, TypeError):
        raise InputError("outcomes_xcom", "dag_id, run_id, task_id and map_index", type(task).__name__) from None
    try:
        from airflow.providers.common.compat.sdk import XCom

        return XCom.get_one(key=key, **where)
    except (AttributeError, ImportError, RuntimeError) as error:
        # Outside of a task, Airflow 3 has nobody to ask.
        raise InputError("outcomes_xcom", "to be read by a task of Airflow", type(error).__name__) from error
