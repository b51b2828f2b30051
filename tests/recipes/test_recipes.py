"""The DAGs of docs/recipes.md run as they stand there; only their folder, and how often they poll, is another one."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from dag_runs import DagRun

import airflow_provider_campaigns
from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.doc_tables import DOCS
from tests.integration.conftest import AirflowProcess

PHONES = [f"+44770090010{number}" for number in range(4)]
REFUSED = [f"+4477{number:02}900996" for number in range(10)]


def recipes() -> Mapping[str, str]:
    """Return the code of each recipe, by its heading."""
    page = (DOCS / "recipes.md").read_text()
    return dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


RECIPES = recipes()


class Notified(BaseHTTPRequestHandler):
    """A chat's API: remembers what is posted."""

    posted: list[Any] = []  # noqa: RUF012 - the server makes an object per request

    def do_POST(self) -> None:
        self.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
        pass


@pytest.fixture(scope="module")
def chat() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Notified) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """What the recipes read: files below ``/data``, and the database ``warehouse``."""
    write(tmp_path / "leads.csv", "mobile,first_name", [[phone, "Jo"] for phone in PHONES])
    write(tmp_path / "opted_out.csv", "phone", [[PHONES[3]]])
    write(tmp_path / "numbers.csv", "number", [[phone] for phone in PHONES])
    write(tmp_path / "many_leads.csv", "phoneNumber", [[phone] for phone in REFUSED + many(140)])
    for name in ("north", "south"):
        write(tmp_path / f"{name}.csv", "phoneNumber", [[phone] for phone in PHONES[:2]])
        (tmp_path / "regions").mkdir(exist_ok=True)
        write(tmp_path / "regions" / f"{name}.csv", "phoneNumber", [[PHONES[name == "south"]]])
    people = [{"email": f"jo{number}@example.com", "firstName": "Jo"} for number in range(3)]
    (tmp_path / "policyholders.jsonl").write_text("".join(json.dumps(one) + "\n" for one in people))
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database, database:
        database.execute("CREATE TABLE members (user_id, first_name, active)")
        database.executemany("INSERT INTO members VALUES (?, 'Jo', ?)", [("u-1", 1), ("u-2", 1), ("u-3", 0)])
        database.execute("CREATE TABLE offers (day, code, discount)")
        database.executemany(
            "INSERT INTO offers VALUES (?, ?, ?)", [("2026-01-01", "OLD", 5), ("2026-02-01", "NEW", 9)]
        )
        database.execute("CREATE TABLE outcomes (run_id, source_row INTEGER, key, status, reason, message)")
    return tmp_path


def write(path: Path, header: str, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def many(number: int) -> list[str]:
    return [f"+447700{900000 + one}" for one in range(200, 200 + number)]


@pytest.fixture
def run(airflow: AirflowProcess, sandbox: SandboxClient, data: Path, chat: str) -> Callable[[str], DagRun]:
    """Return a function that runs the DAG of a recipe, given its heading."""
    connections = {
        "warehouse": {"conn_type": "sqlite", "host": str(data / "warehouse.db")},
        "chat": {"conn_type": "http", "host": chat},
        **{
            f"ozonetel_{name}": {
                "conn_type": "ozonetel",
                "host": f"{sandbox.url}/ozonetel",
                "login": "sandbox",
                "password": "ozonetel-sandbox-key",
                "extra": {"requests_per_minute": 60_000},
            }
            for name in ("north", "south")
        },
    }
    variables = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()}
    sandbox.control("ozonetel", seconds_per_lead=0.0)
    sandbox.control("collect", completes_after=0.0)
    sandbox.control("exotel", starts_after=0.0, calls_per_minute=60_000.0)

    def run_recipe(title: str) -> DagRun:
        code = RECIPES[title].replace("/data/", f"{data}/")
        code = re.sub(r"poke_interval=\d+", "poke_interval=0.2", code)
        if not AIRFLOW_V_3_0_PLUS:
            code = code.replace("from airflow.sdk import", "from airflow.providers.common.compat.sdk import")
        # Not in the file: Airflow stores its text.
        (data / "connections").write_text(json.dumps(variables))
        prelude = f"import json, os\n\nos.environ.update(json.load(open({str(data / 'connections')!r})))\n"
        return airflow.run_file(prelude + code)

    return run_recipe


Run = Callable[[str], DagRun]


def test_it_is_the_installed_package() -> None:
    assert Path(airflow_provider_campaigns.__file__).is_relative_to(sys.prefix)


def test_each_recipe_has_a_test() -> None:
    tests = Path(__file__).read_text()
    assert len(RECIPES) == 10
    assert [title for title in RECIPES if f'run("{title}")' not in tests] == []


def test_leads_from_a_file(run: Run, sandbox: SandboxClient) -> None:
    done = run("Leads from a CSV file, and a wait until they are dialled")

    assert done.state == "success"
    receipt = done["leads"].xcoms["return_value"]
    assert (receipt["accepted"], receipt["invalid"]) == (3, 1)
    assert done["dialled"].xcoms["return_value"]["status"] == "COMPLETED"
    assert {contact["fields"]["Name"] for contact in sandbox.received("ozonetel")["contacts"]} == {"Jo"}


def test_links_for_people_of_a_task(run: Run) -> None:
    done = run("Survey links for people whom a task returns")

    links = done["by_customer"].xcoms["return_value"]
    assert sorted(links) == ["C-1001", "C-1002"]
    assert all(url.startswith("http") for url in links.values())


def test_requests_and_a_wait_for_them(run: Run) -> None:
    done = run("Document requests, and a wait until they are completed")

    assert done["completed"].xcoms["return_value"]["counts"] == {"completed": 3}
    assert len(done["send"].xcoms["return_value"]["request_ids"]) == 3


def test_parameters_from_a_database(run: Run, sandbox: SandboxClient) -> None:
    done = run("A campaign whose parameters come from a database")

    assert done["send"].xcoms["return_value"]["accepted"] == 2
    contacts = sandbox.received("xtremepush")["contacts"]
    assert [contact["contact"] for contact in contacts] == ["u-1", "u-2"]
    assert [contact["fields"]["params"] for contact in contacts] == [{"code": "NEW", "discount": 9}] * 2
    assert [contact["fields"]["target_params"] for contact in contacts] == [{"first_name": "Jo"}] * 2


def test_a_voice_campaign(run: Run, sandbox: SandboxClient) -> None:
    done = run("A voice campaign, and a wait until it is over")

    assert done["over"].xcoms["return_value"]["status"] == "Completed"
    assert [contact["contact"] for contact in sandbox.received("exotel")["contacts"]] == PHONES


def test_one_task_per_file(run: Run, sandbox: SandboxClient) -> None:
    done = run("One task per file")

    assert done["total"].xcoms["return_value"] == 2
    assert sorted(contact["contact"] for contact in sandbox.received("ozonetel")["contacts"]) == PHONES[:2]


def test_outcomes_in_a_table_and_in_pandas(run: Run, sandbox: SandboxClient, data: Path) -> None:
    write(data / "leads.csv", "mobile,first_name", [[phone, "Jo"] for phone in [*PHONES, REFUSED[0], "no number"]])

    done = run("Outcomes in a table, and in pandas")

    assert done.state == "success"
    assert done["by_reason"].xcoms["return_value"]["refused by the vendor"] == 1
    with closing(sqlite3.connect(data / "warehouse.db")) as database:
        rows = database.execute("SELECT source_row, key, status FROM outcomes ORDER BY source_row").fetchall()
    accepted = [(number, phone, "accepted") for number, phone in enumerate(PHONES, 1)]
    assert rows == [*accepted, (5, REFUSED[0], "rejected"), (6, "no number", "invalid")]


def test_a_message_when_too_many_were_rejected(run: Run) -> None:
    Notified.posted.clear()

    done = run("A message when more than 5 % were rejected")

    assert (done["leads"].state, done["notify"].state) == ("failed", "success")
    receipt = done["leads"].xcoms["receipt"]
    assert receipt["rejected"] == 10
    assert receipt["unsent"] > 0
    assert Notified.posted == [{"text": f"10 of 150 leads were rejected, {receipt['unsent']} were not sent"}]


def test_two_accounts(run: Run, sandbox: SandboxClient) -> None:
    done = run("Two accounts at one vendor")

    assert done.state == "success"
    receipts = [done[f"leads_{name}"].xcoms["return_value"] for name in ("north", "south")]
    # The sandbox has one account: the second task finds the numbers of the first.
    assert sorted((receipt["accepted"], receipt["duplicate"]) for receipt in receipts) == [(0, 2), (2, 0)]


def test_a_function(run: Run, sandbox: SandboxClient) -> None:
    done = run("A function instead of a file")

    receipt = done["leads"].xcoms["return_value"]
    assert receipt["accepted"] == 5
    assert [line["status"] for line in read_outcomes(receipt)] == ["accepted"] * 5
    assert {contact["fields"]["Region"] for contact in sandbox.received("ozonetel")["contacts"]} == {"north"}
