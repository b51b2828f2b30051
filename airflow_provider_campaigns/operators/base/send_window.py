"""Send windows: hours of the recipients' day at which contacts may be sent to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_campaigns.exceptions import InputError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXPECTED = "'09:00-20:00 Asia/Kolkata', or a dict with start, end, timezone and perhaps days, a list of mon to sun"
EXPECTED_DAYS = "days of the week: mon, monday, or mon-fri, as a list or separated by commas"

_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {name: number for names in (DAYS, _FULL_NAMES) for number, name in enumerate(names)}
_FIELDS = ("start", "end", "timezone", "days")
_TEXT = re.compile(r"\s*(?P<start>[0-9:]+)\s*-\s*(?P<end>[0-9:]+)\s+(?P<timezone>\S+)\s*")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
# Days ahead within which a window opens: a week, and one more for a day on which a change of the clock swallows it.
_AHEAD = 15


@dataclass(frozen=True)
class SendWindow:
    """
    Some hours of every day, or of some days of the week, by the clock on the wall.

    Where a change of the clock repeats an hour, a window opens at the last and closes at the first time that its hour
    comes; an hour that the change leaves out comes at the change.

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

    def closing(self, at: datetime | None = None) -> Callable[[], float]:
        """
        Return a function that returns the seconds until an opening ends, for those who ask often.

        :param at: a moment of that opening; default now.
        """
        closes = self.closes(at or self.now())
        return lambda: (closes - self.now()).total_seconds() if closes else -1.0

    def closes(self, now: datetime) -> datetime | None:
        """Return when it closes (in UTC), None when it is not open; ``now`` is aware."""
        now = now.astimezone(UTC)
        today = self.local(now).date()
        # One that is open now began today or, past midnight, yesterday.
        for opens, closes in (self._on(today - timedelta(days=1)), self._on(today)):
            if opens <= now < closes:
                return closes
        return None

    def opens(self, now: datetime) -> datetime:
        """Return when it next opens (in UTC), ``now`` if it is open."""
        if self.closes(now):
            return now
        now = now.astimezone(UTC)
        today = self.local(now).date()
        openings = (self._on(today + timedelta(days=days)) for days in range(_AHEAD))
        return next(opens for opens, closes in openings if now < opens < closes)

    def local(self, moment: datetime) -> datetime:
        """Return a moment by the window's clock."""
        return moment.astimezone(ZoneInfo(self.timezone))

    def _on(self, day: date) -> tuple[datetime, datetime]:
        """Return when it opens on a day, and when that opening ends; both are the same when it does not open."""
        zone = ZoneInfo(self.timezone)
        opens = _moment(day, self.start, zone, fold=1)
        if day.weekday() not in self.days:
            return opens, opens
        last = day if self.start < self.end else day + timedelta(days=1)
        return opens, _moment(last, self.end, zone, fold=0)

    def __str__(self) -> str:
        days = "" if len(self.days) == len(DAYS) else f" on {', '.join(DAYS[day] for day in sorted(self.days))}"
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.timezone}{days}"


def read_window(value: Any) -> SendWindow:
    """
    Return the window that an operator's ``send_window`` describes.

    :param value: text such as ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``, ``end``, ``timezone`` and
        perhaps ``days``: ``["mon", "tue"]``, ``"mon,tue"``, ``["mon-fri"]``, full names likewise; default every day.
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
    return SendWindow(start, end, _zone(value["timezone"]), _days(value.get("days")))


def _moment(day: date, at: time, zone: ZoneInfo, *, fold: int) -> datetime:
    """
    Return (in UTC) when a wall clock shows a time of a day.

    :param fold: of a time that comes twice: 0 the first, 1 the second.
    """
    wall = datetime.combine(day, at)
    moment = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    # The clock is put forward over it: the moment at which that happens, found by halves.
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _time(name: str, value: Any) -> time:
    if isinstance(value, time):
        if value.tzinfo is None and not value.microsecond:
            return value
    elif match := _TIME.fullmatch(str(value).strip()):
        hour, minute, second = (int(part or 0) for part in match.groups())
        if hour < 24 and minute < 60 and second < 60:
            return time(hour, minute, second)
    raise InputError(f"send_window.{name}", "a time such as 09:00, without a zone of its own", repr(value))


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ValueError, KeyError, OSError):
        raise InputError("send_window.timezone", "a name such as Asia/Kolkata", repr(value)) from None


def _days(value: Any) -> frozenset[int]:
    """Return days of the week, all for None."""
    if value is None:
        return frozenset(range(len(DAYS)))
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise InputError("send_window.days", EXPECTED_DAYS, repr(value))
    try:
        days = frozenset(day for one in given for day in _range(one))
    except KeyError:
        days = frozenset()
    if not days:
        raise InputError("send_window.days", EXPECTED_DAYS, repr(value))
    return days


def _range(text: object) -> list[int]:
    """
    Return the days that ``mon``, ``monday`` or ``mon-fri`` stands for.

    :raises KeyError: none.
    """
    names = [name.strip().lower() for name in str(text).split("-")]
    first, last = _NUMBERS[names[0]], _NUMBERS[names[-1]]
    if len(names) > 2:
        raise KeyError(text)
    return [(first + offset) % len(DAYS) for offset in range((last - first) % len(DAYS) + 1)]
