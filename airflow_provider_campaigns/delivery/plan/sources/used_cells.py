"""Counts the cells of an Excel sheet from its XML, before the sheet is loaded."""

from __future__ import annotations

import re

# Elements may have a prefix. An address is that of a cell, or a number alone that of a row; both may be missing.
_ROW = re.compile(rb"<(?:[\w.-]+:)?row[\s/>]")
_CELL = re.compile(rb"<(?:[\w.-]+:)?c[\s/>]")
_HIDDEN = re.compile(rb"""[^>]*\bhidden\s*=\s*["'](?:1|true)["']""")
_ADDRESS = re.compile(rb"""\br\s*=\s*["']([A-Za-z]*)([0-9]+)["']""")


class UsedCells:
    """Counts the cells of a sheet."""

    def __init__(self) -> None:
        self.hidden_rows = 0
        """Rows that Excel does not show, as those that a filter leaves out."""
        self._rest = b""
        self._rows = self._row = self._column = self._cells = self._cells_in_row = self._most_in_row = 0

    def count(self, chunk: bytes) -> int:
        """Take in the next bytes of the XML, and return how many cells there are up to there, empty ones included."""
        chunk = self._rest + chunk
        # No element is taken in half.
        end = chunk.rfind(b"<")
        chunk, self._rest = chunk[:end], chunk[end:]
        first, *others = _ROW.split(chunk)
        self._rows += len(others)
        self._add_cells(first)
        for row in others:
            self._cells_in_row = 0
            self.hidden_rows += _HIDDEN.match(row) is not None
            self._add_cells(row)
        for letters, digits in set(_ADDRESS.findall(chunk)):
            self._row = max(self._row, int(digits[:9]))
            self._column = max(self._column, _column(letters))
        rectangle = max(self._row, self._rows) * max(self._column, self._most_in_row)
        return max(rectangle, self._cells)

    def _add_cells(self, xml: bytes) -> None:
        found = len(_CELL.findall(xml))
        self._cells += found
        self._cells_in_row += found
        self._most_in_row = max(self._most_in_row, self._cells_in_row)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:8].upper():
        number = number * 26 + letter - ord("A") + 1
    return number
