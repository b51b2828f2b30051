"""
### Approval before sending
Trigger the DAG manually. It shows how many leads would be sent, and the first of them, and sends them after a person
has approved, in Airflow's UI (*Required Actions*) or through its REST API.

*Reject* skips the send, and the run succeeds. (With `fail_on_reject=True` it would fail.) Without an answer within a
day the run fails. In both cases nothing is sent. Needs Airflow 3.1 or later.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from inspect import signature
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

LEADS = Path(__file__).parent / "data" / "ozonetel_leads.csv"
OUTCOMES = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}"

# Addresses are masked in the preview. What is in backticks is not rendered as Markdown, whatever it contains.
SUBJECT = "Hand {{ ti.xcom_pull(task_ids='preview').unsent }} leads to the campaign Offers?"
BODY = """\
{%- macro cell(value) -%}
`{{ value | string | replace("`", "'") | replace("|", "\\\\|") | replace("\\n", " ") | replace("\\r", " ") or "-" }}`
{%- endmacro -%}
{%- set preview = ti.xcom_pull(task_ids="preview") -%}
Campaign **{{ preview.campaign }}** of {{ preview.vendor }}, {{ preview.contacts }} rows:

| would be sent | repeated, not sent again | invalid or opted out |
|---|---|---|
| {{ preview.unsent }} | {{ preview.duplicate }} | {{ preview.invalid }} |

The first of those that would be sent:

{% set columns = (preview.first_rows or [{}])[0] | list -%}
|{% for name in columns %} {{ cell(name) }} |{% endfor %}
|{% for name in columns %}---|{% endfor %}
{% for row in preview.first_rows -%}
|{% for name in columns %} {{ cell(row.get(name, "")) }} |{% endfor %}
{% endfor %}
"""


@task
def audience(folder: str) -> str:
    """Copy the leads, so that exactly those that were approved are sent, even if the file is changed meanwhile."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return str(shutil.copy(LEADS, folder))


if AIRFLOW_V_3_1_PLUS:
    from airflow.providers.standard.operators.hitl import ApprovalOperator, HITLOperator

    # Before 1.12.2 of the standard provider, execution_timeout is how long an answer may take.
    knows = signature(HITLOperator.__init__).parameters
    answer_time = "response_timeout" if "response_timeout" in knows else "execution_timeout"

    with DAG(
        "approve_before_sending",
        schedule=None,
        default_args={"retries": 2},
        tags=["campaigns", "ozonetel", "live"],
        doc_md=__doc__,
    ):
        delivery = {
            "campaign_name": "Offers",
            "contacts": audience(f"{OUTCOMES}/approve_before_sending/{{{{ run_id }}}}"),
            "columns": {"phoneNumber": "phone", "Name": "name", "City": "city"},
            "outcomes_path": OUTCOMES,
        }
        preview = AddCampaignLeadOperator(task_id="preview", preview=True, **delivery)
        approve = ApprovalOperator(
            task_id="approve", subject=SUBJECT, body=BODY, retries=0, **{answer_time: timedelta(days=1)}
        )
        send = AddCampaignLeadOperator(task_id="send", **delivery)
        preview >> approve >> send
