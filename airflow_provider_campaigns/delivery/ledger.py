"""
What was meant to be sent, and what is known to have been: read by a later try before it sends anything.

Per range of rows there are three transitions: *intended* (stored before the request leaves), *settled* (after the
outcomes are stored), *released* (it surely never arrived). A range that was intended and neither settled nor released
is *unresolved*: it may have been sent.

Every try writes one key of its own, ``try-<number>``, and reads those before it: a task that was marked failed and
cleared runs beside its successor for some seconds, and neither may overwrite the other. Nor may both send: a try first
writes its number to the key ``latest``, then reads what those before it intended, and every try looks at ``latest``
between storing an intent and sending. So either the successor knows of the intent, or the intent is not carried out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from airflow_provider_campaigns.delivery.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.receipt import Receipt
from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.masking import mask

LATEST = "latest"


class Store(Protocol):
    """Durable key-value state of one task instance; values are JSON."""

    def get(self, key: str) -> Any:
        """Return the value, None when there is none."""

    def set(self, key: str, value: Any) -> None:
        """Store the value durably, or raise."""


@dataclass
class _Try:
    """What one try wrote."""

    generation: int
    header: dict[str, Any]
    intended: list[Rows] = field(default_factory=list)
    settled: list[Rows] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    checkpoint: tuple[int, str] | None = None
    receipt: Receipt | None = None

    @property
    def sent(self) -> bool:
        """Whether it sent, or may have sent, or settled anything: what it only released binds no later try."""
        return bool(self.intended or self.settled)

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> _Try:
        return cls(
            generation=value["generation"],
            header=dict(value["header"]),
            intended=[Rows(*rows) for rows in value["intended"]],
            settled=[Rows(*rows) for rows in value["settled"]],
            counts=Counter(value["counts"]),
            checkpoint=tuple(value["checkpoint"]) if value["checkpoint"] else None,
            receipt=value["receipt"],
        )

    def dump(self) -> dict[str, Any]:
        return {
            "generation": self.generation,
            "header": self.header,
            "intended": [list(rows) for rows in self.intended],
            "settled": [list(rows) for rows in self.settled],
            "counts": dict(self.counts),
            "checkpoint": list(self.checkpoint) if self.checkpoint else None,
            "receipt": self.receipt,
        }


class Ledger:
    """
    The record of one delivery over all its tries.

    :param store: durable state of this task instance.
    :param try_number: number of the running try, from 1; a number that has a record already is not used again.
    :param generation: a number that tells a delivery that was cleared to be sent again from those before it; only
        tries of the same generation count. None goes on with the latest.
    :param join: join settled ranges that adjoin, so that a long delivery keeps a short record.
    """

    def __init__(self, store: Store, try_number: int, generation: int | None = None, *, join: bool = True) -> None:
        self._store = store
        self._join = join
        self._number = max(try_number, (store.get(LATEST) or 0) + 1)
        store.set(LATEST, self._number)
        earlier = (store.get(f"try-{number}") for number in range(1, self._number))
        loaded = [_Try.load(value) for value in earlier if value]
        latest = max((one.generation for one in loaded), default=0)
        self.generation = latest if generation is None else generation
        self._tries = [one for one in loaded if one.generation == self.generation]
        self._own = _Try(self.generation, {})

    @property
    def began(self) -> bool:
        """Whether an earlier try left a record."""
        return bool(self._tries)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of a delivery that is complete, None when a later try went on (``on_unknown="resend"``)."""
        return next((one.receipt for one in reversed(self._all()) if one.sent or one.receipt), None)

    @property
    def requests(self) -> int:
        """Calls that took contacts to the vendor, over all tries."""
        return sum(one.counts["requests"] for one in self._all())

    @property
    def checkpoint(self) -> tuple[int, str] | None:
        """The furthest row an earlier try intended, and the fingerprint of the contacts up to it."""
        return max((one.checkpoint for one in self._tries if one.sent and one.checkpoint), default=None)

    def settled(self) -> RowSet:
        """Return the rows that are settled."""
        return RowSet(rows for one in self._all() for rows in one.settled)

    def parts(self) -> list[Rows]:
        """Return the settled ranges of all tries as they were settled (needs ``join=False``), in order."""
        return sorted({rows for one in self._all() for rows in one.settled})

    def unresolved(self) -> list[Rows]:
        """Return the ranges that were intended and of which nobody knows more, in order."""
        found: set[Rows] = set()
        tries = self._all()
        for number, one in enumerate(tries):
            known = RowSet(rows for later in tries[number:] for rows in later.settled)
            found.update(rows for rows in one.intended if not known.covers(rows))
        return sorted(found)

    def begin(self) -> None:
        """Store that this try began; until ``start`` it has sent nothing."""
        self._write()

    def check(self, header: Mapping[str, Any]) -> None:
        """
        Compare what is delivered where with what earlier tries delivered.

        :raises LedgerError: it is something else.
        """
        for one in self._tries:
            if not one.sent:
                continue
            for name in sorted({*one.header, *header}):
                if one.header.get(name) != header.get(name):
                    raise LedgerError(
                        f"{name}: an earlier try of this task used {mask(repr(one.header.get(name)))}, this one "
                        f"{mask(repr(header.get(name)))}; contacts sent by the earlier try cannot be told apart. "
                        f"Restore it, or clear the task with on_cleared='resend' to send to everybody again"
                    )

    def start(self, header: Mapping[str, Any]) -> None:
        """
        Store what is delivered where.

        :raises LedgerError: an earlier try delivered something else.
        """
        self.check(header)
        self._own.header = dict(header)
        self._write()

    def intend(self, rows: Rows, checkpoint: tuple[int, str]) -> None:
        """
        Store that ``rows`` are about to be sent.

        :param checkpoint: their last row, and the fingerprint of the contacts up to it.
        :raises LedgerError: a later try has begun; they must not be sent.
        """
        self._own.intended.append(rows)
        self._own.checkpoint = max(self._own.checkpoint or checkpoint, checkpoint)
        self._write()
        if self._store.get(LATEST) != self._number:
            self.release(rows)
            raise LedgerError("A later try of this task has begun; this one sends nothing more")

    def settle(self, rows: Rows, counts: Mapping[str, int]) -> None:
        """Store that the outcomes of ``rows`` are known and stored."""
        if rows in self._own.intended:
            self._own.intended.remove(rows)
        self._own.counts.update(counts)
        if self._join:
            joined = RowSet(self._own.settled)
            joined.add(rows)
            self._own.settled = list(joined)
        else:
            self._own.settled.append(rows)
        self._write()

    def release(self, rows: Rows) -> None:
        """Store that ``rows`` surely did not arrive, so that a later try sends them."""
        self._own.intended.remove(rows)
        self._write()

    def finish(self, receipt: Receipt) -> None:
        """Store the receipt of the complete delivery."""
        self._own.receipt = receipt
        self._write()

    def _all(self) -> list[_Try]:
        return [*self._tries, self._own]

    def _write(self) -> None:
        self._store.set(f"try-{self._number}", self._own.dump())
