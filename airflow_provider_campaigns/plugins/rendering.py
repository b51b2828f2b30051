"""Renders the templates of the campaign page; whatever is not markup of a template is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.overview.delivery import DeliveryView, TaskId


class Segment(NamedTuple):
    """
    A part of a bar.

    :param start: per cent.
    :param width: per cent.
    """

    name: str
    contacts: int
    start: float
    width: float


def segments(counts: Mapping[str, int], total: int | None) -> list[Segment]:
    """Return the parts of the bar of these counts; what is missing to the total has none."""
    whole = max(total or 0, sum(counts.values())) or 1
    found, start = [], 0.0
    for name in STATUSES:
        if count := counts.get(name, 0):
            width = 100 * count / whole
            found.append(Segment(name, count, round(start, 3), round(width, 3)))
            start += width
    return found


def delivery_address(task: TaskId, **more: str) -> str:
    """Return the address of a delivery's page, below that of the campaign page."""
    return f"delivery?{urlencode({**task._asdict(), **more})}"


def task_address(task: TaskId, part: str = "") -> str:
    """Return the address of a task instance in Airflow, below that of the campaign page."""
    mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
    names = (quote(name, safe="") for name in (task.dag_id, task.run_id, task.task_id))
    return "../dags/{}/runs/{}/tasks/{}".format(*names) + mapped + (f"/{part}" if part else "")


def duration(view: DeliveryView) -> str:
    """Return how long a delivery took."""
    if view.ended is None:
        return ""
    return str(timedelta(seconds=max(0, round((view.ended - view.began).total_seconds()))))


def moment(value: datetime | None) -> str:
    """Return a point in time for people; the page's script shows it in their own zone."""
    return f"{value:%Y-%m-%d %H:%M} UTC" if value else ""


def left(minutes: float | None) -> str:
    """Return how long something will take."""
    if minutes is None:
        return ""
    if minutes < 1:
        return "less than a minute left"
    return f"{minutes:,.0f} min left" if minutes < 120 else f"{minutes / 60:,.0f} h left"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_provider_campaigns.plugins"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=moment, left=left, duration=duration, host=lambda url: urlsplit(url).netloc)
    environment.globals.update(
        statuses=STATUSES, segments=segments, delivery_address=delivery_address, task_address=task_address
    )
    return environment


def render(request: Request, template: str, code: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a page."""
    root = request.scope.get("root_path", "")
    query = request.query_params
    html = _environment().get_template(template).render(root=root, query=query, **values)
    return HTMLResponse(html, int(code), {"Cache-Control": "no-store"})
