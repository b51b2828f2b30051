"""
### A message by Xtremepush
Every evening at six: when the campaign is live, send it to each member, with the member's points in the text.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor

MEMBERS = Path(__file__).parent / "data" / "members.json"

with DAG(
    "xtremepush_campaign",
    schedule="0 18 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "xtremepush"],
    doc_md=__doc__,
):
    live = XtremepushCampaignSensor(
        task_id="live",
        campaign_id=7345,
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "60")),
        timeout=2 * 3600,
    )
    send = ExecuteXtremepushCampaignOperator(
        task_id="send",
        campaign_id=7345,
        contacts=str(MEMBERS),
        template_params={"external_message_id": "{{ run_id }}"},
        max_recipients=5_000,
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    )
    live >> send
