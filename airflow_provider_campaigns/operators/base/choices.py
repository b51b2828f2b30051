"""Checks of parameters that the delivering operators share, which need no connection: also when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.contacts import check_on_empty
from airflow_provider_campaigns.operators.base.timing import check_max_age, check_outside_window, check_send_window
from airflow_provider_campaigns.parameters import (
    LedgerPlace,
    OnUnknown,
    parse_bool,
    parse_count,
    parse_count_or_share,
    parse_positive_int,
)
from airflow_provider_campaigns.state.cleared import check_on_cleared

if TYPE_CHECKING:
    from airflow_provider_campaigns.templating.literals import Check


def check_on_unknown(on_unknown: Any) -> None:
    """
    Refuse what is no choice of ``on_unknown``.

    :raises InputError: it is none.
    """
    if on_unknown not in get_args(OnUnknown):
        raise InputError("on_unknown", " or ".join(get_args(OnUnknown)), repr(on_unknown))


def check_columns(columns: Any) -> None:
    """
    Refuse what is no mapping of vendor fields to columns.

    :raises InputError: it is none.
    """
    if columns is None:
        return
    if not isinstance(columns, Mapping):
        raise InputError("columns", "a dict {vendor field: source column}", type(columns).__name__)
    for name, column in columns.items():
        if not isinstance(name, str) or not isinstance(column, str):
            raise InputError("columns", "names as text", f"{name!r}: {column!r}")


def check_ledger(ledger: Any) -> None:
    """
    Refuse what is no choice of ``ledger``.

    :raises InputError: it is none.
    """
    if ledger and ledger not in get_args(LedgerPlace):
        raise InputError("ledger", " or ".join(get_args(LedgerPlace)), repr(ledger))


def check_frequency_cap(caps: Any) -> None:
    """
    Refuse what is no cap, nor several.

    :raises InputError: one of them is none.
    """
    if caps:
        from airflow_provider_campaigns.history.caps import parse_caps

        parse_caps(caps)


def _check_text_option(name: str, value: Any) -> None:
    if value:
        from airflow_provider_campaigns.delivery.plan.sources.options import parse_options

        parse_options(**{"encoding": None, "delimiter": None, name: value})


CHOICES: Mapping[str, Check] = {
    "on_unknown": check_on_unknown,
    "on_cleared": check_on_cleared,
    "on_empty": check_on_empty,
}
"""Of parameters that may have one of a few values."""

TIMING: Mapping[str, Check] = {
    "send_window": check_send_window,
    "outside_window": check_outside_window,
    "max_age": check_max_age,
}
"""Of parameters that say when to send."""

DELIVERY: Mapping[str, Check] = {
    **CHOICES,
    **TIMING,
    "columns": check_columns,
    "batch_size": partial(parse_positive_int, "batch_size"),
    "max_concurrency": partial(parse_positive_int, "max_concurrency"),
    "max_recipients": partial(parse_positive_int, "max_recipients"),
    "max_rejected": partial(parse_count_or_share, "max_rejected"),
    "max_invalid": partial(parse_count_or_share, "max_invalid"),
    "max_resends": partial(parse_count, "max_resends", default=0),
    "allow_repeats": partial(parse_bool, "allow_repeats"),
    "preview": partial(parse_bool, "preview"),
    "max_outage": partial(parse_count, "max_outage", default=0),
    "frequency_cap": check_frequency_cap,
    "ledger": check_ledger,
    "encoding": partial(_check_text_option, "encoding"),
    "delimiter": partial(_check_text_option, "delimiter"),
}
"""Of every delivering operator."""
