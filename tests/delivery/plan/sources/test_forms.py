"""Every form in which files of contacts come is understood, or refused with the cure."""

from __future__ import annotations

import bz2
import gzip
import logging
import tracemalloc
from pathlib import Path
from typing import Any
from zipfile import ZIP_LZMA

import pandas as pd
import polars as pl
import pytest

from airflow_provider_campaigns.delivery.plan.preflight import check
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import csv_file, json_file, open_source, options, utf8
from airflow_provider_campaigns.delivery.plan.sources.options import Options, parse_options
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.forms import CSV, ROWS, WRITERS, zipped
from tests.delivery.plan.sources.reading import fields, file_with, problems
from tests.delivery.world import AcmeSend, phones

# In UTF-16, none of its letters has a NUL byte.
HINDI = "\u0928\u092e\u0938\u094d\u0924\u0947" * 20


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_any_form(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    source = open_source(path)

    assert fields(source) == ROWS
    assert fields(source) == ROWS, "it can be read again"
    assert problems(source) == [(1, None), (2, None)]
    assert source.count is None or source.count() == 2


@pytest.mark.parametrize("name", ["gzip.csv.gz", "mac.zip", "openpyxl.xlsx", "iconv.csv", "array.json.gz"])
def test_a_file_of_any_form_in_object_storage(tmp_path: Path, bucket: str, name: str) -> None:
    WRITERS[name](tmp_path / name)
    with locate(f"{bucket}/{name}").open("wb") as file:
        file.write((tmp_path / name).read_bytes())

    assert fields(open_source(f"{bucket}/{name}")) == ROWS


def test_an_encoding_and_a_delimiter_that_are_said(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", CSV.replace(",", "~").encode("utf-16-le"))

    assert fields(open_source(path, options=parse_options("UTF-16LE", "~"))) == ROWS


def test_a_byte_order_mark_counts_for_more_than_the_parameter(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", "\ufeff" + CSV)

    assert fields(open_source(path, options=Options("cp1252"))) == ROWS


@pytest.mark.parametrize(
    ("encoding", "delimiter", "expected"),
    [
        (None, None, Options()),
        ("", "", Options()),
        ("latin1", "\\t", Options("iso8859-1", "\t")),
        ("cp1252", "tab", Options("cp1252", "\t")),
    ],
)
def test_options(encoding: Any, delimiter: Any, expected: Options) -> None:
    assert parse_options(encoding, delimiter) == expected


@pytest.mark.parametrize(
    ("encoding", "delimiter", "message"),
    [
        ("windows", None, "encoding: expected an encoding that Python knows, .* got 'windows'"),
        ("base64", None, "encoding: expected an encoding that Python knows"),
        (7, None, "encoding: expected an encoding that Python knows"),
        (None, ";;", "delimiter: expected one character"),
        (None, '"', "delimiter: expected one character"),
        (None, 5, "delimiter: expected one character"),
    ],
)
def test_options_that_cannot_be(encoding: Any, delimiter: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        options.parse_options(encoding, delimiter)


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("a;b\n1,5;2\n2,5;3\n", ["a", "b"]),
        ("a,b;c\n1,2;3\n4,5\n", ["a", "b;c"]),
        ('"a,b";c\n"1,2";3\n', ["a,b", "c"]),
        ("a|b,c\n1|2\n3|4\n", ["a", "b,c"]),
        ("phone\n1,2\n", ["phone"]),
        ("a,b\n", ["a", "b"]),
    ],
)
def test_the_delimiter_is_what_gives_rows_as_long_as_the_header(
    tmp_path: Path, content: str, columns: list[str]
) -> None:
    assert open_source(file_with(tmp_path, "contacts.csv", content)).columns == columns


# -- refused


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "c.csv.gz",
            gzip.compress(CSV.encode(), mtime=0)[:-9],
            "a whole gzip file, got one that is damaged or cut off",
        ),
        ("c.csv.gz", CSV.encode(), "a whole gzip file"),
        ("c.zip", b"PK", "a zip archive, got another file, or a damaged one"),
        ("c.gz", gzip.compress(b"x", mtime=0), "a file that ends in"),
        ("c.parquet.gz", gzip.compress(b"x", mtime=0), r"a \.parquet file that is not packed as \.gz"),
        ("c.xlsx", CSV.encode(), r"an Excel workbook \(\.xlsx\) without a password"),
        ("c.csv", CSV.encode("utf-16-le"), 'encoding="utf-16-le" reads it'),
        ("c.csv", CSV.encode("utf-16-be"), 'encoding="utf-16-be" reads it'),
        ("c.csv", f"phone,name\n+919000000001,{HINDI}\n".encode("utf-16-le"), 'encoding="utf-16-le" reads it'),
        ("c.csv", f"phone,name\n+919000000001,{HINDI}\n".encode("utf-16-be"), 'encoding="utf-16-be" reads it'),
        ("c.csv", b"\0", "as in UTF-16"),
        ("c.csv", CSV.encode("cp1252"), 'encoding="cp1252" reads'),
        ("c.csv", CSV.replace("é", "\x81\xe9").encode("latin1"), "the parameter encoding names another one"),
        ("c.jsonl", b"\xff\xfe{\x00\x00", "text in the encoding utf-16-le"),
        ("c.json", b'{"phone": 1}\n{"phone": 2}\n', r"a file with an object per line ends in \.jsonl"),
        ("c.json", b'{"phone": {"0": "1"}}', r"a JSON array of objects \(pandas: to_json\(orient='records'\)\)"),
        ("c.jsonl", b'[{"phone": 1},\n{"phone": 2}]\n', r"not JSON \(an array's file ends in \.json\)"),
        ("c.csv", b'[{"phone": "1"}]', r"a header, got JSON \(its name ends in \.json, or \.jsonl"),
        ("c.csv", b'{"phone": "1"}\n{"phone": "2"}\n', r"a header, got JSON"),
        ("c.csv", gzip.compress(b"x", mtime=0), r"got a gzip file, whose name ends in \.gz"),
        ("c.jsonl", gzip.compress(b"x", mtime=0), r"got a gzip file, whose name ends in \.gz"),
        ("c.csv", b"PK\3\4\0\0", r"an Excel workbook, whose name ends in \.zip or \.xlsx"),
        ("c.csv", b"PAR1\x15\0", r"a Parquet file, whose name ends in \.parquet"),
        ("c.csv", b"\xd0\xcf\x11\xe0", r"an old Excel workbook, .*save it as \.xlsx or \.csv"),
        ("c.csv", bz2.compress(b"x"), r"packed by bzip2: unpack it"),
        ("c.csv.gz", gzip.compress(b"PK\3\4\0\0", mtime=0), r"a zip archive or an Excel workbook"),
        ("c.csv", b"\n<!DOCTYPE html>\n<html></html>", "such as the message of a server: fetch the list again"),
        ("c.csv", b'<?xml version="1.0"?><Error/>', "HTML or XML, such as the message of a server"),
        ("c.xls", b"x", r"got .*c\.xls \(save it as \.xlsx or \.csv\)"),
        ("c.feather", b"x", r"c\.feather \(write it as \.parquet\)"),
        ("c.csv.zst", b"x", r"c\.csv\.zst \(unpack it, or pack it as \.gz\)"),
        ("c.tar.gz", gzip.compress(b"x", mtime=0), r"c\.tar\.gz \(unpack it: a folder of files is read as a whole\)"),
        ("c.csv", pd.DataFrame({"phone": ["1"]}).to_csv(), r"pandas writes its index first .* index=False"),
    ],
)
def test_a_file_that_is_refused_names_the_cure(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = file_with(tmp_path, name, content)
    with pytest.raises(InputError, match=message) as caught:
        list(open_source(path).rows_with([("phone",)]))
    assert "+447700900000" not in str(caught.value)


def test_an_encoding_that_needs_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", CSV.encode("utf-16-le"))
    with pytest.raises(InputError, match=r"in the encoding utf-16, got .*[Ss]tream does not start with BOM"):
        open_source(path, options=Options("utf-16"))


@pytest.mark.parametrize(
    ("contacts", "message"),
    [
        ("~/leads.csv", "a path from / on, or a URL, got ~/leads.csv"),
        ({"phone": {"0": "1"}}, r"a list of dicts, .* got dict .*to_dict\('records'\)"),
        (pl.LazyFrame({"phone": ["1"]}), r"got LazyFrame \(call its collect\(\) first\)"),
        (pd.DataFrame([["1", "2"]], columns=["phone", "phone"]), "each column once, got 'phone' more than once"),
    ],
)
def test_what_is_refused_names_the_cure(contacts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(open_source(contacts).read())


@pytest.mark.parametrize("title", ["Leads of March,,\n\n", "# exported\n", "Customer\n"])
def test_what_stands_above_a_header_is_refused(tmp_path: Path, title: str) -> None:
    path = file_with(tmp_path, "contacts.csv", title + CSV)
    with pytest.raises(InputError, match=r"no row fits them: the first row that is not blank has to be the header"):
        open_source(path).rows_with([("phone",)])


def test_blanks_around_a_path_are_those_of_a_template(tmp_path: Path) -> None:
    assert fields(open_source(f"\n {file_with(tmp_path, 'contacts.csv', CSV)} \n")) == ROWS


def test_what_a_reader_does_not_see_is_no_part_of_a_column_name(tmp_path: Path) -> None:
    reading = Reading(AcmeSend(), None)
    source = open_source(file_with(tmp_path, "contacts.csv", f"\u00a0Phone\u200b,name\n{phones(1)[0]},x\n"))

    assert check(reading, source).nobody is None


def test_rows_that_excel_hides_are_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    WRITERS["two_sheets.xlsx"](tmp_path / "c.xlsx")
    with caplog.at_level(logging.INFO):
        list(open_source(tmp_path / "c.xlsx").read())

    assert "rows that Excel hides, as by a filter, are read, too, the first of 2 sheets" in caplog.text


def test_zip_archives_that_are_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "two.zip", ("a.csv", b"phone\n1\n"), ("b.csv", b"phone\n2\n"))
    with pytest.raises(InputError, match=r"one file in it \(several files: a folder of them, .*\), got 2 files"):
        open_source(tmp_path / "two.zip")

    zipped(tmp_path / "secret.zip", ("a.csv", CSV.encode()))
    content = bytearray((tmp_path / "secret.zip").read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(InputError, match="without a password, got an encrypted one"):
        open_source(tmp_path / "secret.zip")

    content = bytearray((tmp_path / "two.zip").read_bytes())
    zipped(tmp_path / "damaged.zip", ("a.csv", CSV.encode()))
    content = bytearray((tmp_path / "damaged.zip").read_bytes())
    content[content.index(b"+44")] ^= 1
    (tmp_path / "damaged.zip").write_bytes(content)
    with pytest.raises(InputError, match="a whole zip archive, got one that is damaged"):
        list(open_source(tmp_path / "damaged.zip").read())


@pytest.mark.parametrize("odd", [".", "/", "./"])
def test_members_of_a_zip_archive_without_a_name_are_no_files(tmp_path: Path, odd: str) -> None:
    zipped(tmp_path / "c.zip", (odd, b""), ("c.csv", CSV.encode()))

    assert fields(open_source(tmp_path / "c.zip")) == ROWS


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        pytest.param(6, 255, "a zip archive, got another file, or a damaged one", id="of a later version"),
        pytest.param(10, ZIP_LZMA, "got one packed by another method", id="packed by LZMA"),
        pytest.param(10, 97, "got one packed by another method", id="packed by a method that nobody has"),
    ],
)
def test_a_zip_archive_that_cannot_be_unpacked(tmp_path: Path, position: int, value: int, message: str) -> None:
    for name, member, expected in (
        ("c.zip", "c.csv", message),
        ("c.xlsx", "[Content_Types].xml", r"an Excel workbook \(\.xlsx\) without a password"),
    ):
        zipped(tmp_path / name, (member, CSV.encode()))
        content = bytearray((tmp_path / name).read_bytes())
        content[content.index(b"PK\1\2") + position] = value
        (tmp_path / name).write_bytes(content)

        with pytest.raises(InputError, match=expected):
            open_source(tmp_path / name)


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.jsonl.gz", "bomb.txt.gz"])
def test_a_bomb_is_neither_unpacked_as_a_whole_nor_read_as_one_line(tmp_path: Path, name: str) -> None:
    with gzip.open(tmp_path / name, "wb") as file:
        file.write(b"phone\n")
        for _ in range(40):
            file.write(b" " * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="expected lines of at most 10,000,000 bytes, got a longer one"):
            list(open_source(tmp_path / name).read())
        assert tracemalloc.get_traced_memory()[1] < 6 * utf8.LONGEST_LINE
    finally:
        tracemalloc.stop()


def test_a_record_of_many_lines_is_not_read_as_a_whole(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"phone,name\n")
        for _ in range(40):
            file.write(b'"\nab",' * 100_000)
    source = open_source(tmp_path / "bomb.csv.gz")
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="expected rows of at most 2,000,000 characters, got a longer one"):
            list(source.read())
        assert tracemalloc.get_traced_memory()[1] < 40 * csv_file.LONGEST_RECORD
    finally:
        tracemalloc.stop()


def test_a_record_of_many_lines_may_be_long(tmp_path: Path) -> None:
    note = "line\n" * 100_000
    path = file_with(tmp_path, "c.csv", f'phone,name,more\n+447700900000,"{note}","{note}"\n+447700900001,B,C\n')

    assert [row["name"] for row in fields(open_source(path))] == [note, "B"]


def test_rows_that_are_no_csv_are_no_long_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "LONGEST_RECORD", 100)
    path = file_with(tmp_path, "c.csv", "phone,name\n" + '+447700900000,"a"b\n' * 50 + "\n" * 200 + "+447700900001,B\n")

    assert [number for number, problem in problems(open_source(path)) if not problem] == [51]


@pytest.mark.timeout(20)
def test_a_header_of_many_columns_takes_no_more_time_than_its_length(tmp_path: Path) -> None:
    names = ",".join(f"column{number}" for number in range(50_000))
    source = open_source(file_with(tmp_path, "c.csv", f"{names}\n{names}\n"))

    with pytest.raises(InputError, match="a column 'phone'"):
        source.rows_with([("phone",)])
    with pytest.raises(InputError, match="each column once, got 'column7' more than once"):
        open_source(file_with(tmp_path, "c.csv", f"{names},column7\n"))


def test_an_array_is_kept_in_memory_and_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "LARGEST_ARRAY", 20)
    with pytest.raises(InputError, match=r"at most 20 characters \(\.jsonl files, .*\), got more"):
        list(open_source(file_with(tmp_path, "c.json", "[" + " " * 30 + "]")).read())
