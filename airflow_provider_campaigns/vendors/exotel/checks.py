"""What may be said of a campaign; imports next to nothing, as DAGs are checked when they are parsed."""

from __future__ import annotations

from functools import partial
from typing import Any

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import parse_datetime, refuse_overrides

# "Campaign name should be more than 3 characters" (developer.exotel.com/api/campaigns).
NAME_LONGER_THAN = 3
# The recipients are checked, and by its name a campaign is found again.
NO_OVERRIDES = frozenset({"from", "lists", "name"})
ACTIONS = ("pause", "resume", "complete", "archive")


def check_name(value: object) -> None:
    """
    Refuse a name that is too short.

    :raises InputError: it is, or it is no text.
    """
    if not isinstance(value, str) or len(value.strip()) <= NAME_LONGER_THAN:
        raise InputError("name", f"more than {NAME_LONGER_THAN} characters", value)


def check_time(name: str, value: Any) -> None:
    """
    Refuse what is no point in time.

    :raises InputError: it is none, or has no time zone.
    """
    if value:
        parse_datetime(name, value)


def check_action(value: object) -> None:
    """
    Refuse what cannot be done to a campaign.

    :raises InputError: it cannot.
    """
    if value not in ACTIONS:
        raise InputError("action", ", ".join(ACTIONS), value)


check_overrides = partial(refuse_overrides, NO_OVERRIDES)
