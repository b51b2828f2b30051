"""What the parameters of a delivering operator mean, once they are rendered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.choices import CHOICES, check_columns
from airflow_provider_campaigns.operators.base.contacts import (
    check_given,
    open_contacts,
    open_reading,
)
from airflow_provider_campaigns.parameters import (
    DEFAULT_MAX_RESENDS,
    OnUnknown,
    parse_bool,
    parse_count,
    parse_count_or_share,
    parse_positive_int,
)
from airflow_provider_campaigns.templating.hidden_field import unwrap

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.plan.reading import Reading
    from airflow_provider_campaigns.delivery.plan.sources import Source
    from airflow_provider_campaigns.delivery.plan.sources.copies import Copied
    from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
    from airflow_provider_campaigns.delivery.run.limits import Limits
    from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
    from airflow_provider_campaigns.protocol.send import Send

    DeliveryOperator = CampaignDeliveryOperator[Any]


DEFAULT_MAX_OUTAGE = 120
SINGLE_CONCURRENCY = 16
BATCH_CONCURRENCY = 2


def check_choices(operator: DeliveryOperator) -> None:
    """
    Refuse parameters that are wrong whatever the contacts are.

    :raises InputError: one is.
    """
    check_given(unwrap(operator.contacts), operator.sql, operator.sql_conn_id)
    for name, check in {**CHOICES, "columns": check_columns}.items():
        check(getattr(operator, name))


def contacts_of(operator: DeliveryOperator, send: Send, copy: Callable[[Copied], Source]) -> tuple[Reading, Source]:
    """
    Return how rows become contacts, and the rows.

    :param copy: makes a copy of what a query or a function returns, or finds the one that was made.
    :raises InputError: a parameter is wrong.
    """
    from airflow_provider_campaigns.delivery.plan.sources.options import parse_options

    repeats = parse_bool("allow_repeats", operator.allow_repeats)
    exclude = unwrap(operator.exclude)
    options = parse_options(operator.encoding, operator.delimiter)
    reading = open_reading(
        send,
        operator.hook,
        columns=operator.columns,
        exclude=exclude,
        allow_repeats=repeats,
        encoding=options.encoding,
    )
    return reading, open_contacts(unwrap(operator.contacts), operator.sql, operator.sql_conn_id, copy, options)


def batch_size_of(operator: DeliveryOperator, send: Send) -> int:
    """
    Return the contacts per request.

    :raises InputError: they are more than one call takes.
    """
    size = parse_positive_int("batch_size", operator.batch_size) or send.batch_limit
    if size > send.batch_limit:
        raise InputError("batch_size", f"at most {send.batch_limit}, which is what one call takes", size)
    return size


def concurrency_of(operator: DeliveryOperator, send: Send) -> int:
    """
    Return the requests in flight.

    :raises InputError: ``max_concurrency`` is no positive number.
    """
    default = SINGLE_CONCURRENCY if send.batch_limit == 1 or send.safe_to_resend else BATCH_CONCURRENCY
    return parse_positive_int("max_concurrency", operator.max_concurrency) or default


def limits_of(operator: DeliveryOperator, on_unknown: str = "") -> Limits:
    """
    Return what makes a failure.

    :param on_unknown: what a person chose for this task instance; empty: nothing.
    :raises InputError: a parameter is wrong.
    """
    from airflow_provider_campaigns.delivery.run.limits import Limits

    return Limits(
        cast("OnUnknown", on_unknown or operator.on_unknown),
        parse_count_or_share("max_rejected", operator.max_rejected),
        parse_count_or_share("max_invalid", operator.max_invalid),
        parse_count("max_resends", operator.max_resends, DEFAULT_MAX_RESENDS),
    )


def header_of(
    operator: DeliveryOperator, send: Send, outcomes: Outcomes, vendor_fields: Iterable[str]
) -> dict[str, Any]:
    """
    Return what must be the same on every try of a delivery, and a digest of what else is sent.

    :param vendor_fields: the parameters of this vendor's operator alone.
    """
    from airflow_provider_campaigns.delivery.record.ledger import PARAMETERS

    values = {name: unwrap(getattr(operator, name)) for name in ("columns", *sorted(vendor_fields))}
    text = json.dumps(values, sort_keys=True, default=str)
    parameters = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {**operator.hook.identity, **send.identity, "outcomes_path": outcomes.path, PARAMETERS: parameters}
