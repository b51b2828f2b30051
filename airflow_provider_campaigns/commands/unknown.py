"""``unknown``: contacts of whom it is not known whether they were contacted, and what the vendor says of them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from airflow_provider_campaigns.commands.connections import open_hook
from airflow_provider_campaigns.commands.output import Table, command, emit, written
from airflow_provider_campaigns.commands.tasks import limit_of, named, wanted_of
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.exceptions import CampaignError, InputError, VendorError
from airflow_provider_campaigns.overview.delivery import DeliveryView, Wanted
from airflow_provider_campaigns.overview.outcomes import masked
from airflow_provider_campaigns.overview.overview import Overview, open_overview

Ask = Callable[[Outcome], str]


@command
def list_unknown(args: Namespace) -> None:
    """List them, of the latest deliveries first."""
    wanted, limit = wanted_of(args), limit_of(args)
    if args.conn_id and not args.ask:
        raise InputError("--conn-id", "it together with --ask", "it alone")
    with open_overview() as overview:
        rows = list(islice(_found(overview, wanted, args, limit), limit))
    emit(rows, args.output, Table(rows, empty="No contacts are unknown"))


def _found(overview: Overview, wanted: Wanted, args: Namespace, limit: int) -> Iterator[dict[str, Any]]:
    for need in overview.needs(wanted):
        if need.kind == "unknown":
            yield from _contacts(overview, need.delivery, args, limit)
        elif need.kind == "incomplete" and (number := _intents(overview, need.delivery)):
            reason = f"{number:,} were on their way when it ended: clear the task, and it finds out"
            yield _row(need.delivery, args, reason=reason)


def _intents(overview: Overview, view: DeliveryView) -> int:
    """Return how many contacts have an intent without an answer; only a history knows."""
    return sum(moment.counts.get("intended", 0) for moment in overview.by_time(view.task))


def _contacts(overview: Overview, view: DeliveryView, args: Namespace, limit: int) -> Iterator[dict[str, Any]]:
    try:
        lines = overview.outcomes(view, "unknown", limit)
    except CampaignError as error:
        lines = ()
        number = view.count("unknown")
        yield _row(view, args, reason=f"{number:,}; their outcomes cannot be read: {error}")
    ask = _asker(view, args) if args.ask and lines else None
    for line in lines:
        hidden = masked(line)
        said = ask(line) if ask else ""
        yield _row(view, args, reason=hidden.reason, row=hidden.row, contact=hidden.key, said=said)


def _row(view: DeliveryView, args: Namespace, *, reason: str, **of: Any) -> dict[str, Any]:
    """Return a line; ``of`` says more of one contact."""
    about = {**named(view.task), "vendor": view.vendor, "campaign": view.campaign}
    contact = {"row": of.get("row"), "contact": of.get("contact", ""), "reason": reason}
    said = {"vendor_says": of.get("said", "")} if args.ask else {}
    return {**about, "began": view.began, **contact, **said}


def _asker(view: DeliveryView, args: Namespace) -> Ask:
    """Return what asks the vendor for a contact, as far as it can be asked."""
    conn_id = args.conn_id or view.conn_id
    if not conn_id:
        return lambda _: "not asked: --conn-id names the connection, which no history knows"
    hook = open_hook(conn_id, view.vendor)
    failed: list[str] = []

    def ask(line: Outcome) -> str:
        if not failed:
            try:
                said = hook.look_up(view.campaign, line["key"] or "", view.began)
                return written(said) if said else "cannot be asked for one contact"
            except (VendorError, InputError) as error:
                # The others would meet the same, each after some repeats.
                failed.append(f"not known: {written(str(error))}")
        return failed[0]

    return ask
