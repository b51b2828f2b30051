"""The database that ``make`` has migrated once for each Airflow: copying it takes no time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def copy_database(home: Path) -> bool:
    """Copy it into an empty ``AIRFLOW_HOME``; False if there is none, as for a pytest that ``make`` has not started."""
    database = os.environ.get("MIGRATED_DATABASE")
    if database:
        shutil.copy(database, home / "airflow.db")
    return bool(database)
