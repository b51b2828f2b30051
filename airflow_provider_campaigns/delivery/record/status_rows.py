"""Which settled rows ended with which status, to rebuild outcomes that are lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Status
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet

# Ranges that are kept: Airflow 3.3 wants values below 64 KB.
MOST_RANGES = 1_000

KEPT: tuple[Status, ...] = tuple(status for status in STATUSES if status != "accepted")
"""A settled row that is in none of these sets was accepted, or is invalid whenever it is read."""


class StatusRows:
    """
    Sets of rows by status.

    :param sets: by status; None: its rows are too many ranges to be kept.
    """

    def __init__(self, sets: Mapping[Status, RowSet | None] | None = None) -> None:
        self._sets: dict[Status, RowSet | None] = {status: RowSet() for status in KEPT}
        self._sets.update(sets or {})

    def __getitem__(self, status: Status) -> RowSet | None:
        """Return the rows with a status, None when they are not known."""
        return self._sets[status]

    def copy(self) -> Self:
        """Return a copy."""
        return type(self)({status: rows and rows.copy() for status, rows in self._sets.items() if rows or rows is None})

    def add(self, rows: Mapping[Status, Iterable[int]]) -> None:
        """Add rows by status; then the set with the most ranges is given up until they are few enough, unknown last."""
        for status, added in rows.items():
            known = self._sets[status]
            if known is not None:
                known.update(Rows(row, row) for row in added)
        while sum(known.parts for known in self._sets.values() if known) > MOST_RANGES:
            self._sets[max(KEPT, key=self._cost)] = None

    def overrule(self, later: StatusRows, settled: RowSet) -> None:
        """Let a later try's rows take the place of these; it settled ``settled``."""
        for status in KEPT:
            mine, theirs = self._sets[status], later[status]
            if mine is None or theirs is None:
                self._sets[status] = None
            else:
                mine.discard(settled)
                mine.update(theirs)

    def status_of(self, row: int) -> Status | None:
        """Return how a settled row ended, None when it is not known."""
        for status, rows in self._sets.items():
            if rows and row in rows:
                return status
        return None if None in self._sets.values() else "accepted"

    def _cost(self, status: Status) -> tuple[bool, int]:
        known = self._sets[status]
        return bool(known) and status != "unknown", known.parts if known else 0

    def dump(self) -> dict[str, Any]:
        """Return what is stored."""
        return {
            status: None if rows is None else [list(one) for one in rows]
            for status, rows in self._sets.items()
            if rows or rows is None
        }

    @classmethod
    def load(cls, value: Mapping[Any, Any]) -> Self:
        """Return what was stored."""
        if not {*value} <= {*KEPT}:
            raise ValueError("a status that there is not")
        return cls({status: None if rows is None else RowSet(rows) for status, rows in value.items()})
