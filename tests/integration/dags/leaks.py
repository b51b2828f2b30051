"""DAGs whose contacts and connections hold what must not be left behind: every operator, mapped tasks, and deferral."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from tests.integration.leaks import CONTACTS, probing_operators

CONTACTS_FILE, NUMBERS_FILE, OUTCOMES = (
    f"{{{{ dag_run.conf['{name}'] }}}}" for name in ("contacts", "numbers", "outcomes")
)

# The vendors; or one that repeats what it was sent in place of each, for what test_nothing_leaks.py has not.
for kind in ("sandbox", "400"):
    with DAG(f"leaks-{kind}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        if kind == "sandbox":
            probing_operators(kind, CONTACTS_FILE, NUMBERS_FILE, OUTCOMES)

        @task(show_return_value_in_logs=False)
        def people() -> list[list[dict[str, str]]]:
            """Return contacts, which Airflow keeps as what this task returned."""
            return [CONTACTS[:3], CONTACTS[3:6]]

        @task(show_return_value_in_logs=False)
        def paths(dag_run: Any = None) -> list[str]:
            """Return the files that the run names."""
            return [dag_run.conf["contacts"]]

        for name, shards in (("rows", people()), ("files", paths())):
            AddCampaignLeadOperator.partial(
                task_id=name,
                campaign_name=name,
                columns={"phoneNumber": "phone"},
                ozonetel_conn_id=f"ozonetel_{kind}",
                outcomes_path=OUTCOMES,
            ).expand(contacts=shards)

        CreateExotelCampaignOperator(
            task_id="campaign",
            name="Deferred",
            caller_id="+442079460000",
            read_via_text="Hello",
            contacts=NUMBERS_FILE,
            exotel_conn_id=f"exotel_{kind}",
            wait_for_completion=True,
            pause_on_kill=True,
            deferrable=True,
            poke_interval=0.5,
            # Where one task runs at a time, the first.
            priority_weight=100,
        )
