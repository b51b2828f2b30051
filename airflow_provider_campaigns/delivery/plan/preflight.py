"""One pass over the source before anything is sent: what must be known of all contacts, without keeping them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count

from airflow_provider_campaigns.delivery.plan.batches import LEFT_OUT, Fingerprint, Reading
from airflow_provider_campaigns.delivery.plan.sources import Source


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """
    What a pass over the source found.

    :param rows: how many there are.
    :param fingerprint: of the contacts up to the row that was asked for; empty when there are fewer rows.
    :param nobody: why the first row cannot be sent, when no row can, unless they are left out on purpose; else None.
    :param whole: the fingerprint of all contacts; empty when not all were looked at.
    :param invalid: how many cannot be sent, but for those left out on purpose; None when not all were looked at.
    """

    rows: int
    fingerprint: str = ""
    nobody: str | None = None
    whole: str = ""
    invalid: int | None = None


def check(reading: Reading, source: Source, row: int = 0, *, least: float = 0) -> PreflightResult:
    """
    Read the source to its end: once, or as far as is of interest, if it can count its rows by itself.

    Rows become contacts only as far as is of interest, too, as that takes most of the time.

    :param row: up to which row the fingerprint is wanted; 0 for none.
    :param least: so many rows become contacts in any case; infinity for all.
    :raises InputError: the source cannot be read to its end, holds nothing, or lacks a column.
    """
    read = count()
    rows = (row for row, _ in zip(source.rows_with(reading.required()), read, strict=False))
    fingerprint, there, somebody, broken, invalid = Fingerprint(), "", False, None, 0
    enough = max(row, least)
    for number, contact in reading.entries(rows):
        fingerprint.add(number, contact)
        if not isinstance(contact, dict):
            somebody = True
        elif contact["status"] == "invalid" and contact["reason"] not in LEFT_OUT:
            invalid += 1
            broken = broken or contact["reason"]
        if number == row:
            there = fingerprint.hexdigest()
        if somebody and number >= enough:
            break
    if source.count:
        total = source.count()
    else:
        deque(rows, maxlen=0)
        total = next(read)
    if fingerprint.row < total:
        return PreflightResult(total, there, None if somebody else broken)
    return PreflightResult(total, there, None if somebody else broken, fingerprint.hexdigest(), invalid)


def count_recipients(reading: Reading, source: Source) -> int:
    """Return how many contacts would be sent to."""
    return sum(not isinstance(contact, dict) for _, contact in reading.entries(source.read()))
