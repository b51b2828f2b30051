"""What may be said of a survey; imports next to nothing, as DAGs are checked when they are parsed."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import check_id, check_text

MEDIA: Mapping[str, int] = {"sms": 1, "email": 2, "whatsapp": 3}  # https://developer-api.xebo.ai/send-surveys


def check_collector_id(value: object) -> None:
    """
    Refuse what is no collector's id.

    :raises InputError: it is none.
    """
    check_id("collector_id", value, "the id of a collector")


def check_collector_token(value: object) -> None:
    """
    Refuse what is no text.

    :raises InputError: it is none.
    """
    check_text("collector_token", value or None, "text")


def check_medium(value: object) -> None:
    """
    Refuse a medium that Xebo does not have.

    :raises InputError: it is another.
    """
    if value is not None and (not isinstance(value, str) or value not in MEDIA):
        raise InputError("medium", "sms, email, whatsapp, or None for links", value)
