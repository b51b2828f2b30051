"""
### A survey, then a call
Xebo generates a survey link for each customer, and Ozonetel's agents call them with the link at hand. When all are
dialled, the campaigns that Exotel is about to dial are listed, to see whether a customer would be called twice a day.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.operators.exotel import ListExotelCampaignsOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor

CUSTOMERS = Path(__file__).parent / "data" / "survey_then_call.csv"
OUTCOMES = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}"


@task
def leads_with_links(survey: dict[str, Any]) -> str:
    """Write the leads, each with its link, beside the survey's outcomes: phone numbers are kept out of XComs."""
    customers = list(csv.DictReader(CUSTOMERS.read_text(encoding="utf-8").splitlines()))
    made = read_outcomes(survey, status="accepted")
    leads = [{**customers[line["row"] - 1], "SurveyLink": line["url"]} for line in made]
    path = Path(survey["outcomes_path"], "leads.json")
    path.write_text(json.dumps(leads), encoding="utf-8")
    return str(path)


with DAG(
    "survey_then_call",
    schedule="0 11 * * 2",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
    catchup=False,
    default_args={"retries": 2},
    tags=["campaigns", "xebo", "ozonetel", "exotel"],
    doc_md=__doc__,
):
    survey = TriggerSurveyOperator(
        task_id="survey",
        collector_id="66c70e71f57bd9efe12d691d",
        collector_token="{{ var.value.get('xebo_collector_token', '') }}",
        contacts=str(CUSTOMERS),
        columns={"extUniqueId": "customer", "email": "email"},
        outcomes_path=OUTCOMES,
    )
    add = AddCampaignLeadOperator(
        task_id="add",
        campaign_name="Progressive",
        action="START",
        contacts=leads_with_links(survey.output),
        columns={"phoneNumber": "mobile", "Name": "name", "SurveyLink": "SurveyLink"},
        outcomes_path=OUTCOMES,
    )
    wait = OzonetelCampaignSensor(
        task_id="wait",
        campaign_name="Progressive",
        poke_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "60")),
        timeout=8 * 3600,
    )
    add >> wait >> ListExotelCampaignsOperator(task_id="planned", status="Created,InProgress")
