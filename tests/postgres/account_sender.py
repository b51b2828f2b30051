"""One of several tasks of an account, in a process of its own; it begins when all are ready."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from airflow_provider_campaigns.delivery.run import engine
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from tests.integration.own_process import context_in

LONGEST = 60.0


def main(folder: Path, contacts: str, tasks: int) -> None:
    folder.mkdir()
    send = AddCampaignLeadOperator(
        task_id="send",
        campaign_name="Demo",
        contacts=contacts,
        outcomes_path=str(folder / "outcomes"),
        history_conn_id="history",
        # Only the pace is of interest.
        ledger="airflow",
    )
    context = context_in(folder, "send", 1)
    context["ti"].run_id = folder.name
    assert engine  # imported before all begin
    (folder / "ready").touch()
    deadline = time.monotonic() + LONGEST
    while len(list(folder.parent.glob("*/ready"))) < tasks and time.monotonic() < deadline:
        time.sleep(0.02)
    receipt = send.execute(context)
    assert receipt["accepted"] == receipt["contacts"], receipt


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
