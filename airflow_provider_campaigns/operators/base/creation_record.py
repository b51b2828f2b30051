"""
What the tries of a task instance know of the thing that they create: a record per process, which no other overwrites.

A task that was marked failed and cleared runs beside its successor for some seconds, and one try may be started twice.
So each process takes a number that no other has, as in a splitter (L. Lamport, "A Fast Mutual Exclusion Algorithm",
1987): it writes its token into the claim of a number, closes the door behind it, and has the number if the claim still
holds its token. Then it overwrites the claims of those before it, and only then reads their records. A process that
finds its own claim overwritten after it has stored an intent does nothing more. Either it finds that, or its intent was
stored before its successor read it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

# Processes of one task instance; more are damage.
MOST_PROCESSES = 100_000
# What a claim holds once there is a successor.
SUPERSEDED = "superseded"


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
        self._number = 0
        self._token = secrets.token_hex(8)
        self.values = self._known(self._latest(), set())

    @property
    def generation(self) -> int:
        """What was started again has another generation than what was before; 0: it never was."""
        return int(self.values["generation"])

    def claim(self) -> bool:
        """
        Begin a try, and return whether an earlier one did.

        What an earlier process that still runs intends is seen here from now on, or given up there.

        :raises LedgerError: a record is missing or damaged, or a later process has begun.
        """
        latest = self._latest()
        number = latest + 1
        while not self._take(number):
            number += 1
        for earlier in range(max(latest, 1), number):
            self._store.set(self._key(f"claim-{earlier}"), SUPERSEDED)
        # Others have taken these numbers, and may never have come to store a record.
        skipped = set(range(latest + 1, number))
        self._number = number
        self.values = {**self._known(number - 1, skipped), "skipped": sorted(skipped)}
        self.save(max_tries=self._max_tries)
        self._check_latest()
        self._store.set(self._key("latest"), number)
        return number > 1

    def save(self, **changes: Any) -> None:
        """Store changes durably, or raise."""
        self.values = {**self.values, **changes}
        content = {**self.values, "number": self._number}
        self._store.set(self._key(self._number), {**content, "check": _checksum(content)})

    def intend(self, **changes: Any) -> None:
        """
        Store what is about to be asked of the vendor.

        :raises LedgerError: a later process has begun; nothing may be asked any more.
        """
        before = self.values
        self.save(**changes)
        try:
            self._check_latest()
        except LedgerError:
            self.values = before
            self.save()
            raise

    def _take(self, number: int) -> bool:
        """Try to take a number; False: another process has it, or may have."""
        claim, door = self._key(f"claim-{number}"), self._key(f"taken-{number}")
        if self._store.get(self._key(number)) is not None:
            return False
        self._store.set(claim, self._token)
        if self._store.get(door) is not None:
            return False
        self._store.set(door, self._token)
        return bool(self._store.get(claim) == self._token)

    def _check_latest(self) -> None:
        if self._store.get(self._key(f"claim-{self._number}")) != self._token:
            raise LedgerError("another process of this task has begun after this one; this one does nothing more")

    def _latest(self) -> int:
        """Return the number of the latest record, 0 when there is none."""
        latest = self._store.get(self._key("latest"))
        if latest is None:
            return 0
        if not isinstance(latest, int) or isinstance(latest, bool) or not 1 <= latest <= MOST_PROCESSES:
            raise self._damaged("latest", "it holds no number of a try")
        return latest

    def _known(self, number: int, skipped: set[int]) -> dict[str, Any]:
        """
        Return what the latest record says, that with ``number`` or one before it.

        :param skipped: numbers that may have no record.
        """
        for one in range(number, 0, -1):
            stored = self._store.get(self._key(one))
            if stored is None and one in skipped:
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
        if stored is None:
            raise self._damaged(number, "it is missing")
        if not isinstance(stored, dict):
            raise self._damaged(number, f"it holds {type(stored).__name__}, not a record")
        content = {name: value for name, value in stored.items() if name != "check"}
        if stored.get("check") != _checksum(content) or content.get("number") != number:
            raise self._damaged(number, "it is not what an earlier try stored")
        return content

    def _damaged(self, name: object, problem: str) -> LedgerError:
        return LedgerError(
            f"The record {self._key(name)!r} of an earlier try cannot be used: {problem}. Nothing was created now. "
            f"Look up at the vendor whether there is a {self._noun} of this task. If there is none, delete the task's "
            f"records {self._noun}-…, and clear it with on_cleared='resend' to create one",
            final=True,
        )

    def _nothing(self) -> dict[str, Any]:
        return {"generation": self._max_tries if self._start_again else 0}

    def _key(self, name: object) -> str:
        return f"{self._noun}-{name}"


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
