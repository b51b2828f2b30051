"""Tables, for the terminal and for ``results.md`` alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """
    One table.

    :param title: its heading.
    :param head: the names of the columns.
    :param rows: the cells.
    :param note: a sentence below.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            first, *others = (
                cell.ljust(w) if not n else cell.rjust(w) for n, (cell, w) in enumerate(zip(cells, widths, strict=True))
            )
            return f"| {' | '.join([first, *others])} |"

        rule = f"|{'|'.join('-' * (width + 1) + ('-' if not number else ':') for number, width in enumerate(widths))}|"
        return "\n".join(
            [
                f"### {self.title}",
                "",
                line(self.head),
                rule,
                *map(line, self.rows),
                *(["", self.note] if self.note else []),
            ]
        )
