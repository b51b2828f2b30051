"""Detects the delimiter of a text file, from a first line ``sep=;`` or its first rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from airflow_provider_campaigns.delivery.plan.sources.options import DELIMITERS

# A field longer than this is a broken quote, not a contact.
LONGEST_FIELD = 1_000_000
# Rows that are compared with the header.
ROWS_TO_COMPARE = 20

# What Excel understands and other tools write for it.
_SAID = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def said_in(line: str) -> str | None:
    """Return the delimiter that a line ``sep=;`` says; None for any other line."""
    found = _SAID.fullmatch(line.strip("\r\n"))
    return found[1] if found else None


def find_delimiter(sample: str, usual: str) -> str:
    """
    Return what separates the columns in the first rows of a file: that which gives the rows as many as the header.

    :param sample: whole lines.
    :param usual: what it is when there is one column only, or no difference.
    """
    best, delimiter = (0.0, 0), usual
    for one in (usual, *DELIMITERS):
        header, *rows = list(_rows(sample, one)) or [[]]
        width = max((number for number, name in enumerate(header, 1) if name.strip()), default=0)
        fitting = sum(len(row) >= width and is_blank(row[width:]) for row in rows)
        share = fitting / len(rows) if rows else 1.0
        if width > 1 and (share, width) > best:
            best, delimiter = (share, width), one
    return delimiter


def is_blank(values: list[str]) -> bool:
    """Whether all values of a row are blank."""
    return not any(value and not value.isspace() for value in values)


def _rows(sample: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first rows; fewer, perhaps none, if this is no CSV."""
    rows = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from islice((row for row in rows if not is_blank(row)), ROWS_TO_COMPARE)
    except csv.Error:
        return
