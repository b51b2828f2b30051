"""Ledgers of a delivery's tries, and what is recorded in them."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.delivery.record.ledger import Change, Checkpoint, Ledger, Resend
from airflow_provider_campaigns.delivery.record.outcome import Status
from airflow_provider_campaigns.delivery.record.ranges import Rows

HEADER = {"campaign": "spring", "host": "https://api.example.com"}


def began(store: Any, max_tries: int = 0, *, resend: Resend = "no") -> Ledger:
    ledger = Ledger.open(store)
    ledger.begin(max_tries, resend=resend)
    ledger.start(HEADER)
    return ledger


def settle(ledger: Ledger, rows: Rows, status: Status = "accepted", **counts: int) -> None:
    number = rows.last - rows.first + 1
    ended: dict[Status, range] = {} if status == "accepted" else {status: range(rows.first, rows.last + 1)}
    ledger.record(Change(settled=[rows], counts={status: number, **counts}, ended=ended))


def send(ledger: Ledger, *rows: Rows) -> None:
    for range_ in rows:
        intend(ledger, range_)
        settle(ledger, range_, requests=1)


def intend(ledger: Ledger, rows: Rows) -> None:
    ledger.record(Change(intended=[rows], checkpoint=Checkpoint(rows.last, f"up to {rows.last}")))


def rows_of(ledger: Ledger) -> tuple[list[Rows], list[Rows]]:
    """Return what is settled and what is unresolved."""
    settled, unresolved = ledger.rows()
    return list(settled), list(unresolved)
