"""Reads the source once before anything is sent: counts the rows, takes their fingerprint, finds errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from airflow_provider_campaigns.delivery.plan.batches import Fingerprint
from airflow_provider_campaigns.delivery.plan.reading import Entry, Reading, always_invalid
from airflow_provider_campaigns.delivery.plan.sources import Row, Source

# Contacts that are made to warn of phone numbers in a national form before the first request.
ROWS_TO_WARN_OF = 1_000


@dataclass(frozen=True, slots=True)
class PreflightResult:
    """
    What a pass over the source found.

    :param rows: how many there are.
    :param fingerprint: of the contacts up to the row that was asked for; empty when there are fewer rows.
    :param nobody: why the first row cannot be sent, when no row can, unless they are left out on purpose; else None.
    :param whole: the fingerprint of all contacts; empty when not all of them were made.
    :param invalid: how many cannot be sent, but for those left out on purpose; None when not all of them were made.
    """

    rows: int
    fingerprint: str = ""
    nobody: str | None = None
    whole: str = ""
    invalid: int | None = None


class _Findings:
    """
    What the contacts so far show.

    :param row: up to which row the fingerprint is wanted.
    :param least: rows that are read in any case.
    """

    def __init__(self, row: int, least: float) -> None:
        self._row = row
        self._least = max(row, least)
        self._contacts = Fingerprint()
        self._anybody = False
        self._problem: str | None = None
        self._invalid = 0
        self.fingerprint = ""

    def add(self, entry: Entry) -> bool:
        """Take in the next row; return whether there is nothing more to find out."""
        number, contact = entry
        self._contacts.add(number, contact)
        if number == self._row:
            self.fingerprint = self._contacts.hexdigest()
        if not isinstance(contact, dict):
            self._anybody = True
        elif always_invalid(contact):
            self._invalid += 1
            self._problem = self._problem or contact["reason"]
        return self._anybody and number >= self._least

    def result(self, rows: int) -> PreflightResult:
        """
        Return what was found.

        :param rows: of the source.
        """
        nobody = None if self._anybody else self._problem
        if self._contacts.row < rows:
            return PreflightResult(rows, self.fingerprint, nobody)
        return PreflightResult(rows, self.fingerprint, nobody, self._contacts.hexdigest(), self._invalid)


def check(reading: Reading, source: Source, row: int = 0, *, least: float = 0) -> PreflightResult:
    """
    Read the source to its end: once, or as far as is of interest, if it can count its rows by itself.

    Rows become contacts only as far as is of interest, too, as that takes most of the time.

    :param row: up to which row the fingerprint is wanted; 0 for none.
    :param least: so many rows become contacts in any case; infinity for all.
    :raises InputError: the source cannot be read to its end, holds nothing, lacks a column, or has a field twice.
    """
    rows = _Counted(source.rows_with(reading.required(), reading.names))
    findings = _Findings(row, max(least, ROWS_TO_WARN_OF if reading.may_warn else 0))
    for entry in reading.entries(rows):
        if findings.add(entry):
            break
    if source.count:
        total = source.count()
    else:
        deque(rows, maxlen=0)
        total = rows.number
    return findings.result(total)


class _Counted:
    """Rows, and how many of them were read so far."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._read = count()
        self._rows = (row for row, _ in zip(rows, self._read, strict=False))

    def __iter__(self) -> Iterator[Row]:
        return self._rows

    @property
    def number(self) -> int:
        """How many; asked once, at the end."""
        return next(self._read)


def count_recipients(reading: Reading, source: Source) -> int:
    """Return how many contacts would be sent to."""
    return sum(not isinstance(contact, dict) for _, contact in reading.entries(source.read()))
