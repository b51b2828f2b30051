"""What may be said of a request; imports next to nothing, as DAGs are checked when they are parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import check_id, parse_object, refuse_overrides

# What the other parameters set.
NO_OVERRIDES = frozenset(
    {"campaignId", "contact", "contacts", "items", "data", "sample", "samples", "dueDate", "createdBy", "assignedTo"}
    | {"sendMessage", "sendCompletionMessage", "sendRejectionMessage", "sendReopenMessage"}
    | {"esignDocs", "esignTriggers"}
)


def check_campaign_id(value: object) -> None:
    """
    Refuse what is no campaign's id.

    :raises InputError: it is none.
    """
    check_id("campaign_id", value, "the id of a campaign")


def check_data(value: object) -> None:
    """
    Refuse custom data that are no object.

    :raises InputError: they are none.
    """
    parse_object("data", value)


def samples_in(value: Any) -> list[Any]:
    """
    Return the samples of documents that one object, or a list of them, is.

    :raises InputError: it is neither.
    """
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence | None):
        raise InputError("samples", "an object, or a list of them", type(value).__name__)
    samples = [value] if isinstance(value, Mapping) else list(value or ())
    for sample in samples:
        parse_object("samples", sample)
    return samples


def check_object_or_list(name: str, value: object) -> None:
    """
    Refuse what is neither an object nor a list.

    :raises InputError: it is neither.
    """
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence | None):
        raise InputError(name, "an object or a list", type(value).__name__)


check_overrides = partial(refuse_overrides, NO_OVERRIDES)
