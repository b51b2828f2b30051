"""
Counts the files and functions of the package that one contact passes on its way from a CSV file to a vendor.

Run it with the environment of ``make test``: ``.venv/bin/python scripts/contact_path.py [--list]``. Two tasks of
``AddCampaignLeadOperator`` deliver 20 and 40 leads to the sandbox, one per request, while a profiler counts calls. A
contact passes the functions that are called more often for 40; the others belong to the delivery as a whole.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"

import airflow_provider_campaigns

PACKAGE = Path(airflow_provider_campaigns.__file__).parent
CONNECTIONS = Path(__file__).with_name("connections.json")


class Calls:
    """How often each function was called."""

    def __init__(self) -> None:
        self.codes: Counter[CodeType] = Counter()

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Take a profiler's event."""
        if event == "call":
            self.codes[frame.f_code] += 1


def by_file(codes: Iterable[CodeType]) -> dict[str, list[str]]:
    """Return the names of the package's functions among ``codes``, without comprehensions and modules, by file."""
    found: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        path = Path(code.co_filename)
        if path.is_relative_to(PACKAGE) and not code.co_name.startswith("<"):
            name = str(path.relative_to(PACKAGE))
            if not name.startswith("sandbox/"):
                found[name].append(code.co_qualname)
    return {name: sorted(found[name]) for name in sorted(found)}


def deliver(number: int, folder: Path, url: str) -> Calls:
    """Deliver so many leads, and return the calls that took."""
    from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

    contacts = folder / f"{number}.csv"
    contacts.write_text("phoneNumber,Name\n" + "".join(f"+1555010{number + row:04},Jo\n" for row in range(number)))
    connection = json.loads(CONNECTIONS.read_text())["ozonetel_default"]
    extra = json.dumps({"requests_per_minute": 60_000})
    os.environ["AIRFLOW_CONN_OZONETEL_DEFAULT"] = json.dumps({**connection, "host": f"{url}/ozonetel", "extra": extra})
    task = AddCampaignLeadOperator(
        task_id="leads", campaign_name="Evening", contacts=str(contacts), outcomes_path=str(folder / str(number))
    )
    calls = Calls()
    threading.setprofile(calls)
    sys.setprofile(calls)
    try:
        receipt = task.execute({})
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    if receipt["accepted"] != number:
        raise SystemExit(f"Not all leads were accepted: {receipt}")
    return calls


def main() -> None:
    """Print the counts, and with ``--list`` the functions."""
    from airflow_provider_campaigns.sandbox.server import SandboxServer

    with tempfile.TemporaryDirectory() as folder, SandboxServer() as server:
        # The first delivery pays for what is made once in a process.
        deliver(1, Path(folder), server.url)
        few, many = (deliver(number, Path(folder), server.url).codes for number in (20, 40))
    found = by_file(code for code in many if many[code] - few[code] >= 10)
    if "--list" in sys.argv[1:]:
        for name, functions in found.items():
            print(f"{name}: {', '.join(functions)}")
    total = by_file(many)
    print(f"One contact passes {len(found)} files and {sum(map(len, found.values()))} functions")
    print(f"A delivery as a whole: {len(total)} files and {sum(map(len, total.values()))} functions")


if __name__ == "__main__":
    main()
