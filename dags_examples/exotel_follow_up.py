"""
### Follow-up of Exotel's calls
Whenever a campaign of renewals is over, whoever started it: export its calls, and add the numbers that did not answer
to a campaign of Ozonetel's agents.

An asset watcher in the triggerer starts this DAG, so it needs Airflow 3.0 or later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.operators.exotel import ExportExotelCallDetailsOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

OUTCOMES = "{{ var.value.get('campaigns_outcomes', '/tmp/campaigns/outcomes') }}"


@task
def campaigns(triggering_asset_events: Mapping[Any, Any]) -> list[str]:
    """Return the campaigns that are over: several may have started this run, and one may be reported twice."""
    payloads = [event.extra["payload"] for events in triggering_asset_events.values() for event in events]
    return sorted({payload["campaign_id"] for payload in payloads if payload["state"] == "done"})


@task
def not_reached(exports: list[dict[str, Any]]) -> list[str]:
    """Write the numbers that nobody answered beside each export: phone numbers are kept out of XComs."""
    written = []
    for export in exports:
        calls = [json.loads(line) for line in Path(export["path"]).read_text(encoding="utf-8").splitlines()]
        leads = [{"phoneNumber": call["number"]} for call in calls if call["status"] in {"busy", "no-answer"}]
        if leads:
            path = Path(export["path"]).with_suffix(".leads.json")
            path.write_text(json.dumps(leads), encoding="utf-8")
            written.append(str(path))
    return written


if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import Asset, AssetWatcher

    from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger

    finished = Asset(
        "exotel_renewals",
        watchers=[
            AssetWatcher(
                name="finished",
                trigger=ExotelCampaignFinishedTrigger(
                    name="Renewals *", poll_interval=float(os.environ.get("CAMPAIGNS_POKE_INTERVAL", "60"))
                ),
            )
        ],
    )

    with DAG(
        "exotel_follow_up",
        schedule=[finished],
        start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Kolkata"),
        catchup=False,
        default_args={"retries": 2},
        tags=["campaigns", "exotel", "ozonetel", "live"],
        doc_md=__doc__,
    ):
        calls = ExportExotelCallDetailsOperator.partial(
            task_id="calls", output_path=f"{OUTCOMES}/exotel_follow_up/{{{{ run_id }}}}/{{{{ ti.map_index }}}}.jsonl"
        ).expand(campaign_id=campaigns())
        AddCampaignLeadOperator.partial(
            task_id="add",
            campaign_name="Progressive",
            columns={"phoneNumber": "phoneNumber"},
            outcomes_path=OUTCOMES,
        ).expand(contacts=not_reached(calls.output))
