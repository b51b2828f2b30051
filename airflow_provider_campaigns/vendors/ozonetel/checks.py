"""What may be said of the leads of one campaign; imports next to nothing, as DAGs are checked when they are parsed."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import check_id

PRIORITY = r"^[1-9][0-9]?$"
A_PRIORITY = "a whole number, 1 to 99"
AN_EXPIRY = "YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS"

# "Add Campaign Data" prints YYYY-MM-DD, its newer twin for Basic authentication adds a time; both are taken.
_EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")
# A column of dates in Parquet, Excel, a table or a database has a time, too.
_TYPED = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.0+)?")


def check_campaign_name(value: object) -> None:
    """
    Refuse what is no campaign's name.

    :raises InputError: it is none.
    """
    check_id("campaign_name", value, "the name of an outbound campaign")


def check_lead_action(value: object) -> None:
    """
    Refuse another action than those of "Add Campaign Data", which would neither start nor stop the campaign.

    :raises InputError: it is another.
    """
    if value and str(value).upper() not in {"START", "STOP"}:
        raise InputError("action", "START, STOP or None", value)


def check_status_action(value: object) -> None:
    """
    Refuse another action than those of "Set Campaign Status".

    :raises InputError: it is another.
    """
    if str(value).capitalize() not in {"Start", "Stop"}:
        raise InputError("action", "Start or Stop", value)


def check_priority(value: object) -> None:
    """
    Refuse what is no priority of a lead.

    :raises InputError: it is none.
    """
    text = "" if value is None else str(value).strip()
    if text and not re.fullmatch(PRIORITY, text):
        raise InputError("priority", A_PRIORITY, value)


def expiry_text(value: Any) -> str:
    """
    Return a lead's last day as Ozonetel takes it.

    :raises ValueError: it is no date.
    """
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    text = value.strip() if isinstance(value, str) else ""
    if typed := _TYPED.fullmatch(text):
        text = typed[1] if typed[2] == "00:00:00" else f"{typed[1]} {typed[2]}"
    if _EXPIRY.fullmatch(text):
        datetime.fromisoformat(text)
        return text
    raise ValueError("not a date")


def check_expiry_date(value: object) -> None:
    """
    Refuse what is no last day of a lead.

    :raises InputError: it is none.
    """
    if value is None or value == "":
        return
    try:
        expiry_text(value)
    except ValueError:
        raise InputError("expiry_date", AN_EXPIRY, value) from None
