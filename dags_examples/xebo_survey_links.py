"""
### Survey links from Xebo
Every Monday at nine: generate a survey link for each customer, for a mailing of your own. Xebo contacts nobody.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator

CUSTOMERS = Path(__file__).parent / "data" / "customers.csv"

with DAG(
    "xebo_survey_links",
    schedule="0 9 * * 1",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "xebo"],
    doc_md=__doc__,
):
    links = TriggerSurveyOperator(
        task_id="links",
        collector_id="66c70e71f57bd9efe12d691d",
        collector_token="{{ var.value.get('xebo_collector_token', 'J/d5730267') }}",
        contacts=str(CUSTOMERS),
        columns={"extUniqueId": "Customer No", "email": "E-mail", "city": "City"},
        outcomes_path="{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}",
    )

    @task
    def mail(receipt: dict[str, Any]) -> None:
        """Pass each customer's link to the mailing; in this example, write it to the log."""
        for outcome in read_outcomes(receipt, status="accepted"):
            logging.getLogger(__name__).info("%s: %s", outcome["key"], outcome["url"])

    mail(links.output)
