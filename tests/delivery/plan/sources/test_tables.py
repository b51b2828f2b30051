"""Tables of pandas, polars, pyarrow and others are contacts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
import polars as pl
import pytest

from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import fields, problems


class Records:
    """A table of a library that is not known."""

    def to_dict(self) -> dict[str, Sequence[Any]]:
        return {"phone": ["1", "2"], "name": ["a", None]}


class Nameless:
    def to_dict(self) -> list[int]:
        return [1]


@pytest.mark.parametrize("pyarrow", [True, False])
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (pd.DataFrame({"phone": ["1", None], "n": [1.0, None]}), [("1", 1), (None, None)]),
        (pd.DataFrame({"phone": ["1", 2], "n": [1.5, pd.NA]}), [("1", 1.5), (2, None)]),
        (pd.DataFrame({"phone": pd.to_datetime(["2026-03-01", None])}), [("2026-03-01T00:00:00",), (None,)]),
        (pl.DataFrame({"phone": ["1", None], "n": [7.0, 1.5]}), [("1", 7), (None, 1.5)]),
        (Records(), [("1", "a"), ("2", None)]),
    ],
    ids=["floats", "several kinds", "times", "polars", "unknown"],
)
def test_tables_with_and_without_pyarrow(
    table: Any, expected: list[tuple[Any, ...]], pyarrow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not pyarrow:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    source = open_source(table)

    assert [tuple(row.values()) for row in fields(source)] == expected
    assert fields(source) == fields(source)


def test_a_column_is_a_list_and_no_table() -> None:
    series = pd.Series(["+447700900000"])
    assert [dict(row.fields) for row in open_source(series, "exclude", plain=True).read()] == [{"": "+447700900000"}]


def test_values_of_a_table_that_json_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.DataFrame({"phone": ["1", object()]}, dtype=object)
    problem = "column 'phone': a value of type object that JSON cannot hold"
    assert problems(open_source(table)) == [(1, None), (2, problem)]


def test_a_table_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match=r"a table with named columns, .* got Nameless"):
        list(open_source(Nameless()).read())
