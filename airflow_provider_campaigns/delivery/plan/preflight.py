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
    """

    rows: int
    fingerprint: str = ""
    nobody: str | None = None


def check(reading: Reading, source: Source, row: int = 0) -> PreflightResult:
    """
    Read the source to its end: once, or as far as is of interest, if it can count its rows by itself.

    Rows become contacts only as far as is of interest, too, as that takes most of the time.

    :param row: up to which row the fingerprint is wanted; 0 for none.
    :raises InputError: the source cannot be read to its end, holds nothing, or lacks a column.
    """
    read = count()
    rows = (row for row, _ in zip(source.rows_with(reading.required()), read, strict=False))
    fingerprint, there, somebody, broken = Fingerprint(), "", False, None
    for number, contact in reading.entries(rows):
        fingerprint.add(number, contact)
        if isinstance(contact, dict):
            broken = broken or (contact["reason"] if contact["reason"] not in LEFT_OUT else None)
        else:
            somebody = True
        if number == row:
            there = fingerprint.hexdigest()
        if somebody and number >= row:
            break
    if source.count:
        total = source.count()
    else:
        deque(rows, maxlen=0)
        total = next(read)
    return PreflightResult(total, there, None if somebody else broken)


def count_recipients(reading: Reading, source: Source) -> int:
    """Return how many contacts would be sent to."""
    return sum(not isinstance(contact, dict) for _, contact in reading.entries(source.read()))
