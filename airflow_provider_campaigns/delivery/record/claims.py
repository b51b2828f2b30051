"""
Lets at most one process send: each process that starts a try takes a number that no other has.

A store offers no compare-and-swap, so a number is taken as in a splitter (L. Lamport, "A Fast Mutual Exclusion
Algorithm", 1987; M. Moir and J. Anderson, "Wait-Free Algorithms for Fast, Long-Lived Renaming", 1995): a process writes
its token into the claim of a number, closes the door behind it, and has the number if the claim still holds its token.
At most one process has a number, whatever pauses there are; who finds the door closed takes the next number.

Who takes a number overwrites the claims of those before it. A process reads its own claim after each intent is
stored and before the requests are sent: either it finds that it has a successor, or its intent was stored before the
successor reads the records of earlier tries. That also holds when a write takes long in the database while the process
is paused, and when Airflow refuses the process its state (to a process whose task instance was started again, every
key seems to be missing).

What such a process stores has a checksum: a value that is not exactly what it wrote is an error, never an empty record.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

# Numbers that a process tries to take: two that keep step could hinder each other for ever.
MOST_ATTEMPTS = 1_000

# Processes of one task instance; more are damage.
MOST_NUMBERS = 100_000

# What a claim holds once there is a successor.
SUPERSEDED = "superseded"
# What a door holds once a record of its try is stored.
RECORDED = "recorded"


@dataclass(frozen=True)
class Keys:
    """
    Under which keys processes of one kind keep what they store.

    :param latest: of the number of the latest process that stored a record.
    :param records: start of the keys of the records; the number follows.
    :param claims: start of the keys that claim numbers.
    """

    latest: str
    records: str
    claims: str = ""

    def record(self, number: int) -> str:
        """Return the key of a record."""
        return f"{self.records}{number}"

    def claim(self, number: int) -> str:
        """Return the key of the token of the process that has a number."""
        return f"{self.claims}claim-{number}"

    def door(self, number: int) -> str:
        """Return the key that says that a number is taken."""
        return f"{self.claims}taken-{number}"


@dataclass(frozen=True)
class TryClaim:
    """
    A number that this process alone has.

    :param number: of the process.
    :param latest: the number that the store had as the latest one; 0: none, None: what it holds is no number.
    """

    store: Store
    keys: Keys
    number: int
    token: str
    latest: int | None

    @property
    def holds(self) -> bool:
        """Whether this process is still the latest one."""
        return bool(self.store.get(self.keys.claim(self.number)) == self.token)

    def recorded(self) -> None:
        """Note that this process has a record: from now on it is missed if it is gone."""
        self.store.set(self.keys.latest, self.number)
        self.store.set(self.keys.door(self.number), RECORDED)

    def has_record(self, number: int) -> bool:
        """Whether a process before this one must have a record."""
        return number == self.latest or bool(self.store.get(self.keys.door(number)) == RECORDED)


def take_number(store: Store, keys: Keys, after: int = 0) -> TryClaim:
    """
    Return a number for this process.

    :param after: the number is a higher one.
    :raises LedgerError: other processes take one number after the other at the same moment.
    """
    token = secrets.token_hex(8)
    latest = read_latest(store, keys)
    known = latest or 0
    first = max(known, after) + 1
    number = next((one for one in range(first, first + MOST_ATTEMPTS) if _take(store, keys, one, token)), None)
    if number is None:
        raise LedgerError("this try was started several times at once. Nothing was sent; retry it")
    for earlier in range(known if known > after else after + 1, number):
        store.set(keys.claim(earlier), SUPERSEDED)
    return TryClaim(store, keys, number, token, latest)


def _take(store: Store, keys: Keys, number: int, token: str) -> bool:
    """Try to take a number; False: another process has it, or may have."""
    if store.get(keys.record(number)) is not None:
        return False
    store.set(keys.claim(number), token)
    if store.get(keys.door(number)) is not None:
        return False
    store.set(keys.door(number), token)
    return bool(store.get(keys.claim(number)) == token)


def read_latest(store: Store, keys: Keys) -> int | None:
    """Return the number of the latest process that stored a record, 0 when there is none, None when it is damaged."""
    latest = store.get(keys.latest)
    if latest is None:
        return 0
    is_number = isinstance(latest, int) and not isinstance(latest, bool) and 1 <= latest <= MOST_NUMBERS
    return latest if is_number else None


class DamagedRecordError(ValueError):
    """A value is not what a process wrote."""


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is stored: with its checksum."""
    return {**content, "check": _checksum(content)}


def unsealed(number: int, value: Any) -> dict[str, Any]:
    """
    Return the content of a record that was stored.

    :param number: of the process under whose key it was.
    :raises DamagedRecordError: the value is not what this process wrote.
    """
    if not isinstance(value, Mapping) or not value:
        raise DamagedRecordError(f"it holds {type(value).__name__}, not a record")
    content = {name: part for name, part in value.items() if name != "check"}
    if value.get("check") != _checksum(content):
        raise DamagedRecordError("its checksum is wrong")
    if content.get("number") != number:
        raise DamagedRecordError("it contradicts itself")
    return content


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
