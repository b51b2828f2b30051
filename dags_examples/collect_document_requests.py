"""
### Documents by Collect
On the first of the month: request documents from each policyholder, and wait until all requests are completed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor

POLICYHOLDERS = Path(__file__).parent / "data" / "policyholders.jsonl"

with DAG(
    "collect_document_requests",
    schedule="0 10 1 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "collect"],
    doc_md=__doc__,
):
    send = SendCollectRequestOperator(
        task_id="send",
        campaign_id="xvr69EYLKXvTkfYuk",
        contacts=str(POLICYHOLDERS),
        due_date="{{ (dag_run.start_date + macros.timedelta(days=14)).date() }}",
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    )

    CollectRequestSensor(
        task_id="wait",
        receipt=send.output,
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "900")),
        timeout=21 * 24 * 3600,
        deferrable=True,
    )
