"""
### Sending in the recipients' time zone
Every working day at nine in Sydney, with and without daylight saving time: a message to the members there, and to those
in Perth when it is nine there; until then their task is deferred to the triggerer.

`send_window` prevents a late start, a retry or a cleared task from sending at night; the rest is sent the next morning.
`max_age` refuses the runs of earlier days (a catch-up, a backfill).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.timetables.trigger import CronTriggerTimetable

from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator

DATA = Path(__file__).parent / "data"
HOURS = "{{ var.value.get('campaigns_send_hours', '09:00-20:00') }}"

with DAG(
    "recipients_time_zone",
    # By this zone's clock, whatever its offset is on the day.
    schedule=CronTriggerTimetable("0 9 * * 1-5", timezone="Australia/Sydney"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Australia/Sydney"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "xtremepush"],
    doc_md=__doc__,
):
    ExecuteXtremepushCampaignOperator.partial(
        task_id="send",
        campaign_id=7346,
        max_age=timedelta(hours=12),
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    ).expand_kwargs(
        [
            {"contacts": str(DATA / "members_sydney.csv"), "send_window": f"{HOURS} Australia/Sydney"},
            {"contacts": str(DATA / "members_perth.csv"), "send_window": f"{HOURS} Australia/Perth"},
        ]
    )
