"""Finds the e-mail addresses and phone numbers of a row, whatever its columns are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    found: dict[str, None] = {}
    _find("", fields, found)
    return tuple(found)


def _find(name: str, value: object, found: dict[str, None]) -> None:
    """Put the addresses in ``value``, which is called ``name``, into ``found``."""
    if isinstance(value, (str, int)):
        if not isinstance(value, bool):
            text = str(value)
            if text and (name.lower() in _NAMES or _ADDRESS.fullmatch(text)):
                found[text] = None
    elif isinstance(value, Mapping):
        for inner, content in value.items():
            _find(str(inner), content, found)
    elif isinstance(value, (list, tuple)):
        for content in value:
            _find(name, content, found)
