"""
Where a hook keeps its access token: in memory, or, where a vendor takes one at a time, in a Variable all tasks share.

Airflow Variables know no compare-and-swap, so who makes a new token is agreed in Fischer's way (L. Lamport, "A Fast
Mutual Exclusion Algorithm", 1987): a process that finds no claim writes its own, waits for longer than any other one
needs between reading and writing, and reads again. If the claim is still its own, no other process has one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from airflow_provider_campaigns.compat import mask_secret
from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.messages import Sleep, T
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.transports.tokens import InMemoryTokens

log = logging.getLogger(__name__)

# Seconds from a claim to the second read, and the most that chance adds to them. Reading and writing a Variable takes
# some hundredths of a second; should it take longer than this, two processes may make a token each.
CLAIM_DELAY = 2.0
CLAIM_JITTER = 0.5
# Seconds between two reads of the token that another process makes.
LOOK_AGAIN = 0.5
# Seconds by which a claim outlives the time-out of the request it is for.
CLAIM_MARGIN = 15.0
# Seconds that a token counts: an hour, and what two clocks may differ.
COUNTED = 3600.0 + 60.0

# Airflow 2 writes a Variable by deleting and adding it; two processes that do so at once collide. How often a write is
# tried, and the most seconds between two tries.
WRITE_ATTEMPTS = 3
WRITE_PAUSE = 0.1


class MainThread(Protocol):
    """Reaches the thread that may talk to Airflow."""

    def __call__(self, work: Callable[[], T], /) -> T:
        """Run a function there, and return or raise what it does."""


def here(work: Callable[[], T]) -> T:
    """Run a function in this thread."""
    return work()


class MaskedTokens(InMemoryTokens):
    """
    Keeps the token in memory and hides it from Airflow's logs.

    ``in_main_thread`` runs what talks to Airflow. Whoever drives conversations in another thread sets it, for a task
    may only talk to its supervisor from the main one. ``must_share`` forbids tokens that cannot be shared.
    """

    in_main_thread: MainThread = staticmethod(here)
    must_share = False

    def keep(self, token: str, expires_at: float) -> None:
        """Keep a new token."""
        self.in_main_thread(lambda: mask_secret(token))
        super().keep(token, expires_at)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """
    What the processes of one account know of its token.

    :param token: the newest token, empty before the first.
    :param expires_at: when it ends; this and the other times in seconds since the epoch.
    :param minted: when the tokens of the last hour were asked for.
    :param claimed_by: the process that is about to make a token.
    :param claimed_until: when the claim ends of itself.
    """

    token: str = field(default="", repr=False)
    expires_at: float = 0.0
    minted: tuple[float, ...] = ()
    claimed_by: str = ""
    claimed_until: float = 0.0

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Return the record written in ``text``; an empty one when nothing was, or nothing that can be read."""
        try:
            values = json.loads(text or "{}")
            return cls(
                token=str(values["token"]),
                expires_at=float(values["expires_at"]),
                minted=tuple(map(float, values["minted"])),
                claimed_by=str(values["claimed_by"]),
                claimed_until=float(values["claimed_until"]),
            )
        except (ValueError, TypeError, KeyError):
            return cls()

    def mint(self, now: float) -> Self:
        """Return the record with one more token, made ``now``."""
        return replace(self, minted=(*(at for at in self.minted if at > now - COUNTED), now))

    def wait(self, per_hour: int, now: float) -> Sleep | None:
        """Return how long to wait before a new token, None when there were less than ``per_hour`` in the last hour."""
        counted = sorted(at for at in self.minted if at > now - COUNTED)
        if len(counted) < per_hour:
            return None
        next_at = counted[-per_hour] + COUNTED
        return Sleep(
            next_at - now,
            f"{len(counted)} tokens were made in the last hour, the vendor gives {per_hour}; the next may be made at "
            f"{datetime.fromtimestamp(next_at, UTC):%H:%M:%S} UTC (does another program use this API key?)",
        )


class SharedTokens(MaskedTokens):
    """
    Keeps the token in an encrypted Airflow Variable, for every process that works with the account.

    Where Variables cannot be used, as outside of Airflow, it warns, and is kept in memory.

    :param name: the Variable's name; ends in ``_token``, so that Airflow masks its value.
    :param claim_lifetime: seconds after which a process that was to make a token counts as dead.
    :param clock: returns the time, seconds since the epoch.
    """

    def __init__(self, name: str, *, claim_lifetime: float, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock=clock)
        self._name = name
        self._claim_lifetime = claim_lifetime
        self._id = secrets.token_hex(8)
        self._claim_counts_from = 0.0
        self._known = TokenRecord()
        self._warned = False

    def claim(self, stale: str, per_hour: int) -> str | Sleep | None:
        """
        Return the shared token, how long to wait before the next read, or None: this process is to make one.

        :raises CampaignError: the Variable cannot be used, and ``must_share`` is set.
        """
        try:
            return self.in_main_thread(lambda: self._claim(stale, per_hour))
        except Exception as error:
            if self.must_share:
                raise CampaignError(
                    f"The token that running tasks share could not be looked up ({self._shown(error)}), and a new one "
                    f"would end theirs, so the vendor was not asked"
                ) from error
            self._warn(error)
        now = self._clock()
        if wait := self._known.wait(per_hour, now):
            return wait
        self._known = replace(self._known.mint(now), claimed_by=self._id)
        return None

    def keep(self, token: str, expires_at: float) -> None:
        """Keep a new token, and end the claim."""
        super().keep(token, expires_at)
        self._change(lambda record: replace(self._end_claim(record), token=token, expires_at=expires_at))

    def release(self, *, made: bool) -> None:
        """
        End the claim; the attempt does not count.

        If a token may have been ``made``, it does, and the next attempt is put off, each time for twice as long: a
        short outage must not use up the tokens of an hour.
        """

        def change(record: TokenRecord) -> TokenRecord:
            if made:
                return self._end_claim(record, claimed_until=self._clock() + 2 ** len(record.minted))
            return self._end_claim(record, minted=record.minted[:-1])

        self._change(change)

    def _claim(self, stale: str, per_hour: int) -> str | Sleep | None:
        record, now = self._read(), self._clock()
        self._kept = (record.token, record.expires_at)
        shared = self.recall()
        if shared and shared != stale:
            return shared
        claimed = record.claimed_until > now
        if claimed and not record.claimed_by:
            return Sleep(record.claimed_until - now, "a new token was asked for, and the vendor did not answer")
        if claimed and record.claimed_by != self._id:
            return Sleep(LOOK_AGAIN, "another process is making a new token")
        if wait := record.wait(per_hour, now):
            return wait
        if not claimed:
            self._claim_counts_from = now + CLAIM_DELAY + random.uniform(0, CLAIM_JITTER)  # noqa: S311
            record = replace(record, claimed_by=self._id)
            self._write(replace(record, claimed_until=self._claim_counts_from + self._claim_lifetime))
        if now < self._claim_counts_from:
            return Sleep(self._claim_counts_from - now, "a new token is to be made, unless another process makes one")
        self._write(replace(record.mint(now), claimed_until=now + self._claim_lifetime))
        return None

    def _end_claim(self, record: TokenRecord, **changes: Any) -> TokenRecord:
        if record.claimed_by != self._id:
            return record  # this process took too long, and another one continued
        return replace(record, **{"claimed_by": "", "claimed_until": 0.0, **changes})

    def _change(self, change: Callable[[TokenRecord], TokenRecord]) -> None:
        try:
            self.in_main_thread(lambda: self._write(change(self._read())))
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, this process has its token
            self._known = change(self._known)
            self._warn(error)

    def _read(self) -> TokenRecord:
        try:
            text = variables.read(self._name)
        except variables.UnreadableVariableError:
            text = None  # a new token takes its place
        self._known = TokenRecord.parse(text)
        if self._known.token:
            mask_secret(self._known.token)
        return self._known

    def _write(self, record: TokenRecord) -> None:
        text = json.dumps(asdict(record))
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            try:
                variables.write(self._name, text, "the access token that parallel tasks share")
                break
            except Exception:
                if attempt == WRITE_ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, WRITE_PAUSE))  # noqa: S311
        self._known = record

    def _warn(self, error: Exception) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(
            level,
            "Variable %s cannot be used (%s): tasks that run at the same time end each other's tokens",
            self._name,
            self._shown(error),
        )

    def _shown(self, error: Exception) -> str:
        """Return what went wrong in one line; the others of a database error hold the statement."""
        return f"{type(error).__name__}: {mask(str(error).partition(chr(10))[0], [self._known.token])}"


def variable_name(vendor: str, account: str, secret: str) -> str:
    """
    Return the name of the Variable with an account's token.

    The secret is in it so that a form with a wrong one, whose Test button is pressed, does not find the token.

    :param account: the account's name at the vendor.
    :param secret: what a token is asked for with.
    """
    identity = json.dumps([vendor, account, secret])
    return f"campaigns_{hashlib.sha256(identity.encode()).hexdigest()[:32]}_token"
