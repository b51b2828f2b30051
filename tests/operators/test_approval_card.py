"""The card of dags_examples/approve_before_sending.py shows the first rows as a table, whatever they contain."""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

ROOT = Path(__file__).parents[2]


def card(**preview: Any) -> list[str]:
    """Return the lines of the card."""
    spec = spec_from_file_location("approval", ROOT / "dags_examples" / "approve_before_sending.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)

    class Task:
        def xcom_pull(self, task_ids: str) -> dict[str, Any]:
            counts = {
                "campaign": "Offers",
                "vendor": "ozonetel",
                "contacts": 9,
                "unsent": 5,
                "duplicate": 1,
                "invalid": 3,
            }
            return {**counts, **preview}

    text: str = Environment().from_string(module.BODY).render(ti=Task())
    return text.splitlines()


def rows(lines: list[str]) -> list[list[str]]:
    """Return the cells of the last table: at a bar that has no backslash before it a cell ends."""
    table = [line for line in lines if line.startswith("|")][3:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def test_the_first_rows_are_a_table() -> None:
    people = [{"phoneNumber": "+44***01", "Name": "Jo"}, {"phoneNumber": "+44***02"}]

    assert rows(card(first_rows=people)) == [
        ["`phoneNumber`", "`Name`"],
        ["---", "---"],
        ["`+44***01`", "`Jo`"],
        ["`+44***02`", "`-`"],
    ]


@pytest.mark.parametrize("text", ["a|b", "a`b", "a\nb", "a\r\n| x |", "![x](https://example.com)", "<b>", "{{ 7*7 }}"])
def test_a_value_stays_in_its_cell(text: str) -> None:
    cells = rows(card(first_rows=[{"Name": text, "City": "Leeds"}]))

    assert len(cells) == 3
    assert [len(row) for row in cells] == [2, 2, 2]
    assert re.fullmatch(r"`[^`]+`", cells[2][0])
    assert cells[2][1] == "`Leeds`"


def test_without_rows_there_is_none() -> None:
    assert "`" not in "".join(card(first_rows=[], unsent=0))
