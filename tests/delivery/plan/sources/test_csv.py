"""Contacts come out of a CSV file exactly as they stand there, or it is said what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_campaigns.delivery.plan.sources import csv_file, open_source
from airflow_provider_campaigns.delivery.plan.sources.delimiters import LONGEST_FIELD
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import fields, file_with, problems


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        pytest.param("a,b\n1,2\n3,4\n", [("1", "2"), ("3", "4")], id="plain"),
        pytest.param("a,b\n1,2", [("1", "2")], id="no newline at the end"),
        pytest.param("a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")], id="CRLF"),
        pytest.param('a,b\n"1, one","say ""hi"""\n', [("1, one", 'say "hi"')], id="quotes"),
        pytest.param('a,b\n"1\nand\r\nmore",2\n3,4\n', [("1\nand\r\nmore", "2"), ("3", "4")], id="newlines in quotes"),
        pytest.param('a,b\n5" pipe,2\n', [('5" pipe', "2")], id="a quote in the middle"),
        pytest.param("\ufeffa,b\n1,2\n", [("1", "2")], id="byte order mark"),
        pytest.param('\ufeff"a","b"\n1,2\n', [("1", "2")], id="byte order mark and quotes"),
        pytest.param("a,b\nJosé,東京\n", [("José", "東京")], id="not ASCII"),
        pytest.param("\na,b\n\n1,2\n\n\n3,4\n\n", [("1", "2"), ("3", "4")], id="empty lines"),
        pytest.param("a,b\n+44770,007\n", [("+44770", "007")], id="leading plus and zeros"),
        pytest.param("a,b\n 1 ,\n", [(" 1 ", "")], id="blanks and nothing"),
        pytest.param("a,b\nx\u2028y,\x0bz\n", [("x\u2028y", "\x0bz")], id="odd line separators"),
    ],
)
def test_csv(tmp_path: Path, content: str, rows: list[tuple[str, str]]) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", content))

    assert source.columns == ["a", "b"]
    assert [tuple(row.values()) for row in fields(source)] == rows
    assert problems(source) == [(number, None) for number in range(1, len(rows) + 1)]


def test_csv_rows_with_too_many_or_too_few_values_are_invalid_and_the_others_are_not(tmp_path: Path) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n"))

    assert problems(source) == [(1, None), (2, "1 values for 2 columns"), (3, "3 values for 2 columns"), (4, None)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(
            '"3"x,4',
            "not CSV: ',' expected after '\"' (a quote within quotes is written twice)",
            id="text after a quote",
        ),
        pytest.param(
            f'3,"{"x" * (LONGEST_FIELD + 1)}"', f"not CSV: field larger than field limit ({LONGEST_FIELD})", id="long"
        ),
    ],
)
def test_a_row_that_is_no_csv_is_invalid_if_no_other_can_be_in_it(tmp_path: Path, line: str, problem: str) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", f'a,b\n1,2\n{line}\n"5",6\n{line}'))

    assert problems(source) == [(1, None), (2, problem), (3, None), (4, problem)]
    assert fields(source)[2] == {"a": "5", "b": "6"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "expected a header and at least one contact, got an empty file", id="empty"),
        pytest.param("\n\n", "expected a header and at least one contact", id="only empty lines"),
        pytest.param("a,b,a\n1,2,3\n", "expected each column once, got 'a' more than once", id="repeated column"),
        pytest.param(",a\n0,1\n", "expected a name for each column, got columns '', 'a'", id="column without a name"),
        pytest.param("caf\u00e9,b\n".encode("latin-1"), "expected UTF-8 text", id="latin-1 header"),
        pytest.param("a\n1\n".encode("utf-16-le"), "expected UTF-8 text", id="UTF-16 without a mark"),
        pytest.param('a,"b\n', "expected CSV, got unexpected end of data", id="a quote never closed in the header"),
    ],
)
def test_csv_that_cannot_be_opened(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = file_with(tmp_path, "contacts.csv", content)

    with pytest.raises(InputError, match=message) as caught:
        open_source(path)

    assert caught.value.field == f"contacts ({path})"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            b"a,b\n" + b"1,2\n" * 20_000 + "Andr\u00e9,2\n".encode("latin-1"), "UTF-8 text", id="latin-1 far below"
        ),
        pytest.param('a,b\n1,2\n"3,4\n5,6\n', "row 2: unexpected end of data", id="a quote never closed"),
        pytest.param('a,b\n1,2\n"3,4', "row 2: unexpected end of data", id="a file that was cut off"),
        pytest.param('a,b\n"1,2\n"3",4\n', "row 1: ',' expected after '\"'", id="a quote that swallows the next row"),
        pytest.param('a,b\n"1' + ",2\n" * LONGEST_FIELD, "row 1: field larger than", id="a quote that swallows all"),
    ],
)
def test_csv_that_cannot_be_read_to_its_end(tmp_path: Path, content: str | bytes, message: str) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", content))

    with pytest.raises(InputError, match=message):
        list(source.read())
    assert source.count
    with pytest.raises(InputError, match=message):
        source.count()


def test_csv_rows_are_counted_as_they_are_read(tmp_path: Path) -> None:
    content = 'a,b\n1,2\n\n"3\n3",4\n5\n"6"6,7\n8,9\n'
    source = open_source(file_with(tmp_path, "contacts.csv", content))

    assert source.count
    assert source.count() == len(problems(source)) == 5
    assert [number for number, problem in problems(source) if problem] == [3, 4]


@given(st.text('a"\n\r ,é', max_size=30), st.integers(1, 8))
def test_any_csv_has_as_many_rows_counted_as_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, chunk: int
) -> None:
    source = open_source(file_with(tmp_path_factory.mktemp("contacts"), "contacts.csv", "a,b\n" + text))
    assert source.count

    def number(count: Callable[[], int]) -> int | str:
        try:
            return count()
        except InputError as error:
            return str(error)

    with patch.object(csv_file, "CHUNK", chunk):
        assert number(source.count) == number(lambda: len(list(source.read())))
