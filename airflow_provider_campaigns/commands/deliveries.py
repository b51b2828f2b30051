"""``deliveries`` and ``show``: what was sent, as the overview has it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.commands.output import Table, command, emit
from airflow_provider_campaigns.commands.tasks import delivery_of, limit_of, named, wanted_of
from airflow_provider_campaigns.delivery.record.outcome import STATUSES
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.overview.delivery import DeliveryView
from airflow_provider_campaigns.overview.needs import Need, need_of
from airflow_provider_campaigns.overview.outcomes import Sample
from airflow_provider_campaigns.overview.overview import open_overview


@command
def list_deliveries(args: Namespace) -> None:
    """List deliveries, the latest first."""
    wanted, limit = wanted_of(args), limit_of(args)
    with open_overview() as overview:
        page = overview.deliveries(wanted, most=limit)
        rows = [_row(view) for view in page.rows]
        value = {"source": overview.source, "total": page.total, "deliveries": [_all(view) for view in page.rows]}
    title = f"{len(rows):,} of {page.total:,} deliveries" if page.total > len(rows) else ""
    emit(value, args.output, Table(rows, title, "No deliveries"))


@command
def show_delivery(args: Namespace) -> None:
    """Show a delivery."""
    if args.status not in {"", *STATUSES}:
        raise InputError("--status", f"one of {', '.join(STATUSES)}", args.status)
    with open_overview() as overview:
        view = delivery_of(overview, args)
        sample = overview.sample(view, args.status)
        need = need_of(view)
    value = {
        **_all(view),
        "needs": _need(need),
        "reasons": [one.__dict__ for one in sample.reasons],
        "outcomes": [one.__dict__ for one in sample.first],
        "outcomes_read": sample.read,
        "outcomes_problem": sample.problem or None,
    }
    emit(value, args.output, *_tables(view, need, sample))


def _tables(view: DeliveryView, need: Need | None, sample: Sample) -> list[Table]:
    about = [
        {"": name.replace("_", " "), " ": value} for name, value in _about(view).items() if value not in (None, "")
    ]
    counts = [{"status": status, "contacts": number} for status, number in view.counts.items() if number]
    tables = [Table(about), Table(counts, "Contacts", "No counts are known yet")]
    if need:
        tables.append(Table([_need(need) or {}], "What needs somebody"))
    if sample.problem:
        tables.append(Table((), empty=f"The outcomes cannot be read: {sample.problem}"))
        return tables
    some = "" if sample.whole else f", of the {sample.read:,} that were read"
    if sample.reasons:
        tables.append(Table([one.__dict__ for one in sample.reasons], f"Reasons{some}"))
    tables.append(Table([one.__dict__ for one in sample.first], "First outcomes", "No outcomes"))
    return tables


def _row(view: DeliveryView) -> dict[str, Any]:
    """Return a line of the list; statuses without contacts are left out."""
    counts = ", ".join(f"{number:,} {status}" for status, number in view.counts.items() if number)
    return {
        "began": view.began,
        **named(view.task),
        "vendor": view.vendor,
        "campaign": view.campaign,
        "state": view.state,
        "contacts": view.contacts,
        "counts": counts,
    }


def _about(view: DeliveryView) -> dict[str, Any]:
    return {
        **named(view.task),
        "vendor": view.vendor,
        "campaign": view.campaign,
        "account": view.account,
        "channel": view.channel,
        "state": view.state,
        "task_state": view.task_state,
        "began": view.began,
        "ended": view.ended,
        "contacts": view.contacts,
        "requests": view.requests,
        "per_second": view.per_second,
        "minutes_left": view.minutes_left,
        "outcomes_path": view.outcomes_path,
    }


def _all(view: DeliveryView) -> dict[str, Any]:
    counts: Mapping[str, int] = view.counts
    return {**_about(view), "counts": dict(counts)}


def _need(need: Need | None) -> dict[str, str] | None:
    return {"problem": need.problem, "remedy": need.remedy} if need else None
