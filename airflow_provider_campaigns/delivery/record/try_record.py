"""What one try of a delivery stores: one value of the ledger's store, written whole and read by later tries."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from airflow_provider_campaigns.delivery.record.claims import DamagedRecordError, Keys, sealed, unsealed
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Status
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.record.status_rows import StatusRows

KEYS = Keys(latest="latest-try", records="try-")


class Copy(NamedTuple):
    """The copy of a query's result: the number of the try that made it, and a digest of the query."""

    number: int
    query: str


class Checkpoint(NamedTuple):
    """A row of the source, and the fingerprint of the contacts up to it."""

    row: int
    fingerprint: str


@dataclass(frozen=True)
class Change:
    """
    What became of ranges of rows, and what comes next.

    :param settled: ranges whose outcomes are stored.
    :param counts: their rows by status, and requests, repeats in the source and rows left out; to be added.
    :param ended: those of their rows that were not accepted, by status.
    :param intended: ranges about to be sent.
    :param resent: rows about to be sent again.
    :param released: intended ranges that did not arrive, so that a later try sends them.
    :param checkpoint: the last row intended or settled, and the fingerprint of the contacts up to it.
    :param hold: outcomes of settled rows that are in no part yet, as ``held.pack`` makes them.
    :param stored: whatever was held before is in a part now.
    """

    settled: Sequence[Rows] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[Status, Sequence[int]] = field(default_factory=dict)
    intended: Sequence[Rows] = ()
    resent: Sequence[int] = ()
    released: Sequence[Rows] = ()
    checkpoint: Checkpoint | None = None
    hold: str = ""
    stored: bool = False


@dataclass
class TryRecord:
    """
    What one try did.

    :param number: of the try; each process that sends has one of its own.
    :param max_tries: how many tries Airflow allowed when it began.
    :param generation: number of the first try that counts: those before it were for another delivery.
    :param resend: a number for the latest time that everybody was to be sent to again; 0 if that never was.
    :param began: when it began, seconds since the epoch.
    :param header: what is delivered where.
    :param left_out: a digest of those who are left out (opt-outs …).
    :param earlier: numbers of the tries whose records it found.
    :param intended: ranges that were about to be sent, and neither settled nor released.
    :param intended_at: when each of them was intended, seconds since the epoch.
    :param settled: rows whose outcomes are stored.
    :param held: outcomes of settled rows that may be in no part yet, as ``held.pack`` makes them.
    :param ended: which of them were not accepted.
    :param resent: rows that were sent again in this try; the second set holds those sent again twice, and so on.
    :param counts: settled rows by status, requests, and repeats in the source.
    :param checkpoint: the last row intended or settled.
    :param copy: the copy of a query's result that it sends from.
    :param receipt: of the complete delivery.
    :param end: the last row of the complete delivery.
    :param shard: the fingerprint that stands in the register of shards for this map index.
    :param on_unknown: what a person chose for this task instance, until it is cleared again; empty: nothing.
    :param consumed: digests of a person's choices that were applied.
    :param recovers: number of the last try whose outcomes take the place of a ledger that is gone; 0: there is none.
    """

    number: int
    max_tries: int = 0
    generation: int = 0
    resend: int = 0
    began: float = 0.0
    header: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""
    earlier: list[int] = field(default_factory=list)
    intended: list[Rows] = field(default_factory=list)
    intended_at: dict[Rows, float] = field(default_factory=dict)
    settled: RowSet = field(default_factory=RowSet)
    held: list[str] = field(default_factory=list)
    ended: StatusRows = field(default_factory=StatusRows)
    resent: list[RowSet] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    checkpoint: Checkpoint | None = None
    copy: Copy | None = None
    receipt: Receipt | None = None
    end: Checkpoint | None = None
    shard: str = ""
    on_unknown: str = ""
    consumed: list[str] = field(default_factory=list)
    recovers: int = 0

    @property
    def active(self) -> bool:
        """Whether anything was intended or settled."""
        return bool(self.intended or self.settled)

    @property
    def may_have_reached(self) -> bool:
        """Whether anybody was reached, or may have been."""
        return bool(self.intended or self.counts["accepted"] or self.counts["unknown"])

    def after(self, change: Change) -> Self:
        """Return the record with a change."""
        own = replace(
            self,
            settled=self.settled.copy(),
            ended=self.ended.copy(),
            resent=[rows.copy() for rows in self.resent],
            counts=self.counts.copy(),
        )
        ended = {*change.settled, *change.released}
        own.intended = [rows for rows in self.intended if rows not in ended] + list(change.intended)
        now = time.time()
        own.intended_at = {rows: self.intended_at.get(rows, now) for rows in own.intended}
        own.settled.update(change.settled)
        own.held = [*([] if change.stored else self.held), *([change.hold] if change.hold else [])]
        own.counts.update(change.counts)
        if change.checkpoint:
            own.checkpoint = max(self.checkpoint or change.checkpoint, change.checkpoint)
        own.ended.add(change.ended)
        for row in change.resent:
            _add_to_levels(own.resent, row)
        return own

    def dump(self) -> dict[str, Any]:
        """Return the value to be stored."""
        value: dict[str, Any] = {
            "number": self.number,
            "max_tries": self.max_tries,
            "generation": self.generation,
            "resend": self.resend,
            "began": self.began,
            "header": self.header,
            "left_out": self.left_out,
            "earlier": self.earlier,
            "intended": [list(rows) for rows in self.intended],
            "intended_at": [self.intended_at.get(rows, self.began) for rows in self.intended],
            "settled": [list(rows) for rows in self.settled],
            "held": self.held,
            "ended": self.ended.dump(),
            "resent": [[list(rows) for rows in level] for level in self.resent],
            "counts": {name: number for name, number in self.counts.items() if number},
            "checkpoint": self.checkpoint and list(self.checkpoint),
            "copy": self.copy and list(self.copy),
            "receipt": self.receipt,
            "end": self.end and list(self.end),
            "shard": self.shard,
            "on_unknown": self.on_unknown,
            "consumed": self.consumed,
            "recovers": self.recovers,
        }
        return sealed(value)

    @classmethod
    def load(cls, number: int, value: Any) -> Self:
        """
        Return the record that was stored.

        :param number: of the try under whose key it was.
        :raises DamagedRecordError: the value is not what this try wrote.
        """
        content = unsealed(number, value)
        try:
            record = cls._parse(content)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedRecordError(f"it cannot be read ({type(error).__name__})") from error
        if not record.adds_up:
            raise DamagedRecordError("it contradicts itself")
        return record

    @classmethod
    def _parse(cls, value: Mapping[str, Any]) -> Self:
        return cls(
            number=value["number"],
            max_tries=value["max_tries"],
            generation=value["generation"],
            resend=value["resend"],
            began=value["began"],
            header=dict(value["header"]),
            left_out=value["left_out"],
            earlier=list(value["earlier"]),
            intended=[Rows(*rows) for rows in value["intended"]],
            intended_at={Rows(*rows): at for rows, at in zip(value["intended"], value["intended_at"], strict=True)},
            settled=RowSet(value["settled"]),
            held=list(value["held"]),
            ended=StatusRows.load(value["ended"]),
            resent=[RowSet(level) for level in value["resent"]],
            counts=Counter(value["counts"]),
            checkpoint=Checkpoint(*value["checkpoint"]) if value["checkpoint"] else None,
            copy=Copy(*value["copy"]) if value["copy"] else None,
            receipt=value["receipt"],
            end=Checkpoint(*value["end"]) if value["end"] else None,
            shard=value["shard"],
            on_unknown=value["on_unknown"],
            consumed=list(value["consumed"]),
            recovers=value["recovers"],
        )

    @property
    def adds_up(self) -> bool:
        """Whether the counts are those of the settled rows."""
        settled = sum(self.counts[status] for status in STATUSES)
        unknown = self.ended["unknown"]
        return settled == len(self.settled) and (unknown is None or len(unknown) == self.counts["unknown"])


def _add_to_levels(levels: list[RowSet], row: int) -> None:
    """Add a row to the first set that does not have it."""
    level = next((rows for rows in levels if row not in rows), None)
    if level is None:
        levels.append(level := RowSet())
    level.add(Rows(row, row))
