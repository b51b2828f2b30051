"""Checks one row against a vendor's pydantic model; what pydantic finds wrong becomes an error of this package."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    # A number with a fraction has been through a spreadsheet, which may have cost it digits or zeros.
    raise ValueError("not text")


Text = Annotated[str, BeforeValidator(_text)]
"""Text as it stands in the source, but for blanks around it (leading + and zeros survive); integers become text."""


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that hold something; None, blank text and NaN (a table's empty cell) mean "not given"."""
    # Spelled out for text, which nearly all fields are.
    return {
        name: value
        for name, value in fields.items()
        if not (not value or value.isspace() if type(value) is str else _is_blank(value))
    }


def _is_blank(value: object) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and isnan(value))


def checked(
    model: type[BaseModel], fields: Mapping[str, Any], error: type[InputError] = InvalidContactError
) -> dict[str, Any]:
    """
    Return ``fields`` as ``model`` makes of them: JSON-safe, nothing added.

    :param model: its fields have the vendor's names (no aliases: a column called like the field behind an alias would
        clash with it); their descriptions say, in the error, what is expected.
    :param fields: those that hold something (see ``given``).
    :param error: what to raise.
    :raises InputError: as ``error``; of the row, it shows only the value at fault.
    """
    try:
        return model.model_validate(fields).model_dump(mode="json", exclude_unset=True)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False)[0]
        name = ".".join(map(str, first["loc"])) or "row"
        got = "nothing" if first["type"] == "missing" else first["input"]
        raise error(name, _expected(model, first["loc"]) or first["msg"], got) from None
    except (ValueError, RecursionError) as problem:
        # Not pydantic's own only: bytes that are no UTF-8, an object that holds itself.
        raise error("row", "values that JSON can hold", problem) from None


def expectations(model: type[BaseModel]) -> dict[str, str]:
    """Return what is expected of each field of ``model``."""
    return {name: field.description or name for name, field in model.model_fields.items()}


def json_safe(fields: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return ``fields``, whatever they are called, as JSON can hold them; text as it stands.

    :raises InvalidContactError: a value is something that JSON does not know.
    """
    if {*map(type, fields.values())} <= {str}:
        return dict(fields)
    return checked(_Anything, fields)


class _Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


def _expected(model: type[BaseModel], location: tuple[str | int, ...]) -> str | None:
    field = model.model_fields.get(str(location[0])) if location else None
    return field.description if field else None
