"""
### Leads in shards
Every working day at nine: split one file of leads into shards and add them in parallel, with a mapped task for each, on
several workers. Each shard has its own receipt, and is retried or cleared separately.

The tasks share one account: the pool `ozonetel` (`airflow pools import dags_examples/pools.json`) lets two of them run
at a time, each with half of the account's limit as `requests_per_minute` of its connection (docs/delivery.md).
"""

from __future__ import annotations

from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.delivery import shard_contacts
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

LEADS = Path(__file__).parent / "data" / "ozonetel_leads.csv"
OUTCOMES = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}"

with DAG(
    "sharded_leads",
    schedule="0 9 * * 1-5",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "ozonetel"],
    doc_md=__doc__,
):
    # All rows of one number are in one shard, where they count as repeats, and the same on every try.
    shards = task(shard_contacts)(
        str(LEADS), shards=4, folder=f"{OUTCOMES}/sharded_leads/{{{{ run_id }}}}", key="phone"
    )
    AddCampaignLeadOperator.partial(
        task_id="add",
        campaign_name="Shards",
        columns={"phoneNumber": "phone", "Name": "name", "City": "city"},
        outcomes_path=OUTCOMES,
        pool="ozonetel",
    ).expand(contacts=shards)
