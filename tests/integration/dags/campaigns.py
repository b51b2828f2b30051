"""DAGs that the scheduler's tests trigger: a campaign created, and waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator

with DAG("campaign", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    CreateExotelCampaignOperator(
        task_id="send",
        name="{{ dag_run.conf['name'] }}",
        caller_id="02025550100",
        read_via_text="Hello",
        contacts="{{ dag_run.conf['contacts'] }}",
        wait_for_completion=True,
        deferrable=True,
        poke_interval=0.5,
        timeout=600,
        retries=2,
        retry_delay=timedelta(0),
    )
