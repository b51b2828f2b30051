"""
An Airflow in a process of its own, for ``AirflowProcess``: runs the DAG files named on stdin, one a line, as JSON.

An order says whether it runs ``alone``, or another process has the same database and uses the same tokens.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dag_runs

# A quarter of what they are: writing to SQLite takes less.
RIVALS_CLAIM_SECONDS = 0.5


def run(file: str) -> dict[str, Any]:
    """Run the only DAG of a file, and return what it left, or why it could not run."""
    try:
        (dag,) = dag_runs.load_dags(Path(file)).values()
        return asdict(dag_runs.run_dag(dag))
    except Exception:  # noqa: BLE001  whatever it is, the test is to show it
        return {"error": traceback.format_exc()}


def migrate() -> None:
    """Create the database, unless it has been copied, or another process has."""
    home = Path(os.environ["AIRFLOW_HOME"])
    with (home / "migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "airflow.db").exists():
            dag_runs.migrate()


def forget_tokens() -> None:
    """Delete the tokens that tasks share: the sandbox may have been reset, and would refuse them."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    with create_session() as session:
        session.execute(delete(Variable.__table__).where(Variable.key.endswith("_token")))


def set_claims(seconds: float) -> None:
    """Set how long a task waits whether another one makes a token as well."""
    from airflow_provider_campaigns.hooks import account_tokens

    account_tokens.CLAIM_DELAY, account_tokens.CLAIM_JITTER = seconds, seconds / 4


def main() -> None:
    """Keep stdout for the answers; what Airflow writes there, from its first import on, goes where stderr goes."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        migrate()
        for line in sys.stdin:
            order = json.loads(line)
            if order["alone"]:
                forget_tokens()
            set_claims(0.0 if order["alone"] else RIVALS_CLAIM_SECONDS)
            answers.write(json.dumps(run(order["file"])) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
