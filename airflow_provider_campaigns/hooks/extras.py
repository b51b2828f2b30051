"""The extra fields of a connection: only those that its type has, for a misspelt one would have no effect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from airflow_provider_campaigns.exceptions import InputError


def read_extras(extras: Mapping[str, Any], known: Collection[str], conn_type: str, where: str) -> dict[str, Any]:
    """
    Return extras by their names, without the prefix ``extra__<type>__`` that Airflow's forms once gave them.

    :param known: the extras that the type of connection has.
    :param where: what holds them, for the error.
    :raises InputError: there is another one, or one with two values.
    """
    found: dict[str, Any] = {}
    for full_name, value in extras.items():
        name = full_name.removeprefix(f"extra__{conn_type}__")
        if name not in known:
            expected = f"only extras that a connection of type {conn_type} has: {', '.join(sorted(known))}"
            raise InputError(where, expected, f"{full_name!r}{_hint(name, known)}")
        if name in found and value != found[name] and not _is_blank(value) and not _is_blank(found[name]):
            raise InputError(where, f"one value of {name}", "two, one of them with a prefix")
        if name not in found or _is_blank(found[name]):
            found[name] = value
    return found


def _hint(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name.lower().strip().replace("-", "_"), known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _is_blank(value: object) -> bool:
    return value is None or value == ""
