"""Publishes a receipt: as an XCom, and as ``extra`` of the events of outlet assets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
    from airflow_provider_campaigns.delivery.record.receipt import Receipt


def store_receipt(context: Mapping[str, Any], receipt: Receipt, outcomes: Outcomes) -> None:
    """
    Store the receipt as the XCom ``receipt``, and outcomes that are in no folder as the XCom ``outcomes``.

    :param receipt: gets ``request_ids``, and ``outcomes_xcom`` if there is no folder.
    """
    from airflow_provider_campaigns.delivery.record.receipt import find_request_ids
    from airflow_provider_campaigns.delivery.xcoms import OUTCOMES, TaskReference

    if (ids := find_request_ids(receipt, outcomes.read)) is not None:
        receipt["request_ids"] = ids
    ti = context.get("ti")
    if not ti:
        return
    if outcomes.path is None:
        map_index = -1 if ti.map_index is None else ti.map_index
        receipt["outcomes_xcom"] = TaskReference(
            dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=map_index
        )
        ti.xcom_push(key=OUTCOMES, value=list(outcomes.read()))
    push_receipt(context, receipt)


def push_receipt(context: Mapping[str, Any], receipt: Mapping[str, Any]) -> None:
    """Store a receipt as the XCom ``receipt``, where the campaign page and notifiers find it."""
    if ti := context.get("ti"):
        ti.xcom_push(key="receipt", value=dict(receipt))


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
