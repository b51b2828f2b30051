"""
Which process may send: every process that starts a try takes a number, and no two have the same one.

A store offers no compare-and-swap, so a number is taken as in a splitter (L. Lamport, "A Fast Mutual Exclusion
Algorithm", 1987; M. Moir and J. Anderson, "Wait-Free Algorithms for Fast, Long-Lived Renaming", 1995): a process writes
its token into the claim of a number, closes the door behind it, and has the number if the claim still holds its token.
At most one process has a number, whatever pauses there are; who finds the door closed takes the next number.

Who takes a number overwrites the claims of those before it. A process reads its own claim after each intent is
stored and before the requests are sent: either it finds that it has a successor, or its intent was stored before the
successor reads the records of earlier tries. That also holds when a write takes long in the database while the process
is paused, and when Airflow refuses the process its state (to a process whose task instance was started again, every
key seems to be missing).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_campaigns.delivery.record.try_record import LATEST, MOST_TRIES, key_of
from airflow_provider_campaigns.exceptions import LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.store import Store

# Numbers that a process tries to take: two that keep step could hinder each other for ever.
MOST_ATTEMPTS = 1_000

# What a claim holds once there is a successor.
SUPERSEDED = "superseded"
# What a door holds once a record of its try is stored.
RECORDED = "recorded"


@dataclass(frozen=True)
class Claim:
    """
    A number that this process alone has.

    :param number: of the try.
    :param latest: the number that the store had as the latest one; 0: none, None: what it holds is no number.
    """

    store: Store
    number: int
    token: str
    latest: int | None

    @property
    def holds(self) -> bool:
        """Whether this process is still the latest one."""
        return bool(self.store.get(_claim(self.number)) == self.token)

    def recorded(self) -> None:
        """Note that this try has a record: from now on it is missed if it is gone."""
        self.store.set(LATEST, self.number)
        self.store.set(_door(self.number), RECORDED)

    def has_record(self, number: int) -> bool:
        """Whether a try before this one must have a record."""
        return number == self.latest or bool(self.store.get(_door(number)) == RECORDED)


def take_number(store: Store, after: int = 0) -> Claim:
    """
    Return a number for this process.

    :param after: the number is a higher one.
    :raises LedgerError: other processes take one number after the other at the same moment.
    """
    token = secrets.token_hex(8)
    latest = read_latest(store)
    known = latest or 0
    first = max(known, after) + 1
    number = next((one for one in range(first, first + MOST_ATTEMPTS) if _take(store, one, token)), None)
    if number is None:
        raise LedgerError("this try was started several times at once. Nothing was sent; retry it")
    for earlier in range(known if known > after else after + 1, number):
        store.set(_claim(earlier), SUPERSEDED)
    return Claim(store, number, token, latest)


def _take(store: Store, number: int, token: str) -> bool:
    """Try to take a number; False: another process has it, or may have."""
    if store.get(key_of(number)) is not None:
        return False
    store.set(_claim(number), token)
    if store.get(_door(number)) is not None:
        return False
    store.set(_door(number), token)
    return bool(store.get(_claim(number)) == token)


def read_latest(store: Store) -> int | None:
    """Return the number of the latest try that stored a record, 0 when there is none, None when it is damaged."""
    latest = store.get(LATEST)
    if latest is None:
        return 0
    is_number = isinstance(latest, int) and not isinstance(latest, bool) and 1 <= latest <= MOST_TRIES
    return latest if is_number else None


def _claim(number: int) -> str:
    return f"claim-{number}"


def _door(number: int) -> str:
    return f"taken-{number}"
