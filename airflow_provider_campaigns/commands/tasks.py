"""Which task instance, and which deliveries, the arguments of a command name."""

from __future__ import annotations

import re
from argparse import Namespace
from datetime import UTC, datetime, timedelta

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.overview.delivery import MOST_AT_A_TIME, DeliveryView, TaskId, Wanted
from airflow_provider_campaigns.overview.notes import in_utc
from airflow_provider_campaigns.overview.overview import Overview

_AGO = re.compile(r"(\d{1,6})([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def task_of(args: Namespace) -> TaskId:
    """Return the task instance that the arguments name."""
    return TaskId(args.dag_id, args.run_id, args.task_id, args.map_index)


def delivery_of(overview: Overview, args: Namespace) -> DeliveryView:
    """
    Return the delivery of the task instance that the arguments name.

    :raises InputError: there is none.
    """
    view = overview.delivery(task_of(args))
    if view is None:
        expected = "a task instance that has delivered (deliveries lists them; --map-index for a mapped one)"
        raise InputError("dag_id, run_id, task_id", expected, " ".join(map(str, task_of(args))))
    return view


def wanted_of(args: Namespace) -> Wanted:
    """
    Return which deliveries the arguments name.

    :raises InputError: one of them cannot be used.
    """
    return Wanted(
        dag_id=args.dag_id,
        run_id=args.run_id,
        task_id=args.task_id,
        vendor=args.vendor,
        state=getattr(args, "state", None),
        since=instant("--since", args.since) if args.since else None,
        search=getattr(args, "search", ""),
    )


def instant(name: str, text: str) -> datetime:
    """
    Return a point in time in UTC.

    :param text: a date, a date and time (without a zone: UTC), or how long ago: ``7d``, ``12h``, ``30m``.
    :raises InputError: none of these.
    """
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        return in_utc(datetime.fromisoformat(text.strip()))
    except ValueError:
        expected = "a date, a date and time, or how long ago (7d, 12h, 30m)"
        raise InputError(name, expected, text) from None


def limit_of(args: Namespace) -> int:
    """
    Return how many rows may be shown.

    :raises InputError: too few or too many.
    """
    limit: int = args.limit
    if not 1 <= limit <= MOST_AT_A_TIME:
        raise InputError("--limit", f"a number from 1 to {MOST_AT_A_TIME}", limit)
    return limit


def named(task: TaskId) -> dict[str, str | int | None]:
    """Return the columns that name a task instance, as they have to be given to other commands."""
    return {
        "dag": task.dag_id,
        "run": task.run_id,
        "task": task.task_id,
        "map_index": task.map_index if task.map_index >= 0 else None,
    }
