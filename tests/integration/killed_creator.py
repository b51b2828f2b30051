"""One try of creating an Exotel campaign in a process of its own, to be killed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from airflow_provider_campaigns.operators._exotel import creation, lists, recipients
from airflow_provider_campaigns.operators.base import idempotent_create
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from tests.integration.own_process import context_in

# So that a hundred numbers need two lists and ten requests.
NUMBERS_PER_REQUEST, ON_A_LIST = 10, 50


def main(number_of_try: int, folder: Path, many: bool, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    if many:
        creation.MOST_NUMBERS = NUMBERS_PER_REQUEST  # type: ignore[attr-defined]
        for module in (lists, recipients):
            module.MOST_CONTACTS, module.MOST_IN_A_LIST = NUMBERS_PER_REQUEST, ON_A_LIST  # type: ignore[attr-defined]
    # Look-ups that follow at once: nothing is on its way any more when a sandbox on this machine is asked.
    for module in (idempotent_create, lists):
        module.lookup_delays = lambda timeout: [0.0, 0.0, 0.0]  # type: ignore[attr-defined]
    create = CreateExotelCampaignOperator(
        task_id="create",
        name="Reminder",
        caller_id="02025550100",
        read_via_text="Hello",
        contacts=str(folder / "contacts.csv"),
    )
    created = create.execute(context_in(folder, "create", number_of_try))
    (folder / "campaign.json").write_text(json.dumps(created))
