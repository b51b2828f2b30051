"""One try of a delivery in a process of its own, to be killed: its state is a folder of files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_campaigns.operators import state


class StateFolder:
    """The durable state of a task instance in files, each written whole."""

    fenced = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Any:
        path = self.folder / key
        return json.loads(path.read_text()) if path.exists() else None

    def set(self, key: str, value: Any) -> None:
        path = self.folder / f"{key}.tmp"
        path.write_text(json.dumps(value))
        os.replace(path, self.folder / key)  # noqa: PTH105 - the plainest atomic step


def operator(vendor: str, **parameters: Any) -> BaseOperator:
    if vendor == "xtremepush":
        from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator

        return ExecuteXtremepushCampaignOperator(task_id="send", campaign_id="7345", batch_size=2, **parameters)
    from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

    safe = vendor == "ozonetel-checked"
    return AddCampaignLeadOperator(task_id="send", campaign_name="Demo", check_duplicate=safe, **parameters)


def main(vendor: str, number_of_try: int, folder: Path) -> None:
    send = operator(
        vendor,
        contacts=str(folder / "contacts.csv"),
        outcomes_path=str(folder / "outcomes"),
        max_concurrency=4,
        on_unknown="skip",
    )
    ti = SimpleNamespace(
        dag_id="dag",
        run_id="run",
        task_id="send",
        map_index=-1,
        try_number=number_of_try,
        max_tries=0,
        xcom_push=lambda **_: None,
    )
    files = StateFolder(folder / "state")
    files.folder.mkdir(exist_ok=True)
    # The versions of Airflow keep it in different places, none of which is there outside a task.
    state.task_state = lambda context: files  # type: ignore[assignment]
    receipt = send.execute({"ti": ti})  # type: ignore[arg-type]
    (folder / "receipt.json").write_text(json.dumps(receipt))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
