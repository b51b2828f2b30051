"""Exotel: what a campaign's status means, whether it came alone or in a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.parameters import parse_timestamp
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.vendors.common.reply_values import mapping, text

# "How does the Campaigns API work" names the states; archiving (update-campaign) needs a completed campaign.
DONE = frozenset({"completed", "archived"})
# Which of the two spellings comes is not documented; a client in production meets both.
FAILED = frozenset({"failed", "canceled", "cancelled", "deleted"})
RUNNING = frozenset({"created", "inprogress", "paused"})
# What a campaign is described by, apart from whom it rings.
DETAILS = ("name", "status", "stats", "summary", "report_url")
SHOWN = ("id", "date_created", "schedule", *DETAILS)


def progress(campaign: Mapping[str, Any], campaign_id: str) -> PollResult:
    """
    Return how far a campaign is: completed or archived, or else failed, canceled or deleted.

    One still paused at its end has failed too: the pages disagree on what becomes of it, but it does not continue.
    """
    status = text(campaign.get("status")) or ""
    details = {"campaign_id": campaign_id, **{name: campaign.get(name) for name in DETAILS}}
    word = normalise(status)
    if word in DONE:
        return PollResult("done", status, details)
    if word in FAILED:
        return PollResult("failed", status, details)
    if word == "paused" and _has_ended(campaign):
        return PollResult("failed", status, {**details, "reason": "paused when its end_at came"})
    return PollResult("running", status, details, unknown=() if word in RUNNING else (status,))


def without_recipients(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``progress`` and ``created_at`` read of a campaign: not its numbers, of which it may have 5,000."""
    return {name: campaign[name] for name in SHOWN if name in campaign}


def with_count(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign with a count in place of its numbers, as it may be shown; None for what is no list of them."""
    numbers = campaign.get("from")
    if isinstance(numbers, str):
        numbers = numbers.split(",")
    shown = len(numbers) if isinstance(numbers, (list, dict)) else None
    return dict(campaign) if numbers is None else {**campaign, "from": shown}


def created_at(campaign: Mapping[str, Any]) -> datetime | None:
    """Return when a campaign was created, None when the reply does not say."""
    return instant(campaign.get("date_created"))


def normalise(status: str) -> str:
    """Return a status in one spelling: the pages write ``InProgress``, ``in-progress`` and ``in_progress``."""
    return status.lower().translate(str.maketrans("", "", "-_ "))


def _has_ended(campaign: Mapping[str, Any]) -> bool:
    end = instant(mapping(campaign.get("schedule")).get("end_at"))
    return end is not None and end < datetime.now(UTC)


def instant(value: object) -> datetime | None:
    """Return the point in time that a reply names, None for anything else."""
    try:
        return parse_timestamp(str(value))
    except ValueError:
        return None
