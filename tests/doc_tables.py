"""Tables of the documentation pages that name parameters and connection fields."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
# Pages that conf.py generates from docstrings prove nothing.
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "reference")

CODE = re.compile(r"`([^`]+)`")
_TABLE = re.compile(
    r"^(?P<lead>[^|\n][^\n]*)\n\n(?P<header>\|[^\n]+)\n\|[-:| ]+\|\n(?P<rows>(?:\|[^\n]+\n?)+)", re.MULTILINE
)


@dataclass(frozen=True)
class ParameterRow:
    """
    A row of a table of parameters.

    :param name: the parameter.
    :param classes: the classes that have it: those that the row names, else those of the line before the table.
    :param default: text of its default, or ``required``.
    :param templated: ``yes`` or ``no``.
    :param page: the page, relative to docs.
    """

    name: str
    classes: frozenset[str]
    default: str
    templated: str
    page: str

    def has_default(self, default: object) -> bool:
        """Whether the row gives this default, written as a Python literal."""
        try:
            return bool(ast.literal_eval(self.default) == default)
        except (ValueError, SyntaxError):
            return False


def tables(text: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Yield the tables of a page: the line before each, and its rows by the names of their columns."""
    for match in _TABLE.finditer(text):
        names = _cells(match["header"])
        # Markdown lets a row have fewer cells than the header.
        yield match["lead"], [dict(zip(names, _cells(row), strict=False)) for row in match["rows"].splitlines()]


def parameter_rows() -> list[ParameterRow]:
    """Return the rows of all tables of parameters."""
    return [
        _parameter_row(lead, row, str(page.relative_to(DOCS)))
        for page in PAGES
        for lead, rows in tables(page.read_text())
        for row in rows
        if {"parameter", "default", "meaning"} <= row.keys()
    ]


def section(page: str, heading: str) -> str:
    """Return the text below a heading of the second level."""
    text = (DOCS / page).read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def code(cell: str) -> str:
    """Return a cell without the marks of code."""
    return cell.strip("`")


def _parameter_row(lead: str, row: dict[str, Any], page: str) -> ParameterRow:
    classes = CODE.findall(row.get("operator", "")) or CODE.findall(lead)
    name, default = code(row["parameter"]), code(row["default"])
    return ParameterRow(name, frozenset(classes), default, row.get("templated", "no"), page)


def _cells(line: str) -> list[str]:
    # A pipe within a cell is escaped.
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
