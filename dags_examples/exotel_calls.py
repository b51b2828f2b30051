"""
### Calls by Exotel
Every working day at ten: call customers whose policy ends soon, wait for the end of the campaign, and export its calls.
"""

from __future__ import annotations

import os
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator, ExportExotelCallDetailsOperator

NUMBERS = Path(__file__).parent / "data" / "exotel_numbers.csv"
OUTCOMES = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}"

with DAG(
    "exotel_calls",
    schedule="0 10 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "exotel"],
    doc_md=__doc__,
):
    call = CreateExotelCampaignOperator(
        task_id="call",
        name="Renewals",
        caller_id="02025550100",
        read_via_text="Your policy ends this month. Press one to renew it.",
        contacts=str(NUMBERS),
        call_retries={"number_of_retries": 1, "interval_mins": 15, "on_status": ["busy", "no-answer"]},
        # Waits in the triggerer, without a worker. Marking the task as failed pauses the campaign.
        wait_for_completion=True,
        deferrable=True,
        pause_on_kill=True,
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "60")),
        timeout=10 * 3600,
    )
    call >> ExportExotelCallDetailsOperator(
        task_id="calls",
        campaign_id=call.output["campaign_id"],
        output_path=f"{OUTCOMES}/exotel_calls/{{{{ run_id }}}}.jsonl",
    )
