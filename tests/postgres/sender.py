"""One try of sending to the people of a table, in a process of its own, to be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from tests.integration.own_process import context_in

# Without an order: the server returns rows as it finds them.
SQL = "SELECT user_id, first_name FROM people"


def main(number_of_try: int, folder: Path) -> None:
    send = ExecuteXtremepushCampaignOperator(
        task_id="send",
        campaign_id="7345",
        sql=SQL,
        sql_conn_id="crm",
        outcomes_path=str(folder / "outcomes"),
        batch_size=2,
        max_concurrency=4,
        on_unknown="skip",
    )
    receipt = send.execute(context_in(folder, "send", number_of_try))
    (folder / "receipt.json").write_text(json.dumps(receipt))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
