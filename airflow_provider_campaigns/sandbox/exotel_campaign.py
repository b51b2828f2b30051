"""A campaign of the sandbox's Exotel: how it proceeds by the clock, and what may be created."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

CREATED, IN_PROGRESS, PAUSED = "Created", "InProgress", "Paused"
COMPLETED, FAILED, CANCELED, DELETED, ARCHIVED = "Completed", "Failed", "Canceled", "Deleted", "Archived"

# developer.exotel.com/api/campaigns: 1-5000 numbers; at most 3 retries.
MAX_NUMBERS = 5000
MAX_RETRIES = 3
# how-to-use-call-campaign-throttling: 60 calls a minute by default, a campaign's own must be below the account's.
CALLS_A_MINUTE = 60
# The schedules of the sample list: send_at to end_at is 30 days.
DURATION = timedelta(days=30)
# Every time in the samples is +05:30.
ACCOUNT_ZONE = timezone(timedelta(hours=5, minutes=30))

NUMBER = re.compile(r"\+?\d{8,15}")
ON_STATUS = frozenset({"busy", "no-answer", "failed"})
MECHANISMS = frozenset({"Linear", "Exponential"})
CALLBACKS = ("status_callback", "call_status_callback", "call_schedule_callback")
# What becomes of a call, by the end of its number; all others are completed.
CALL_STATUSES = {"900991": "busy", "900992": "no-answer", "900993": "failed"}
CALL_SECONDS = 30
# update-campaign: which action is possible in which status.
ACTIONS = {
    "pause": {CREATED, IN_PROGRESS},
    "resume": {PAUSED},
    "complete": {PAUSED},
    "archive": {COMPLETED},
}
# The hyphenated keys of the sample list, in its order.
STATS = ("created", "in-progress", "retry", "retrying", "failed", "failed-dnd", "invalid", "paused")
STATS_TAIL = ("failed-no-attempt", "completed")


class InvalidItemError(Exception):
    """
    One object of a request cannot be created or changed so.

    :param message: the vendor's words.
    :param code: the item's code.
    :param number: the number at fault.
    """

    def __init__(self, message: str, code: int = 400, number: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.number = number


def call_status(number: str) -> str:
    """Return what becomes of a call to ``number``."""
    return CALL_STATUSES.get(number[-6:], "completed")


@dataclass(slots=True)
class Campaign:
    """
    One campaign.

    :param given: the fields it was created with.
    :param start_at: when it goes from Created to InProgress (epoch seconds), a while after ``send_at``.
    :param rate: calls per second.
    :param shown: a status that is shown in place of its own.
    """

    id: str
    account: str
    name: str
    given: dict[str, Any]
    numbers: list[str]
    created: float
    send_at: float
    end_at: float
    start_at: float
    rate: float
    status: str = CREATED
    updated: float = 0.0
    dialled: int = 0
    """Calls made before ``running_since``."""
    running_since: float = 0.0
    started: bool = False
    no_attempt: int = 0
    shown: str = ""

    def catch_up(self, now: float) -> None:
        """Make the changes of status that the clock brings."""
        if self.status == CREATED and now >= self.start_at:
            self._become(IN_PROGRESS, self.start_at)
            self.running_since, self.started = self.start_at, True
        if self.status == IN_PROGRESS:
            done_at = self.running_since + (len(self.numbers) - self.dialled) / self.rate
            if done_at <= min(now, self.end_at):
                self._finish(done_at, len(self.numbers))
            elif now >= self.end_at:
                self._finish(self.end_at, self.calls(self.end_at))
        if self.status == PAUSED and now >= self.end_at:
            self.no_attempt = len(self.numbers) - self.dialled
            self._become(CANCELED, self.end_at)

    def act(self, action: str, now: float) -> None:
        """Do ``pause``, ``resume``, ``complete`` or ``archive``; ``InvalidItemError`` unless the status allows it."""
        if action not in ACTIONS:
            raise InvalidItemError(f"Invalid action {action}")
        if self.status not in ACTIONS[action]:
            raise InvalidItemError(f"Campaign is {self.status}, {action} is not possible", 409)
        if action == "pause":
            self.dialled = self.calls(now)
            self._become(PAUSED, now)
        elif action == "resume":
            self.running_since = now
            self._become(IN_PROGRESS if self.started else CREATED, now)
        elif action == "complete":
            self.no_attempt = len(self.numbers) - self.dialled
            self._become(COMPLETED, now)
        else:
            self._become(ARCHIVED, now)

    def change(self, fields: Mapping[str, Any], starts_after: float, now: float) -> None:
        """Change fields; once ``send_at`` has passed, only the callbacks (API console page)."""
        if now >= self.send_at and not fields.keys() <= set(CALLBACKS):
            raise InvalidItemError("Only action and callbacks can be changed once send_at has passed")
        given = {**self.given, **fields}
        check(given)
        if now < self.send_at:
            self.send_at, self.end_at = schedule_of(given, self.send_at)
            self.start_at = self.send_at + starts_after
        self.given, self.name, self.updated = given, str(given.get("name") or self.name), now

    def delete(self, now: float) -> None:
        """Delete the campaign; ``InvalidItemError`` once it has started."""
        if self.started or self.status not in (CREATED, PAUSED):
            raise InvalidItemError(f"Campaign is {self.status} and cannot be deleted", 409)
        self._become(DELETED, now)

    def calls(self, now: float) -> int:
        """Return how many numbers have been called."""
        if self.status != IN_PROGRESS:
            return self.dialled
        return min(len(self.numbers), self.dialled + int((now - self.running_since) * self.rate))

    def stats(self, now: float) -> dict[str, int]:
        """Return the sample's counts; all of them 0 until the campaign has started."""
        done = Counter(call_status(number) for number in self.numbers[: self.calls(now)])
        stats = dict.fromkeys((*STATS, *STATS_TAIL), 0)
        stats["completed"] = done.pop("completed", 0)
        stats["failed"] = sum(done.values())
        stats["failed-no-attempt"] = self.no_attempt
        rest = len(self.numbers) - self.calls(now) - self.no_attempt
        if self.started and self.status in (IN_PROGRESS, PAUSED):
            stats["paused" if self.status == PAUSED else "in-progress"] = rest
        return stats

    def as_json(self, now: float) -> dict[str, Any]:
        """Return the campaign as the list's sample shows it."""
        given = self.given
        data: dict[str, Any] = {
            "id": self.id,
            "account_sid": self.account,
            "name": self.name,
            "type": "trans",
            "from" if "from" in given else "lists": self.numbers if "from" in given else given["lists"],
            "caller_id": given["caller_id"],
            "url": given.get("url"),
            **{name: given[name] for name in ("campaign_type", "mode", "throttle", "read_via_text") if name in given},
            "retries": given.get("retries"),
            "schedule": {"send_at": written(self.send_at), "end_at": written(self.end_at)},
            **{name: given.get(name) for name in CALLBACKS},
            "custom_field": given.get("custom_field"),
            "date_created": written(self.created),
            "date_updated": written(self.updated),
            "status": self.shown or self.status,
            "uri": f"/v2/accounts/{self.account}/campaigns/{self.id}",
            "report_url": f"https://campaigns-reports.example.com/{self.id}.csv",
            "call_status_callback_params": None,
            "call_duplicate_numbers": given.get("call_duplicate_numbers", False),
            "stats": self.stats(now),
        }
        if self.status not in (COMPLETED, ARCHIVED):
            del data["report_url"]
        return data

    def summary(self, now: float) -> dict[str, Any]:
        """Return what stands beside the campaign's data in the list's sample."""
        stats = self.stats(now)
        calls = self.calls(now)
        return {
            "campaign_sid": self.id,
            "call_scheduled": len(self.numbers) if self.started else 0,
            "call_initialized": calls,
            "call_completed": stats["completed"],
            "call_failed": stats["failed"],
            "call_inprogress": stats["in-progress"],
            "DateCreated": written(self.created),
        }

    def call(self, position: int) -> dict[str, Any]:
        """Return the call of the number at ``position`` as call-details lists it."""
        number, at = self.numbers[position], self.start_at + (position + 1) / self.rate
        status = call_status(number)
        return {
            "name": None,
            "number": number,
            "duration": CALL_SECONDS if status == "completed" else 0,
            "date_created": written(at),
            "status": status,
            "digits": "",
            "recording_url": None,
            "start_time": written(at),
            "end_time": written(at + CALL_SECONDS),
            "caller_id": self.given["caller_id"],
            "direction": "outbound-api",
            "call_sid": f"{self.id[:24]}{position:08x}",
        }

    def _finish(self, at: float, calls: int) -> None:
        self.dialled = calls
        self.no_attempt = len(self.numbers) - self.dialled
        none_made = all(call_status(number) == "failed" for number in self.numbers[: self.dialled])
        self._become(FAILED if none_made else COMPLETED, at)

    def _become(self, status: str, at: float) -> None:
        self.status, self.updated = status, at


def written(at: float) -> str:
    """Return a time as the samples write it, e.g. 2021-06-21T22:29:47+05:30."""
    return datetime.fromtimestamp(at, ACCOUNT_ZONE).isoformat(timespec="seconds")


def numbers_of(given: Mapping[str, Any]) -> list[str]:
    """
    Return the numbers of ``from``, an array or a comma-separated string.

    :raises Invalid: there are none or too many, or one is no number; the first such is named, as the vendor does.
    """
    value = given["from"]
    numbers = value.split(",") if isinstance(value, str) else value
    if not isinstance(numbers, list) or not 0 < len(numbers) <= MAX_NUMBERS:
        raise InvalidItemError(f"from should have 1 to {MAX_NUMBERS} numbers")
    for number in numbers:
        if not NUMBER.fullmatch(str(number).strip()):
            raise InvalidItemError(f"Invalid number {number}", number=str(number))
    return [str(number).strip() for number in numbers]


def check(given: Mapping[str, Any]) -> None:
    """Refuse a campaign that lacks a field or has a wrong one: create-campaign and the API console's page."""
    if ("from" in given) == ("lists" in given):
        raise InvalidItemError("Either from or lists is mandatory")
    if not given.get("caller_id"):
        raise InvalidItemError("caller_id is mandatory")
    if not any(given.get(name) for name in ("url", "read_via_text", "flow_type")):
        raise InvalidItemError("url is mandatory")
    if "name" in given and len(str(given["name"])) <= 3:
        raise InvalidItemError("name should be longer than 3 characters")
    if given.get("type", "trans") != "trans":
        raise InvalidItemError("type should be trans")
    _check_retries(given.get("retries"))
    throttle = given.get("throttle", 1)
    if given.get("mode") == "custom" and not 1 <= int(throttle) < CALLS_A_MINUTE:
        raise InvalidItemError(f"throttle should be 1 to {CALLS_A_MINUTE - 1}")


def _check_retries(retries: Any) -> None:
    if not retries:
        return
    if not 0 <= int(retries.get("number_of_retries", 0)) <= MAX_RETRIES:
        raise InvalidItemError(f"number_of_retries should be 0 to {MAX_RETRIES}")
    if retries.get("number_of_retries") and not retries.get("interval_mins"):
        raise InvalidItemError("interval_mins is mandatory")
    if retries.get("mechanism", "Linear") not in MECHANISMS or not ON_STATUS.issuperset(retries.get("on_status", ())):
        raise InvalidItemError("Invalid retries")


def schedule_of(given: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Return ``send_at`` and ``end_at``, by default now and 30 days later; times need an offset (RFC 3339)."""
    schedule = given.get("schedule") or {}
    send_at = _moment(schedule.get("send_at"), now)
    end_at = _moment(schedule.get("end_at"), send_at + DURATION.total_seconds())
    if end_at <= send_at:
        raise InvalidItemError("end_at should be after send_at")
    return send_at, end_at


def _moment(text: str | None, default: float) -> float:
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidItemError(f"Invalid schedule time {text}") from None
    if moment.tzinfo is None:
        raise InvalidItemError(f"Invalid schedule time {text}")
    return moment.timestamp()
