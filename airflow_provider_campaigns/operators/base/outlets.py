"""Passes what a task did to the DAGs that its outlet assets schedule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def publish_receipt(context: Mapping[str, Any], outlets: Iterable[Any] | None, receipt: Mapping[str, Any]) -> None:
    """
    Make the receipt the ``extra`` of the events of the task's outlet assets (Datasets on Airflow 2).

    Airflow emits these events when the task succeeds, and only then. Outlets that are no assets by themselves (an
    ``AssetAlias``, a reference) stay as they are.
    """
    from airflow.providers.common.compat.sdk import Asset

    events = context.get("outlet_events")
    for outlet in outlets or ():
        if events is not None and isinstance(outlet, Asset):
            events[outlet].extra = dict(receipt)
