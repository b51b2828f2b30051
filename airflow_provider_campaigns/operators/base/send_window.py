"""At which hours of the recipients' day contacts may be sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import pendulum

from airflow_provider_campaigns.exceptions import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXPECTED = "'09:00-20:00 Asia/Kolkata', or a dict with start, end, timezone and perhaps days, a list of mon to sun"

_TEXT = re.compile(r"\s*(?P<start>[\d:]+)\s*-\s*(?P<end>[\d:]+)\s+(?P<timezone>\S+)\s*")


@dataclass(frozen=True)
class SendWindow:
    """
    Some hours of every day, or of some days of the week.

    :param start: local time from which on it is open.
    :param end: local time from which on it is closed; before ``start``: on the next day.
    :param timezone: IANA name of the zone of both.
    :param days: days of the week on which it opens, Monday is 0.
    """

    start: time
    end: time
    timezone: str
    days: frozenset[int] = frozenset(range(7))

    @staticmethod
    def now() -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def closes_in(self) -> float:
        """Return the seconds from now until it closes; less than 0 when it is not open."""
        return self.closing()()

    def closing(self) -> Callable[[], float]:
        """Return what tells the seconds until the opening of this moment ends, for those who ask often."""
        closes = self.closes(self.now())
        return lambda: (closes - self.now()).total_seconds() if closes else -1.0

    def closes(self, now: datetime) -> datetime | None:
        """Return when it closes, None when it is not open; ``now`` is aware."""
        local = pendulum.instance(now).in_timezone(self.timezone)
        # One that is open now began today or, past midnight, yesterday.
        for opens, closes in (self._on(local.subtract(days=1)), self._on(local)):
            if opens.weekday() in self.days and opens <= now < closes:
                return closes
        return None

    def opens(self, now: datetime) -> datetime:
        """Return when it next opens, ``now`` if it is open."""
        if self.closes(now):
            return now
        local = pendulum.instance(now).in_timezone(self.timezone)
        openings = (self._on(local.add(days=days))[0] for days in range(9))
        return next(opens for opens in openings if opens > now and opens.weekday() in self.days)

    def _on(self, day: pendulum.DateTime) -> tuple[pendulum.DateTime, pendulum.DateTime]:
        opens = day.at(self.start.hour, self.start.minute, self.start.second)
        last = day if self.start < self.end else day.add(days=1)
        return opens, last.at(self.end.hour, self.end.minute, self.end.second)

    def __str__(self) -> str:
        days = "" if len(self.days) == len(DAYS) else f" on {', '.join(DAYS[day] for day in sorted(self.days))}"
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.timezone}{days}"


def read_window(value: Any) -> SendWindow:
    """
    Return the window that an operator's ``send_window`` describes.

    :param value: text such as ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``, ``end``, ``timezone`` and
        perhaps ``days`` (``["mon", "tue"]``; default every day).
    :raises InputError: it is something else.
    """
    if isinstance(value, SendWindow):
        return value
    if isinstance(value, str) and (match := _TEXT.fullmatch(value)):
        value = match.groupdict()
    if not isinstance(value, Mapping) or not {"start", "end", "timezone"} <= value.keys() <= {*_FIELDS}:
        raise InputError("send_window", EXPECTED, repr(value))
    start, end = _time("start", value["start"]), _time("end", value["end"])
    if start == end:
        raise InputError("send_window", "an end that is not its start", value["end"])
    return SendWindow(start, end, _zone(value["timezone"]), _days(value.get("days") or DAYS))


_FIELDS = ("start", "end", "timezone", "days")


def _time(name: str, value: Any) -> time:
    if isinstance(value, time):
        return value.replace(tzinfo=None)
    try:
        return time.fromisoformat(str(value).strip().zfill(len("09:00")))
    except ValueError:
        raise InputError(f"send_window.{name}", "a time such as 09:00", repr(value)) from None


def _zone(value: Any) -> str:
    try:
        return pendulum.timezone(str(value)).name
    except (ValueError, KeyError):
        raise InputError("send_window.timezone", "a name such as Asia/Kolkata", repr(value)) from None


def _days(value: Any) -> frozenset[int]:
    values = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
    names = [str(day).strip().lower()[:3] for day in values]
    wrong = [name for name in names if name not in DAYS]
    if wrong:
        raise InputError("send_window.days", "a list of mon to sun", repr(value))
    return frozenset(map(DAYS.index, names))
