"""Converts values of databases and typed files to JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic_core import to_json, to_jsonable_python

# Characters that an item of an object or a list counts beside its own.
_OF_AN_ITEM = 16


def json_value(value: object) -> Any:
    """
    Return a value as JSON has it: dates, decimals, UUIDs and bytes (UTF-8) as text, NaN and infinity as None.

    :raises ValueError: it has no such form.
    """
    return to_jsonable_python(_decimal(value), inf_nan_mode="null", fallback=_text)


def is_plain(fields: Mapping[str, object], most: int) -> bool:
    """
    Whether a row is nothing but text, ``is_storable`` and ``is_small``.

    Nearly all rows are; what is wrong with another one the two say.
    """
    try:
        text = "".join(fields.values()) + "".join(fields)  # type: ignore[arg-type]
    except TypeError:
        return False
    return len(text) <= most and _is_storable(text)


def is_storable(fields: Mapping[str, object]) -> bool:
    """Whether the names and texts of a row can be written down everywhere: no NUL characters, no lone surrogates."""
    try:
        return _is_storable("".join(fields)) and all(map(_holds_storable, fields.values()))
    except RecursionError:
        # What is nested so deeply is not taken by the vendors' models either, which say so.
        return True


def _holds_storable(value: object) -> bool:
    if isinstance(value, Mapping):
        return is_storable({str(name): content for name, content in value.items()})
    if isinstance(value, (list, tuple)):
        return all(map(_holds_storable, value))
    return not isinstance(value, str) or _is_storable(value)


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def size_of(value: object) -> int:
    """Return about how many characters a value has, each thing in it counted as some: what it takes in memory."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_OF_AN_ITEM + size_of(name) + size_of(content) for name, content in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_OF_AN_ITEM + size_of(content) for content in value)
    return 0


def is_small(fields: Mapping[str, object], most: int) -> bool:
    """Whether a row has no more than ``most`` characters."""
    try:
        return size_of(fields) <= most
    except RecursionError:
        # As for ``is_storable``.
        return True


def json_line(fields: Mapping[str, object]) -> bytes:
    """
    Return a row as a line of JSON, its values as ``json_value`` makes them.

    :raises ValueError: a value has no such form.
    """
    row = {name: _decimal(value) for name, value in fields.items()}
    return to_json(row, inf_nan_mode="null", fallback=_text) + b"\n"


def no_json(fields: Mapping[str, object]) -> str:
    """Return what is wrong with a row that JSON cannot hold."""
    found = next(((name, value) for name, value in fields.items() if not _fits(value)), None)
    if found is None:
        return "a column's name that JSON cannot hold"
    name, value = found
    return f"column {name!r}: a value of type {type(value).__name__} that JSON cannot hold"


def _fits(value: object) -> bool:
    try:
        json_line({"": value})
    except ValueError:
        return False
    return True


def _decimal(value: object) -> object:
    """Return a decimal as text without an exponent, anything else as it is."""
    if not isinstance(value, Decimal):
        return value
    return f"{value:f}" if value.is_finite() else None


def _text(value: object) -> str:
    if isinstance(value, memoryview):
        return bytes(value).decode()
    raise ValueError("no text")
