"""
### Results for a warehouse
Every morning at four, when Ozonetel's calls of the day before are complete: export them, and the responses to a survey
at Xebo, to files of JSON lines that a warehouse can load.
"""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.operators.ozonetel import ExportOzonetelCallDetailsOperator
from airflow_provider_campaigns.operators.xebo import ExportXeboResponsesOperator

RESULTS = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}/results/{{ run_id }}"


@task
def yesterday() -> str:
    """Return yesterday's date in Indian time, which Ozonetel uses."""
    return pendulum.now("Asia/Kolkata").subtract(days=1).to_date_string()


with DAG(
    "results_to_warehouse",
    schedule="0 4 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "ozonetel", "xebo"],
    doc_md=__doc__,
):
    day = yesterday()
    ExportOzonetelCallDetailsOperator(
        task_id="calls",
        campaign_name="Demo",
        day=day,
        output_path=f"{RESULTS}/calls.jsonl",
    )
    ExportXeboResponsesOperator(
        task_id="responses",
        survey_id="0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10",
        since=day,
        output_path=f"{RESULTS}/responses.jsonl",
    )
