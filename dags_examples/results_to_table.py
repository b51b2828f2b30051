"""
### What became of each request
Every Monday: ask policyholders for documents at Collect, wait until all have handed them in, and write what became of
each request to a table that a dashboard can read.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.collect import CollectResultsOperator, SendCollectRequestOperator
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor

POLICYHOLDERS = Path(__file__).parent / "data" / "policyholders.jsonl"

with DAG(
    "results_to_table",
    schedule="0 9 * * 1",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "collect"],
    doc_md=__doc__,
):
    send = SendCollectRequestOperator(
        task_id="send",
        campaign_id="Renewal documents",
        contacts=str(POLICYHOLDERS),
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    )
    wait = CollectRequestSensor(
        task_id="wait",
        receipt=send.output,
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "600")),
        timeout=14 * 24 * 3600,
    )
    results = CollectResultsOperator(
        task_id="results",
        receipt=send.output,
        table="campaign_results",
        sql_conn_id="campaigns_warehouse",
    )
    wait >> results
