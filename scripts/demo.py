"""
Runs every example DAG once against the sandbox, and checks contact by contact that it received what the receipts say.

``make demo``, or ``python scripts/demo.py``. Exits with 1 when a DAG fails or is missing, or the sandbox received
something else.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import dag_runs

from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient

ROOT = Path(__file__).parents[1]
# Sandbox seconds per second: campaigns that take hours are over within seconds.
SPEED = 600
POLL_SECONDS = "0.2"
# All but a second of the day, whatever time it is when the demo runs.
SEND_HOURS = "00:00-23:59:59"
LAST_LINES = 40
# Tag of examples that wait for something from outside, an event or a person; demo_live.py runs them.
LIVE = "live"

STATUSES = ("accepted", "duplicate", "rejected", "invalid", "capped", "unsent", "unknown")
# By task and map index.
Numbers = dict[tuple[str, int], list[str]]

COLUMNS = ("DAG", "task", "vendor", "campaign", "contacts", *STATUSES, "requests")


class Contacted(NamedTuple):
    """One contact at a vendor, and what the vendor made of it."""

    vendor: str
    campaign: str
    contact: str
    outcome: str


@dataclass
class Example:
    """
    One example DAG and what came of it.

    :param rows: of the table, one for each task that contacts people.
    :param problems: why it is no success, none if it is.
    :param log: where its logs are.
    """

    dag_id: str
    log: Path
    rows: list[tuple[str, ...]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the examples and return the exit status."""
    options = _options(arguments)
    started = time.monotonic()
    home, logs = _clean(options.home.resolve())
    with SandboxServer(speed=SPEED) as sandbox:
        os.environ |= dag_runs.environment(home, options.dags.resolve(), sandbox.url)
        os.environ |= {
            "AIRFLOW_VAR_CAMPAIGNS_OUTCOMES": f"{home}/outcomes",
            "AIRFLOW_VAR_CAMPAIGNS_SEND_HOURS": SEND_HOURS,
            "CAMPAIGNS_POKE_INTERVAL": POLL_SECONDS,
        }
        with quiet(logs / "start.log"):
            dag_runs.migrate()
            found = dag_runs.load_dags(options.dags)
        dags = {dag_id: dag for dag_id, dag in found.items() if LIVE not in dag.tags}
        for dag_id in sorted(found.keys() - dags.keys()):
            print(f"{dag_id}: only in an Airflow that keeps running (make demo-live)", flush=True)
        examples = [run(dags[dag_id], SandboxClient(sandbox.url), logs) for dag_id in sorted(dags)]
    examples += missing(options.dags, dags, logs)
    report(examples, time.monotonic() - started)
    print(f"\nWhat to look at next:\n{next_steps(home)}")
    return int(any(example.problems for example in examples))


def next_steps(home: Path) -> str:
    """Return what to look at after the demo."""
    steps = {
        "make standalone": "Airflow's UI with the examples, and such deliveries on the page Campaigns",
        str(home / "outcomes"): "what became of each contact, a line of JSON each",
        "docs/tutorial/first-campaign.md": "a campaign of your own",
    }
    width = max(map(len, steps))
    return "\n".join(f"  {step.ljust(width)}  {what}" for step, what in steps.items())


def missing(folder: Path, dags: Collection[str], logs: Path) -> list[Example]:
    """Return the examples of a folder, DAG files named like their DAG, that should have run and are not in ``dags``."""
    stems = {file.stem for file in folder.glob("*.py") if f'"{LIVE}"' not in file.read_text()}
    return [Example(stem, logs / "start.log", problems=["no such DAG"]) for stem in sorted(stems - {*dags})]


def run(dag: Any, sandbox: SandboxClient, logs: Path) -> Example:
    """Run one DAG and compare what it says with what the sandbox received meanwhile."""
    print(f"{dag.dag_id} ...", flush=True)
    example = Example(dag.dag_id, logs / f"{dag.dag_id}.log")
    numbers = _remember_numbers(dag)
    before = len(sandbox.received()["contacts"])
    with quiet(example.log):
        dag_run = dag_runs.run_dag(dag)
    compare(example, dag_run, received_since(sandbox, before), numbers)
    return example


def compare(
    example: Example, dag_run: dag_runs.DagRun, received: Counter[Contacted], numbers: Numbers | None = None
) -> None:
    """Write down how a run of the example ended, and where its receipts differ from what the sandbox received."""
    said = account(example, dag_run, numbers)
    example.problems += differences(said, received)


def account(
    example: Example, dag_run: dag_runs.DagRun, numbers: Numbers | None = None, skipped: Collection[str] = ()
) -> Counter[Contacted]:
    """
    Write down how a run of the example ended, and return the contacts that its tasks say they reached.

    :param numbers: those that a task's Exotel campaign rings.
    :param skipped: tasks that have to be skipped.
    """
    said: Counter[Contacted] = Counter()
    for task in dag_run.tasks:
        if task.state != ("skipped" if task.task_id in skipped else "success"):
            example.problems.append(f"task {_name(task)} is {task.state}")
        if dialled := (numbers or {}).get((task.task_id, task.map_index)):
            receipt, sent = _dialled(task.xcoms["return_value"], dialled)
        elif "receipt" in task.xcoms:
            receipt = task.xcoms["receipt"]
            sent = list(_sent(receipt, task.xcoms))
        else:
            continue
        said.update(sent)
        example.rows.append((dag_run.dag_id, _name(task), *(str(receipt.get(column, "")) for column in COLUMNS[2:])))
    if dag_run.state != "success":
        example.problems.append(f"the DAG run is {dag_run.state}")
    return said


def received_since(sandbox: SandboxClient, before: int) -> Counter[Contacted]:
    """Return what the sandbox received after its first ``before`` contacts."""
    return Counter(
        Contacted(one["vendor"], one["campaign"], one["contact"], one["outcome"])
        for one in sandbox.received()["contacts"][before:]
    )


def differences(said: Counter[Contacted], received: Counter[Contacted]) -> list[str]:
    """Return a sentence for each contact of which the outcomes say something else than the sandbox received."""
    return [
        f"{one.vendor} {one.campaign}, {one.contact}: {one.outcome} {said[one]} times by the outcomes, "
        f"{received[one]} times at the sandbox"
        for one in sorted({*said, *received})
        if said[one] != received[one]
    ]


def report(examples: Sequence[Example], seconds: float) -> None:
    """Print the table of receipts, then what went wrong."""
    rows = [COLUMNS, *(row for example in examples for row in example.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        texts, numbers = row[:4], row[4:]
        cells = [text.ljust(width) for text, width in zip(texts, widths, strict=False)]
        cells += [number.rjust(width) for number, width in zip(numbers, widths[4:], strict=True)]
        print("  ".join(cells))
    print()
    for example in examples:
        if example.problems:
            print(f"{example.dag_id}:", *example.problems, f"the end of {example.log}:", sep="\n  ")
            print(*example.log.read_text(errors="replace").splitlines()[-LAST_LINES:], sep="\n", end="\n\n")
    contacts = sum(int(row[4]) for example in examples for row in example.rows)
    wrong = sum(bool(example.problems) for example in examples)
    summary = f"{wrong} went wrong" if wrong else "the sandbox received what the receipts say, contact by contact"
    print(f"{len(examples)} DAGs, {contacts} contacts, {seconds:.0f} s: {summary}")


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Send all that is printed and logged, by whatever means, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, number in zip(kept, (1, 2), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--dags", type=Path, default=ROOT / "dags_examples", help="folder of DAGs")
    parser.add_argument("--home", type=Path, default=ROOT / ".airflow-demo", help="where Airflow keeps its files")
    return parser.parse_args(arguments)


def _clean(home: Path) -> tuple[Path, Path]:
    """Remove what an earlier demo left, and return the folders of this one and of its logs."""
    for folder in ("logs", "outcomes"):
        shutil.rmtree(home / folder, ignore_errors=True)
    for database in ("airflow.db", "warehouse.db"):
        (home / database).unlink(missing_ok=True)
    (home / "logs").mkdir(parents=True)
    return home, home / "logs"


def _sent(receipt: Mapping[str, Any], xcoms: Mapping[str, Any]) -> Iterator[Contacted]:
    """Yield what the outcomes say of each contact that was sent."""
    from airflow_provider_campaigns.delivery import read_outcomes

    path = receipt["outcomes_path"]
    for outcome in read_outcomes(path) if path else xcoms["outcomes"]:
        status = outcome["status"]
        # A contact that the source repeats is a duplicate that was never sent: the vendor said nothing of it.
        if status in {"accepted", "rejected"} or (status == "duplicate" and outcome["message"]):
            yield Contacted(receipt["vendor"], receipt["campaign"], str(outcome["key"]), status)


def _remember_numbers(dag: Any) -> Numbers:
    """Return a dict that gets the numbers of each task that creates an Exotel campaign, by task and map index."""
    from airflow_provider_campaigns.operators._exotel.recipients import recipients
    from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
    from airflow_provider_campaigns.templating.hidden_field import unwrap

    numbers: Numbers = {}

    def remember(context: Mapping[str, Any]) -> None:
        task, ti = context["task"], context["ti"]
        given = {name: unwrap(getattr(task, name)) for name in ("numbers", "lists", "contacts", "region")}
        numbers[ti.task_id, ti.map_index] = [*recipients(task.hook, **given).numbers(repeat=True)]

    for task in dag.tasks:
        if isinstance(task, CreateExotelCampaignOperator):
            task.on_success_callback = [remember]
    return numbers


def _dialled(campaign: Mapping[str, Any], numbers: Sequence[str]) -> tuple[dict[str, Any], list[Contacted]]:
    """Return the receipt of an Exotel campaign, and its contacts: a number that is repeated is sent and rung once."""
    rung = dict.fromkeys(numbers)
    contacts = [Contacted("exotel", campaign["id"], number, "accepted") for number in rung]
    receipt = {
        "vendor": "exotel",
        "campaign": campaign["name"],
        "contacts": len(numbers),
        "accepted": len(rung),
        "duplicate": len(numbers) - len(rung),
    }
    return receipt, contacts


def _name(task: dag_runs.TaskRun) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"


if __name__ == "__main__":
    sys.exit(main())
