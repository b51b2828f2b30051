"""One try of a delivery with a cap, in a process of its own, to be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from tests.integration.own_process import context_in


def main(number_of_try: int, folder: Path, contacts: Path) -> None:
    folder.mkdir(exist_ok=True)
    send = ExecuteXtremepushCampaignOperator(
        task_id="send",
        campaign_id="7345",
        contacts=str(contacts),
        outcomes_path=str(folder / "outcomes"),
        batch_size=50,
        max_concurrency=4,
        on_unknown="skip",
        frequency_cap="1 per 7 days",
        history_conn_id="history",
    )
    context = context_in(folder, "send", number_of_try)
    context["ti"].run_id = folder.name
    receipt = send.execute(context)
    (folder / "receipt.json").write_text(json.dumps(receipt))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
