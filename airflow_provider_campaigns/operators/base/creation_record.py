"""
What the tries of a task instance know of the thing that they create: a record per process, which no other overwrites.

Each process takes a number that no other has, as those of a delivery do (``delivery.record.claims``), and only then
reads the records of those before it. A process that finds that it has a successor after it has stored an intent does
nothing more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.record.claims import (
    DamagedRecordError,
    Keys,
    TryClaim,
    read_latest,
    sealed,
    take_number,
    unsealed,
)
from airflow_provider_campaigns.exceptions import LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store


class CreationRecord:
    """
    The record of this process, which begins with what the latest one before it knew.

    :param store: durable state of the task instance.
    :param noun: start of the keys.
    :param max_tries: how many tries Airflow allows, which is more each time the task is cleared.
    :param start_again: if it was cleared since the latest record, start again: earlier records do not count.
    :raises LedgerError: a record is missing or damaged.
    """

    def __init__(self, store: Store, noun: str, max_tries: int = 0, *, start_again: bool = False) -> None:
        self._store = store
        self._noun = noun
        self._max_tries = max_tries
        self._start_again = start_again
        self._keys = Keys(latest=f"{noun}-latest", records=f"{noun}-", claims=f"{noun}-")
        self._claim: TryClaim | None = None
        self.values = self._known(self._number_of(read_latest(store, self._keys)))

    @property
    def generation(self) -> int:
        """What was started again has another generation than what was before; 0: it never was."""
        return int(self.values["generation"])

    @property
    def began(self) -> float:
        """When the first try that counts began, seconds since the epoch; 0: that is not known."""
        return float(self.values.get("began", 0.0))

    def claim(self) -> bool:
        """
        Begin a try, and return whether an earlier one did.

        What an earlier process that still runs intends is seen here from now on, or given up there.

        :raises LedgerError: a record is missing or damaged, or a later process has begun.
        """
        self._claim = claim = take_number(self._store, self._keys)
        self._number_of(claim.latest)
        self.values = self._known(claim.number - 1)
        first = "max_tries" not in self.values
        self.save(max_tries=self._max_tries, **({"began": time.time()} if first else {}))
        self.check_latest()
        claim.recorded()
        return claim.number > 1

    def save(self, **changes: Any) -> None:
        """Store changes durably, or raise."""
        self.values = {**self.values, **changes}
        number = self._own.number
        self._store.set(self._keys.record(number), sealed({**self.values, "number": number}))

    def intend(self, **changes: Any) -> None:
        """
        Store what is about to be asked of the vendor.

        :raises LedgerError: a later process has begun; nothing may be asked any more.
        """
        before = self.values
        self.save(**changes)
        try:
            self.check_latest()
        except LedgerError:
            self.values = before
            self.save()
            raise

    @property
    def _own(self) -> TryClaim:
        if self._claim is None:
            raise ValueError("a record without a number cannot be stored")
        return self._claim

    def check_latest(self) -> None:
        """
        Make sure that no later process has begun.

        :raises LedgerError: one has.
        """
        if not self._own.holds:
            raise LedgerError("another process of this task has begun after this one; this one does nothing more")

    def _number_of(self, latest: int | None) -> int:
        """Return the number of the latest record, or raise when it is damaged."""
        if latest is None:
            raise self._damaged(self._keys.latest, "it holds no number of a try")
        return latest

    def _known(self, number: int) -> dict[str, Any]:
        """Return what the latest record says, that with ``number`` or one before it."""
        for one in range(number, 0, -1):
            stored = self._store.get(self._keys.record(one))
            # Another process has taken this number, and may never have come to store a record.
            if stored is None and self._claim and not self._claim.has_record(one):
                continue
            values = self._checked(one, stored)
            cleared_since = values["max_tries"] < self._max_tries
            return self._nothing() if self._start_again and cleared_since else values
        return self._nothing()

    def _checked(self, number: int, stored: Any) -> dict[str, Any]:
        """
        Return the values of a record.

        :raises LedgerError: it is not what a process stored.
        """
        key = self._keys.record(number)
        if stored is None:
            raise self._damaged(key, "it is missing")
        try:
            return unsealed(number, stored)
        except DamagedRecordError as error:
            raise self._damaged(key, str(error)) from error

    def _damaged(self, key: str, problem: str) -> LedgerError:
        return LedgerError(
            f"The record {key!r} of an earlier try cannot be used: {problem}. Nothing was created now. "
            f"Look up at the vendor whether there is a {self._noun} of this task. If there is none, delete the task's "
            f"records {self._noun}-…, and clear it with on_cleared='resend' to create one",
            final=True,
        )

    def _nothing(self) -> dict[str, Any]:
        return {"generation": self._max_tries if self._start_again else 0}
