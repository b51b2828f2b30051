"""
What was to be sent, and what is known to have been sent: read by a later try before it sends anything.

Per range of rows there are three transitions: *intended* (stored before the request is sent), *settled* (after the
outcomes are stored), *released* (it did not arrive). A range that was intended and neither settled nor released is
*unresolved*: it may have been sent.

Every try writes one key of its own, ``try-<number>``, and reads those before it: a task that was marked failed and
cleared runs beside its successor for some seconds, and neither may overwrite the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_campaigns.delivery.record.claims import DamagedRecordError, TryClaim, take_number
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.record.tries import PARAMETERS, REGION, Tries
from airflow_provider_campaigns.delivery.record.try_record import (
    KEYS,
    Change,
    Checkpoint,
    Copy,
    TryRecord,
)
from airflow_provider_campaigns.exceptions import RESEND_ALL, LedgerError
from airflow_provider_campaigns.protocol.store import TransactionalStore

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

__all__ = [
    "KEYS",
    "PARAMETERS",
    "REGION",
    "Change",
    "Checkpoint",
    "Copy",
    "Ledger",
    "Resend",
    "TryRecord",
]

Resend = Literal["no", "if_cleared", "always"]
"""Whether earlier tries stop counting: never, if the task was cleared since the latest of them, or at once."""


Along = Callable[[bool, Callable[[], bool]], None]
"""Given whether what is intended is stored, and what returns whether this is the latest try."""


class _SupersededError(LedgerError):
    """A later try has taken over."""


class Ledger(Tries):
    """
    The record of one delivery over all its tries: make one with ``open``, and ``begin`` before anything is sent.

    :param claim: the number of the running try.
    :param tries: the records of earlier tries.
    :param damage: what is wrong with them; empty: nothing.
    """

    def __init__(self, claim: TryClaim, tries: list[TryRecord], damage: str = "") -> None:
        super().__init__(TryRecord(claim.number, earlier=[one.number for one in tries]), tries)
        self._store = claim.store
        self._claim = claim
        self._damage = damage

    @classmethod
    def open(cls, store: Store, after: int = 0) -> Ledger:
        """
        Return the ledger of a new try: from here on, earlier ones that still run send nothing more.

        :param store: durable state of this task instance.
        :param after: the number of this try is a higher one.
        """
        claim = take_number(store, KEYS, after)
        return cls(claim, *_load(claim))

    def begin(
        self,
        max_tries: int = 0,
        *,
        resend: Resend = "no",
        on_unknown: str = "",
        consumed: Iterable[str] = (),
        recovers: int = 0,
    ) -> None:
        """
        Store that this try began; until it intends something it has sent nothing.

        :param max_tries: how many tries Airflow allows, which is more each time the task is cleared.
        :param resend: whether to send to everybody again: then tries before this one do not count, nor will they for
            those after it.
        :param on_unknown: what a person chose, until the task is cleared again; empty: nothing.
        :param consumed: digests of a person's choices that are applied now, and not again.
        :param recovers: number of the last try whose outcomes take the place of a ledger that is gone; 0: none is.
        :raises LedgerError: the record of an earlier try is missing or damaged.
        """
        if self._damage and resend != "always":
            raise LedgerError(f"{self._damage}. Nothing was sent", remedy=RESEND_ALL)
        again = resend == "always" or (
            resend == "if_cleared" and all(one.max_tries < max_tries for one in self._loaded)
        )
        own, last = self._own, self._loaded[-1] if self._loaded else None
        own.max_tries = max_tries
        own.began = time.time()
        own.generation = own.number if again else last.generation if last else 0
        own.resend = (max_tries or own.number) if again else last.resend if last else 0
        own.consumed = [*(last.consumed if last else ()), *consumed]
        own.on_unknown = on_unknown or (last.on_unknown if last and last.max_tries == max_tries else "")
        self._count_from(own.generation)
        own.copy = next((one.copy for one in reversed(self._tries) if one.copy), None)
        own.shard = "" if again or not last else last.shard
        own.recovers = recovers or self._unrecovered()
        self._write(own)
        self._claim.recorded()

    def start_over(self) -> None:
        """
        Ignore earlier tries from now on: they reached nobody, and what is delivered now is another list.

        It is stored with the first intents, before which nothing is sent.
        """
        self._own.generation = self._own.number
        self._count_from(self._own.generation)

    def forget_consumed(self) -> None:
        """Store that a person's choices are removed, so that the same ones may be made again."""
        self._own.consumed = []
        self._write(self._own)

    def adopt(self, record: TryRecord) -> None:
        """Store the record of an earlier try that was made of its outcomes, in place of one that is gone."""
        self._write(record)
        self._loaded = sorted([*self._loaded, record], key=lambda one: one.number)
        self._own.earlier = [one.number for one in self._loaded]
        self._own.recovers = 0
        self._count_from(self._own.generation)
        self._write(self._own)

    def _unrecovered(self) -> int:
        """Return what an earlier try was to recover, and did not, 0 when there is nothing."""
        there = {one.number for one in self._loaded}
        return next((one.recovers for one in self._tries if one.recovers and one.recovers not in there), 0)

    @property
    def copy(self) -> Copy | None:
        """The copy of a query's result that the tries send from."""
        return self._own.copy

    @copy.setter
    def copy(self, copy: Copy | None) -> None:
        self._own.copy = copy

    @property
    def shard(self) -> str:
        """The fingerprint that stands in the register of shards for this map index; empty: none."""
        return self._own.shard

    @shard.setter
    def shard(self, fingerprint: str) -> None:
        self._own.shard = fingerprint

    # --- what this try does

    def start(self, header: Mapping[str, Any], left_out: str = "") -> None:
        """
        Take note of what is delivered where; it is stored with the first intents, before which nothing is sent.

        :param left_out: a digest of those who are left out (opt-outs …).
        """
        self._own.header = dict(header)
        self._own.left_out = left_out

    def record_copy(self, query: str) -> None:
        """
        Take note that this try sends from a copy of its own; it is stored with the first intents.

        :param query: a digest of the query.
        """
        self._own.copy = Copy(self.try_number, query)

    def record(self, change: Change, along: Along = lambda intends, is_latest: None) -> None:
        """
        Store what is known and what comes next, in one write.

        :param change: nothing of its ``intended`` and ``resent`` rows may be sent before this returns.
        :param along: stores what belongs to it elsewhere, before it or in the same transaction. It may be called twice.
        :raises LedgerError: a later try has taken over; nothing may be sent any more.
        """
        # Until all of it is stored nothing of it counts, and it may be tried again.
        own = self._own.after(change)
        intends = bool(change.intended or change.resent)

        def store() -> None:
            along(intends, lambda: self._claim.holds)
            self._write(own)
            if intends and not self._claim.holds:
                raise _SupersededError("a later try of this task has begun; this one sends nothing more")

        def store_known() -> None:
            along(False, lambda: False)
            self._write(self._own.after(replace(change, intended=(), resent=())))

        try:
            self._atomically(store)
        except _SupersededError:
            with suppress(Exception):
                # Airflow may refuse the writes of a process whose task instance was started again.
                self._atomically(store_known)
            raise
        self._own = own

    def _atomically(self, do: Callable[[], None]) -> None:
        """Do it as one step, where the store can; else as steps in an order in which each may be the last."""
        if isinstance(self._store, TransactionalStore):
            self._store.atomically(do)
        else:
            do()

    def finish(self, receipt: Receipt, end: tuple[int, str] | None = None) -> None:
        """
        Store the receipt of the complete delivery.

        :param end: the last row, and the fingerprint of all contacts.
        """
        self._own.receipt = receipt
        self._own.end = Checkpoint(*end) if end else None
        self._write(self._own)

    def _write(self, record: TryRecord) -> None:
        self._store.set(KEYS.record(record.number), record.dump())


def _load(claim: TryClaim) -> tuple[list[TryRecord], str]:
    """Return the records of the tries before this one, and what is wrong with them."""
    tries: list[TryRecord] = []
    damage = [] if claim.latest is not None else [f"{KEYS.latest} holds no number of a try"]
    found: set[int] = set()
    for number in range(1, claim.number):
        value = claim.store.get(KEYS.record(number))
        if value is None:
            if claim.has_record(number):
                damage.append(f"{KEYS.record(number)} is missing")
            continue
        found.add(number)
        try:
            tries.append(TryRecord.load(number, value))
        except DamagedRecordError as error:
            damage.append(f"{KEYS.record(number)}: {error}")
    missing = {number for one in tries for number in one.earlier} - found
    damage += [
        text for text in (f"{KEYS.record(number)} is missing" for number in sorted(missing)) if text not in damage
    ]
    return tries, f"the record of earlier tries is damaged: {'; '.join(damage)}" if damage else ""
