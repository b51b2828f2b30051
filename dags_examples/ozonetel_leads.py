"""
### Leads for Ozonetel's dialler
Every working day at nine: add the leads to a campaign, start it when all of them are in, and wait until it has dialled.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator, SetOzonetelCampaignStatusOperator
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor

LEADS = Path(__file__).parent / "data" / "ozonetel_leads.csv"

with DAG(
    "ozonetel_leads",
    schedule="0 9 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "ozonetel"],
    doc_md=__doc__,
):
    add = AddCampaignLeadOperator(
        task_id="add",
        campaign_name="Demo",
        contacts=str(LEADS),
        columns={"phoneNumber": "phone", "Name": "name", "City": "city"},
        max_rejected=0.2,
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    )
    start = SetOzonetelCampaignStatusOperator(task_id="start", campaign_name="Demo", action="Start")
    wait = OzonetelCampaignSensor(
        task_id="wait",
        campaign_name="Demo",
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "60")),
        timeout=8 * 3600,
    )
    add >> start >> wait
