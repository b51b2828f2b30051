"""A send window, and moments in and outside of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.common.compat.sdk import TaskDeferred

WINDOW = "09:00-20:00 Asia/Kolkata"  # 03:30 to 14:30 UTC
OPEN, CLOSED = datetime(2026, 11, 20, 10, tzinfo=UTC), datetime(2026, 11, 20, 15, tzinfo=UTC)
OPENS = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


def ago(**since: float) -> datetime:
    return datetime.now(UTC) - timedelta(**since)


def waits_for(deferred: TaskDeferred) -> timedelta:
    """Return how long a task that was deferred just now waits."""
    _, kwargs = deferred.trigger.serialize()
    moment: datetime = kwargs["moment"]
    return moment - datetime.now(UTC)
