"""An Airflow that only shows what is in its database: an API server below a path, with users who sign in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from playwright.sync_api import BrowserContext
from running_airflow import AIRFLOW, REQUEST_SECONDS, RunningAirflow

from tests.browser.restricted import settings
from tests.overview.metadata import Noted, as_json

# The path below which it is served.
BELOW = "/marketing/airflow"


class ShownAirflow(RunningAirflow):
    """See above; it neither parses DAGs nor runs tasks."""

    @property
    def url(self) -> str:
        """The address of its UI."""
        return f"http://127.0.0.1:{self.port}{BELOW}"

    def prepare(self) -> None:
        """Make its database."""
        self.command("db", "migrate")

    def commands(self) -> dict[str, list[str]]:
        """Return what is started."""
        return {"api-server": [*AIRFLOW, "api-server"]}

    def put(self, noted: Iterable[Noted]) -> None:
        """Put deliveries into its database, in place of those that are there."""
        file = self.home / "noted.json"
        file.write_text(as_json(noted))
        self.run(sys.executable, "-m", "tests.overview.metadata", str(file))

    def sign_in(self, context: BrowserContext, name: str) -> None:
        """Sign a user in, in a browser."""
        body = {"username": name, "password": name}
        reply = requests.post(f"{self.url}/auth/token", json=body, timeout=REQUEST_SECONDS)
        token = reply.json()["access_token"]
        context.add_cookies([{"name": "_token", "value": token, "domain": "127.0.0.1", "path": BELOW}])

    def _answers(self) -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(f"{self.url}/api/v2/version", timeout=REQUEST_SECONDS).ok
        return False


@contextmanager
def shown_airflow() -> Iterator[ShownAirflow]:
    """Run one in a private folder, which is removed in the end."""
    with TemporaryDirectory(prefix="airflow-shown.") as folder:
        home = Path(folder)
        (home / "dags").mkdir()
        more: dict[str, Any] = settings(home)
        airflow = ShownAirflow(home, home / "dags", "http://127.0.0.1:9", **more)
        airflow._environment["AIRFLOW__API__BASE_URL"] = airflow.url
        with airflow:
            yield airflow
