"""What one try of a task needs in a process of its own, to be killed: its state is a folder of files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow_provider_campaigns.state import task_state as state


class StateFolder:
    """The durable state of a task instance in files, each written whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Any:
        path = self.folder / key
        return json.loads(path.read_text()) if path.exists() else None

    def set(self, key: str, value: Any) -> None:
        path = self.folder / f"{key}.tmp"
        path.write_text(json.dumps(value))
        os.replace(path, self.folder / key)  # noqa: PTH105 - the plainest atomic step

    def delete(self, key: str) -> None:
        (self.folder / key).unlink(missing_ok=True)


def context_in(folder: Path, task_id: str, number_of_try: int) -> Any:
    """Return the context of a try whose task instance keeps its state in ``folder``."""
    files = StateFolder(folder / "state")
    files.folder.mkdir(exist_ok=True)
    # The versions of Airflow keep it in different places, none of which is there outside a task.
    state.task_state = lambda context: files
    ti = SimpleNamespace(
        dag_id="dag",
        run_id="run",
        task_id=task_id,
        map_index=-1,
        try_number=number_of_try,
        max_tries=0,
        xcom_push=lambda **_: None,
    )
    return {"ti": ti}
