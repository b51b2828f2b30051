"""What may be said of an execution; imports next to nothing, as DAGs are checked when they are parsed."""

from __future__ import annotations

from functools import partial

from airflow_provider_campaigns.parameters import check_id, parse_datetime, parse_object, refuse_overrides

# What the other parameters set; also the credentials.
NO_OVERRIDES = frozenset({"apptoken", "id", "target", "target_with_params", "target_by", "params", "time"})


def check_campaign_id(value: object) -> None:
    """
    Refuse what is no campaign's id.

    :raises InputError: it is none.
    """
    check_id("campaign_id", value, "the id of a live campaign", (str, int))


def check_target_by(value: object) -> None:
    """
    Refuse what names no kind of target.

    :raises InputError: it is blank, or no text.
    """
    check_id("target_by", value, "user_id, external_id, email, token or id")


def check_template_params(value: object) -> None:
    """
    Refuse what is no object.

    :raises InputError: it is none.
    """
    parse_object("template_params", value)


def check_send_at(value: object) -> None:
    """
    Refuse what is no point in time.

    :raises InputError: it is none, or has no time zone.
    """
    if value:
        parse_datetime("send_at", value)


check_overrides = partial(refuse_overrides, NO_OVERRIDES)
