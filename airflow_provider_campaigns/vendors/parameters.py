"""Checks what a DAG author gave, before it becomes part of a call; a template may have made text, or nothing, of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.exceptions import InputError


def check_id(name: str, value: object, expected: str, kinds: type | tuple[type, ...] = str) -> None:
    """
    Refuse what is no id: with none, or another one than was meant, the vendor refuses every contact.

    :param kinds: types it may have.
    :raises InputError: it is of another type, blank, or what a template makes of None.
    """
    if isinstance(value, bool) or not isinstance(value, kinds) or str(value).strip() in {"", "None"}:
        raise InputError(name, expected, repr(value) if value is not None else "nothing")


def check_text(name: str, value: object, expected: str) -> None:
    """
    Refuse what is neither text nor None.

    :raises InputError: it is something else.
    """
    if value is not None and not isinstance(value, str):
        raise InputError(name, expected, type(value).__name__)


def an_object(name: str, value: Any) -> dict[str, Any]:
    """
    Return an object as a dict, an empty one for None.

    :raises InputError: it is something else; text, too, which would go to the vendor as it is.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(name, "an object", "text" if isinstance(value, str) else type(value).__name__)
    return dict(value)
