"""Reads the persons that a row names, and finds e-mail addresses and phone numbers in columns of any name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from airflow_provider_campaigns.exceptions import InvalidContactError
from airflow_provider_campaigns.identity import Kind, Person, UnreadableError, read_person, shown

EMAIL = r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+"
"""An e-mail address; what a mailbox may be called is left to the vendor."""

# Columns whose value is an address however it is written.
_NAMES = frozenset({"email", "mail", "mobile", "mobile_number", "mobilenumber", "phone", "phone_number", "phonenumber"})
_ADDRESS = re.compile(rf"{EMAIL}|(?:\+\(?\d(?:[ ().-]{{0,2}}\d){{5,14}}|\(?\d(?:[ ().-]{{0,2}}\d){{9,14}})")


class Recipients(NamedTuple):
    """
    The persons that a row names.

    :param fields: the row, with addresses and ids as they are sent.
    :param persons: by the field that names each.
    :param normalised: one is not sent as it stands in the row.
    """

    fields: dict[str, Any]
    persons: dict[str, Person]
    normalised: bool


def read_recipients(
    fields: Mapping[str, Any], kinds: Mapping[str, Kind], expected: Mapping[str, str], region: str | None = None
) -> Recipients:
    """
    Return the persons that a row names, in those of its fields that name one.

    :param kinds: what the fields hold.
    :param expected: for the error, by field.
    :param region: country of phone numbers without ``+``.
    :raises InvalidContactError: one of them names no one person.
    """
    persons: dict[str, Person] = {}
    cleaned, normalised = dict(fields), False
    for name, kind in kinds.items():
        if name not in cleaned:
            continue
        value = cleaned[name]
        try:
            person = persons[name] = read_person(kind, value, region)
        except UnreadableError as error:
            raise InvalidContactError(name, str(error) or expected[name], shown(value)) from None
        if person.text is not value:
            cleaned[name] = person.text
            normalised = normalised or person.text != str(value)
    return Recipients(cleaned, persons, normalised)


def addresses(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return every value that is an address: by its column's name, or by its form.

    An e-mail has such a form; so do 6 to 15 digits behind a ``+``, and 10 to 15 without. A number that long that is
    no phone number counts too: better one value hidden too many than one recipient shown.
    """
    found: dict[str, None] = {}
    for name, value in fields.items():
        # Nearly all values are text, of which the form is found out at once.
        if type(value) is str:
            if value and (_ADDRESS.fullmatch(value) or name.lower() in _NAMES):
                found[value] = None
        else:
            found |= dict.fromkeys(_addresses_in(name, value))
    return tuple(found)


def _addresses_in(name: str, value: object) -> Iterable[str]:
    """Return the addresses in ``value``, which is called ``name``."""
    if isinstance(value, Mapping):
        return addresses({str(inner): content for inner, content in value.items()})
    if isinstance(value, (list, tuple)):
        return (found for content in value for found in _addresses_in(name, content))
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return (text,) if _is_address(name, text) else ()


def _is_address(name: str, text: str) -> bool:
    return bool(text) and (name.lower() in _NAMES or _ADDRESS.fullmatch(text) is not None)
