"""
One pace for all tasks of an account, wherever they run: a row per account says when the next request may be sent.

A task takes some slots at a time, one after the other at even distances (the generic cell rate algorithm, GCRA), in a
thread of its own; meanwhile requests that have no slot wait. A pause that one task was asked for holds for all.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from airflow_provider_campaigns.history.database import Database, HistoryError
from airflow_provider_campaigns.history.tables import LONGEST_TEXT, pace
from airflow_provider_campaigns.protocol.pace import MADE_UP_FOR, Pace, interval_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger(__name__)

# Slots that are taken at a time last so many seconds: one that takes more keeps others from taking theirs.
SECONDS_AT_A_TIME = 0.5
# Where the limit is high, so many last for so long: a transaction for each request would cost more than it does.
SECONDS_AT_LEAST, FEW = 0.05, 64
# Seconds between two look-ups whether another task was asked to pause.
LOOK_UP_EVERY = 1.0

# Seconds by which the clock of a database may be late: that of SQLite has thousandths.
CLOCK_STEP = 0.002

# Seconds since the epoch, by the clock of the database: those of the workers differ.
_CLOCK = {
    "postgresql": "extract(epoch FROM clock_timestamp())",
    "mysql": "unix_timestamp(sysdate(6))",
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
}


class Slots(NamedTuple):
    """
    Slots that a task took, in seconds from now.

    :param first: when the first one is.
    :param paused: how long all are to pause.
    """

    first: float
    paused: float


class AccountRow:
    """
    The row of an account.

    :param database: should not be tried again for long: meanwhile no request is sent.
    :param account: what the requests of one limit are called.
    :param per_minute: requests a minute.
    """

    def __init__(self, database: Database, account: str, per_minute: float) -> None:
        self._database = database
        self._account = account[:LONGEST_TEXT]
        self._interval = interval_of(per_minute)

    def take(self, number: int) -> Slots:
        """Take slots."""
        return self._database.run(lambda connection: self._take(connection, number))

    def pause(self, seconds: float) -> None:
        """Let no request of the account be sent for so long."""
        self._database.run(lambda connection: self._pause(connection, seconds))

    def paused(self) -> float:
        """Return the seconds until a pause ends, 0 when there is none."""
        return self._database.run(self._paused)

    def _take(self, connection: Connection, number: int) -> Slots:
        next_at, paused_until, now = self._locked(connection)
        # A longer break is not made up for.
        due = next_at if now - next_at < MADE_UP_FOR else now
        first = max(due, paused_until)
        self._update(connection, next_at=first + number * self._interval)
        return Slots(first - now, max(0.0, paused_until - now))

    def _pause(self, connection: Connection, seconds: float) -> None:
        _, paused_until, now = self._locked(connection)
        until = max(paused_until, now + seconds)
        # Who has a slot behind the pause queues up again.
        self._update(connection, paused_until=until, next_at=until)

    def _paused(self, connection: Connection) -> float:
        found = connection.execute(self._select).one_or_none()
        return max(0.0, found.paused_until - float(found.now)) if found else 0.0

    def _locked(self, connection: Connection) -> tuple[float, float, float]:
        """Lock the row, and return when the next slot is, when a pause ends, and what time it is."""
        row = {"account": self._account, "next_at": 0.0, "paused_until": 0.0}
        self._database.upsert(connection, pace, [row], ["account"])
        found = connection.execute(self._select.with_for_update()).one()
        return found.next_at, found.paused_until, float(found.now)

    @cached_property
    def _select(self) -> Any:
        clock: Any = sa.literal_column(_CLOCK[self._database.dialect]).label("now")
        return sa.select(pace.c.next_at, pace.c.paused_until, clock).where(pace.c.account == self._account)

    def _update(self, connection: Connection, **values: float) -> None:
        connection.execute(sa.update(pace).where(pace.c.account == self._account).values(**values))


class AccountPace(Pace):
    """
    The pace of an account, as the tasks share it.

    :param row: of the account.
    :param per_minute: requests a minute, of all tasks together.
    :param clock: seconds, monotonic.
    :param closes_in: seconds after which no request may be sent.
    """

    until_reserved = 0.02
    longest_sleep = LOOK_UP_EVERY

    def __init__(
        self,
        row: AccountRow,
        per_minute: float,
        clock: Callable[[], float] = time.monotonic,
        closes_in: Callable[[], float] = lambda: math.inf,
    ) -> None:
        super().__init__(per_minute, clock, closes_in)
        self._row = row
        self._most = max(1, int(SECONDS_AT_A_TIME / self._interval))
        self._least = max(1, min(FEW, int(SECONDS_AT_LEAST / self._interval)))
        self._slots: deque[float] = deque()
        self._taking = False
        self._used = 0
        self._looked_up = -math.inf
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def reserve(self) -> float | None:
        """Return the next slot, None when there is none yet."""
        slot = self._next_slot()
        self._used += slot is not None
        if not self._taking and 2 * len(self._slots) <= self._used:
            # As many as were used since the last ones were taken: the next ones are there before they are needed.
            self._taking = True
            number = min(self._most, max(self._least, self.waiting, self._used))
            self._used = 0
            self._order(lambda: self._take(number))
        return slot

    def _next_slot(self) -> float | None:
        while self._slots:
            slot = self._slots.popleft()
            if slot >= self._paused_until and not self.missed(slot):
                return slot
        return None

    def missed(self, slot: float) -> bool:
        """Whether a slot may no longer be used; that another task was asked to pause is known within a second."""
        if self._clock() - self._looked_up > LOOK_UP_EVERY:
            self._looked_up = self._clock()
            self._order(self._look_up)
        return super().missed(slot)

    def pause(self, seconds: float) -> None:
        """Send no request for so long, nor may any other task of the account."""
        super().pause(seconds)
        self._order(lambda: self._row.pause(seconds))

    def close(self) -> None:
        """End the thread."""
        self._orders.put(None)

    def _take(self, number: int) -> None:
        try:
            asked = self._clock()
            slots = self._row.take(number)
            self._pause_from(asked, slots.paused)
            now = self._clock()
            self._slots.extend(now + slots.first + position * self._interval for position in range(number))
        finally:
            self._taking = False

    def _look_up(self) -> None:
        asked = self._clock()
        self._pause_from(asked, self._row.paused())

    def _pause_from(self, asked: float, seconds: float) -> None:
        """
        Note when a pause of the account ends, if there is one.

        No slot after it may seem to be within it, or it is given away, and the next one, too. So a slot counts from
        when the answer came, and the pause from when it was asked for, less what the database's clock leaves off.
        """
        if seconds > 0:
            self._paused_until = max(self._paused_until, asked + seconds - CLOCK_STEP)

    def _order(self, order: Callable[[], None]) -> None:
        """Have something done in the thread, which alone waits for the database."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="campaign-pace", daemon=True)
            self._thread.start()
        self._orders.put(order)

    def _serve(self) -> None:
        while order := self._orders.get():
            try:
                order()
            except HistoryError as error:
                # Requests wait until it is there again, or the delivery ends because the ledger cannot be written.
                log.warning("No request is sent while the pace of the account is not known: %s", error)
                time.sleep(LOOK_UP_EVERY)
