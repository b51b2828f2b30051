"""Finds the e-mail addresses and phone numbers of a row, whatever its columns are called."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

EMAIL = r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+"
"""An e-mail address; what a mailbox may be called is left to the vendor."""

# Columns whose value is an address however it is written.
_NAMES = frozenset({"email", "mail", "mobile", "mobile_number", "mobilenumber", "phone", "phone_number", "phonenumber"})
_ADDRESS = re.compile(rf"{EMAIL}|(?:\+\(?\d(?:[ ().-]{{0,2}}\d){{5,14}}|\(?\d(?:[ ().-]{{0,2}}\d){{9,14}})")


def addresses(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Return every value that is an address: by its column's name, or by its look.

    An e-mail looks like one; so do 6 to 15 digits behind a ``+``, and 10 to 15 without. A number that long that is
    no phone number counts too: better one value hidden too many than one recipient shown.
    """
    return tuple(dict.fromkeys(_addresses("", fields)))


def _addresses(name: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner, content in value.items():
            yield from _addresses(str(inner), content)
    elif isinstance(value, (list, tuple)):
        for content in value:
            yield from _addresses(name, content)
    elif isinstance(value, (str, int)) and not isinstance(value, bool):
        text = str(value)
        if text and (name.lower() in _NAMES or _ADDRESS.fullmatch(text)):
            yield text
