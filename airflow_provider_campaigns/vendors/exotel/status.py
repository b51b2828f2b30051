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
FAILED = frozenset({"failed", "canceled", "deleted"})
GOING_ON = frozenset({"created", "inprogress", "paused"})


def progress(campaign: Mapping[str, Any], campaign_id: str) -> PollResult:
    """
    Return how far a campaign is: completed or archived, or else failed, canceled or deleted.

    One still paused at its end has failed too: the pages disagree on what becomes of it, but it does not go on.
    """
    status = text(campaign.get("status")) or ""
    shown = {name: campaign.get(name) for name in ("name", "status", "stats", "summary", "report_url")}
    details = {"campaign_id": campaign_id, **shown}
    word = normalise(status)
    if word in DONE:
        return PollResult("done", status, details)
    if word in FAILED:
        return PollResult("failed", status, details)
    if word == "paused" and _has_ended(campaign):
        return PollResult("failed", status, {**details, "reason": "paused when its end_at came"})
    return PollResult("running", status, details, unknown=() if word in GOING_ON else (status,))


def created_at(campaign: Mapping[str, Any]) -> datetime | None:
    """Return when a campaign was created, None when the reply does not say."""
    return _instant(campaign.get("date_created"))


def normalise(status: str) -> str:
    """Return a status in one spelling: the pages write ``InProgress``, ``in-progress`` and ``in_progress``."""
    return status.lower().translate(str.maketrans("", "", "-_ "))


def _has_ended(campaign: Mapping[str, Any]) -> bool:
    end = _instant(mapping(campaign.get("schedule")).get("end_at"))
    return end is not None and end < datetime.now(UTC)


def _instant(value: object) -> datetime | None:
    try:
        return parse_timestamp(str(value))
    except ValueError:
        return None
