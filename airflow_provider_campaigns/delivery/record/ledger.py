"""
What was meant to be sent, and what is known to have been: read by a later try before it sends anything.

Per range of rows there are three transitions: *intended* (stored before the request leaves), *settled* (after the
outcomes are stored), *released* (it surely never arrived). A range that was intended and neither settled nor released
is *unresolved*: it may have been sent.

Every try writes one key of its own, ``try-<number>``, and reads those before it: a task that was marked failed and
cleared runs beside its successor for some seconds, and neither may overwrite the other.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.exceptions import LedgerError
from airflow_provider_campaigns.masking import mask

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

# Key of the number of the latest try.
LATEST = "latest-try"


class Copy(NamedTuple):
    """The copy of a query's result: the number of the try that made it, and what tells the query from another one."""

    number: int
    query: str


@dataclass
class _Try:
    """What one try wrote."""

    number: int
    max_tries: int = 0
    generation: int = 0
    began: float = 0.0
    header: dict[str, Any] = field(default_factory=dict)
    left_out: str = ""
    intended: list[Rows] = field(default_factory=list)
    intended_at: dict[Rows, float] = field(default_factory=dict)
    settled: RowSet = field(default_factory=RowSet)
    counts: Counter[str] = field(default_factory=Counter)
    checkpoint: tuple[int, str] | None = None
    copy: Copy | None = None
    receipt: Receipt | None = None

    @property
    def sent(self) -> bool:
        """Whether anything may have been sent."""
        return bool(self.intended or self.settled)

    @classmethod
    def load(cls, number: int, value: Mapping[str, Any]) -> _Try:
        return cls(
            number=number,
            max_tries=value["max_tries"],
            generation=value["generation"],
            began=value["began"],
            header=dict(value["header"]),
            left_out=value["left_out"],
            intended=[Rows(*rows) for rows in value["intended"]],
            intended_at={
                Rows(*rows): at for rows, at in zip(value["intended"], value.get("intended_at", ()), strict=False)
            },
            settled=RowSet(value["settled"]),
            counts=Counter(value["counts"]),
            checkpoint=tuple(value["checkpoint"]) if value["checkpoint"] else None,
            copy=Copy(*value["copy"]) if value["copy"] else None,
            receipt=value["receipt"],
        )

    def dump(self) -> dict[str, Any]:
        return {
            "max_tries": self.max_tries,
            "generation": self.generation,
            "began": self.began,
            "header": self.header,
            "left_out": self.left_out,
            "intended": [list(rows) for rows in self.intended],
            "intended_at": [self.intended_at.get(rows, self.began) for rows in self.intended],
            "settled": [list(rows) for rows in self.settled],
            "counts": dict(self.counts),
            "checkpoint": list(self.checkpoint) if self.checkpoint else None,
            "copy": list(self.copy) if self.copy else None,
            "receipt": self.receipt,
        }


class Ledger:
    """
    The record of one delivery over all its tries.

    Opening it stores at once that this try began: from then on an earlier try that still runs can see that it has a
    successor, and whatever it intended before is seen here.

    :param store: durable state of this task instance.
    :param try_number: number of the running try, from 1; a number that has a record already is not used again.
    :param max_tries: how many tries Airflow allows, which is more each time the task is cleared.
    :param anew: if it was cleared since the latest try, send to everybody again: tries before this one do not count,
        nor will they for those after it.
    """

    def __init__(self, store: Store, try_number: int, max_tries: int = 0, *, anew: bool = False) -> None:
        self._store = store
        self.try_number = max(try_number, (store.get(LATEST) or 0) + 1)
        store.set(LATEST, self.try_number)
        earlier = ((number, store.get(_key(number))) for number in range(1, self.try_number))
        loaded = [_Try.load(number, value) for number, value in earlier if value]
        anew = anew and all(one.max_tries < max_tries for one in loaded)
        self.generation = max_tries if anew else max((one.generation for one in loaded), default=0)
        self._tries = [one for one in loaded if one.generation == self.generation]
        self._own = _Try(self.try_number, max_tries, self.generation, time.time())
        self._own.copy = next((one.copy for one in reversed(self._tries) if one.copy), None)

    @property
    def began(self) -> bool:
        """Whether an earlier try left a record."""
        return bool(self._tries)

    @property
    def sent(self) -> bool:
        """Whether an earlier try may have sent anything."""
        return any(one.sent for one in self._tries)

    @property
    def began_at(self) -> float:
        """When the first try began, seconds since the epoch."""
        return min(one.began for one in self._all())

    def first_intended_at(self, rows: Rows) -> float:
        """Return when an earlier try first intended any of ``rows``, seconds since the epoch."""
        times = (
            at
            for one in self._tries
            for intended, at in one.intended_at.items()
            if intended.first <= rows.last and rows.first <= intended.last
        )
        return min(times, default=self.began_at)

    @property
    def try_numbers(self) -> list[int]:
        """The numbers of all tries with a record, in order."""
        return [one.number for one in self._all()]

    @property
    def outcomes_path(self) -> str | None:
        """Where the earlier tries that sent keep their outcomes, None when none did or they are in no folder."""
        return next((one.header.get("outcomes_path") for one in self._tries if one.header), None)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of a delivery that is complete, None when a later try went on (``on_unknown="resend"``)."""
        return next((one.receipt for one in reversed(self._all()) if one.sent or one.receipt), None)

    @property
    def requests(self) -> int:
        """Calls that took contacts to the vendor, over all tries."""
        return self.counts["requests"]

    @property
    def counts(self) -> Counter[str]:
        """What the tries added up: contacts by status (those sent again count again), and ``requests``."""
        return sum((one.counts for one in self._all()), Counter())

    @property
    def checkpoint(self) -> tuple[int, str] | None:
        """The furthest row an earlier try that sent intended, and the fingerprint of the contacts up to it."""
        return max((one.checkpoint for one in self._tries if one.checkpoint and one.sent), default=None)

    @property
    def copy(self) -> Copy | None:
        """The copy of a query's result that the tries send from."""
        return self._own.copy

    def rows(self) -> tuple[RowSet, RowSet]:
        """Return the rows that earlier tries settled, and those they intended and of which nobody knows more."""
        settled, unresolved = RowSet(), RowSet()
        for one in self._tries:
            settled.update(one.settled)
            unresolved.discard(one.settled)
            unresolved.update(one.intended)
            settled.discard(one.intended)
        return settled, unresolved

    def begin(self) -> None:
        """Store that this try began; until it intends something it has sent nothing."""
        self._write(self._own)

    def check(self, header: Mapping[str, Any]) -> None:
        """
        Compare what is delivered where with what earlier tries delivered.

        :raises LedgerError: it is something else.
        """
        for one in self._tries:
            for name in sorted({*one.header, *header}) if one.sent else ():
                if one.header.get(name) != header.get(name):
                    raise LedgerError(
                        f"{name}: an earlier try of this task used {mask(repr(one.header.get(name)))}, this one "
                        f"{mask(repr(header.get(name)))}; contacts sent by the earlier try cannot be told apart. "
                        f"Restore it, or clear the task with on_cleared='resend' to send to everybody again"
                    )

    def start(self, header: Mapping[str, Any], left_out: str = "") -> None:
        """
        Take note of what is delivered where; it is stored with the first intents, before which nothing is sent.

        :param left_out: tells those who are left out (opt-outs …) from those whom another try leaves out.
        :raises LedgerError: an earlier try delivered something else.
        """
        self.check(header)
        self._own.header = dict(header)
        self._own.left_out = left_out

    @property
    def others_left_out(self) -> bool:
        """Whether an earlier try that may have sent left out others than this one does."""
        return any(one.left_out != self._own.left_out for one in self._tries if one.sent)

    def record_copy(self, query: str) -> None:
        """
        Take note that this try sends from a copy of its own; it is stored with the first intents.

        :param query: what tells the query from another one.
        """
        self._own.copy = Copy(self.try_number, query)

    def record(
        self,
        settled: Iterable[Rows] = (),
        counts: Mapping[str, int] | None = None,
        intended: Iterable[Rows] = (),
        released: Iterable[Rows] = (),
        checkpoint: tuple[int, str] | None = None,
    ) -> None:
        """
        Store what is known and what comes next, in one write.

        :param settled: ranges whose outcomes are stored; ``counts``: contacts by status, requests, and repeats
            in the source, to be added.
        :param intended: ranges about to be sent; nothing of them may leave before this returns.
        :param released: intended ranges that surely did not arrive, so that a later try sends them.
        :param checkpoint: the last row intended, and the fingerprint of the contacts up to it.
        :raises LedgerError: a later try has taken over; nothing may be sent any more.
        """
        # A copy: what cannot be stored is not so, and may be tried again.
        own = replace(self._own, settled=self._own.settled.copy(), counts=self._own.counts.copy())
        settled, intended = list(settled), list(intended)
        ended = {*settled, *released}
        own.intended = [rows for rows in own.intended if rows not in ended] + intended
        now = time.time()
        own.intended_at = {rows: own.intended_at.get(rows, now) for rows in own.intended}
        own.settled.update(settled)
        own.counts.update(counts or {})
        if checkpoint:
            own.checkpoint = max(own.checkpoint or checkpoint, checkpoint)
        self._write(own)
        self._own = own
        if intended and not self._store.fenced and self._store.get(LATEST) != self.try_number:
            own.intended = [rows for rows in own.intended if rows not in set(intended)]
            self._write(own)
            raise LedgerError("a later try of this task has begun; this one sends nothing more")

    def finish(self, receipt: Receipt) -> None:
        """Store the receipt of the complete delivery."""
        self._own.receipt = receipt
        self._write(self._own)

    def _all(self) -> list[_Try]:
        return [*self._tries, self._own]

    def _write(self, own: _Try) -> None:
        self._store.set(_key(own.number), own.dump())


def _key(try_number: int) -> str:
    return f"try-{try_number}"
