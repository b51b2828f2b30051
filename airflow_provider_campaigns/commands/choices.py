"""``resend`` and ``skip``: what a person chooses for one task instance, once, without editing its DAG."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, datetime

from airflow_provider_campaigns.commands.output import FAILED, Table, command, confirm, emit
from airflow_provider_campaigns.commands.tasks import named, task_of
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.masking import one_line
from airflow_provider_campaigns.overview.delivery import DeliveryView, TaskId
from airflow_provider_campaigns.overview.overview import open_overview
from airflow_provider_campaigns.state.overrides import VARIABLE, add_override

EVERYBODY = {"on_cleared": "resend"}
UNKNOWN = {"on_unknown": "resend"}
SKIP = {"on_unknown": "skip"}
THEN = "Now clear the task instance: in Airflow's UI, by its REST API, or with airflow tasks clear"


@command
def resend(args: Namespace) -> int | None:
    """Let a cleared task send again: to contacts whose outcome is unknown, or to everybody."""
    if args.everybody:
        return _choose(args, EVERYBODY, "Once cleared, it sends to everybody again: {contacts}")
    return _choose(args, UNKNOWN, "Once cleared, it sends again to contacts whose outcome is unknown: {unknown}")


@command
def skip(args: Namespace) -> int | None:
    """Let a cleared task accept that some outcomes are unknown."""
    return _choose(args, SKIP, "Once cleared, it accepts that outcomes are unknown: {unknown}")


def _choose(args: Namespace, choices: dict[str, str], what: str) -> int | None:
    task = task_of(args)
    with open_overview() as overview:
        view = overview.delivery(task)
        if view is None and not overview.knows(task):
            expected = "a task instance that there is (--map-index for a mapped one)"
            raise InputError("dag_id, run_id, task_id", expected, " ".join(map(str, task)))
    effect = what.format(contacts=_number(view, None), unknown=_number(view, "unknown"))
    sys.stderr.write(f"{_described(task, view)}\n{effect}\n")
    if not confirm(f"Set the Variable {VARIABLE}?", args):
        return FAILED
    note = f"command line, {datetime.now(UTC).isoformat(timespec='microseconds')}"
    add_override(task, choices, note)
    result = {**named(task), **choices, "variable": VARIABLE}
    emit(result, args.output, Table([result]))
    sys.stderr.write(f"{THEN}\n")
    return None


def _described(task: TaskId, view: DeliveryView | None) -> str:
    where = one_line(" ".join(str(value) for value in named(task).values() if value is not None))
    if view is None:
        return f"{where}: no delivery is known"
    counts = ", ".join(f"{number:,} {status}" for status, number in view.counts.items() if number)
    return f"{where}: {one_line(view.campaign)} at {view.vendor}, {view.state}; {counts or 'no counts'}"


def _number(view: DeliveryView | None, status: str | None) -> str:
    known = view and (view.contacts if status is None else view.counts.get(status))
    return "how many is not known" if known is None else f"{known:,}"
