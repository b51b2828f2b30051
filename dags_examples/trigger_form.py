"""
### Call campaign from a trigger form
Trigger the DAG, fill in the form, and Exotel calls the numbers at the time that you choose.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator

with DAG(
    "trigger_form",
    schedule=None,
    default_args={"retries": 2},
    tags=["campaigns", "exotel", "form"],
    doc_md=__doc__,
    params={
        "name": Param("Reminder", type="string", minLength=4, maxLength=60, title="Name of the campaign"),
        "text": Param(
            "Your appointment is tomorrow at nine.",
            type="string",
            format="multiline",
            minLength=10,
            title="What is said",
        ),
        "numbers": Param(
            ["+447700900150", "+447700900151"],
            type="array",
            items={"type": "string", "pattern": r"^(\+[0-9]{6,15})?$"},
            minItems=1,
            title="Who is rung",
            description="A number on each line: + and digits, without blanks.",
        ),
        "send_at": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="When",
            description="If empty, Exotel rings within about a minute.",
        ),
        "on_busy": Param(
            "ring again", type="string", enum=["ring again", "do not ring again"], title="If the line is busy"
        ),
        "account": Param(
            "exotel_default",
            type="string",
            enum=["exotel_default"],
            title="Exotel account",
            description="The Airflow connection.",
        ),
    },
):
    CreateExotelCampaignOperator(
        task_id="ring",
        name="{{ params.name }}",
        caller_id="02025550100",
        read_via_text="{{ params.text }}",
        numbers="{{ params.numbers | select | list | tojson }}",
        send_at="{{ params.send_at or '' }}",
        call_retries={
            "number_of_retries": "{{ 2 if params.on_busy == 'ring again' else 0 }}",
            "interval_mins": 10,
            "on_status": ["busy"],
        },
        exotel_conn_id="{{ params.account }}",
    )
