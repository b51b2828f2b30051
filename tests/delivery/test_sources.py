"""Contacts come out of a list or a file exactly as they stand there, or it is said what is wrong, and where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_campaigns.delivery.sources import LONGEST_FIELD, ROWS_TO_KNOW_COLUMNS, Row, open_source
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError

JO = {"phone": "+447700900000", "name": "Jo"}


def fields(source: Any) -> list[dict[str, Any]]:
    return [dict(row.fields) for row in source.read()]


def problems(source: Any) -> list[tuple[int, str | None]]:
    return [(row.number, row.problem) for row in source.read()]


def file_with(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


# -- CSV


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
    ("content", "message"),
    [
        pytest.param("", "expected a header and at least one contact, got an empty file", id="empty"),
        pytest.param("\n\n", "expected a header and at least one contact", id="only empty lines"),
        pytest.param("a,b,a\n1,2,3\n", "expected each column once, got 'a' more than once", id="repeated column"),
        pytest.param(",a\n0,1\n", "expected a name for each column, got columns '', 'a'", id="column without a name"),
        pytest.param("caf\u00e9,b\n".encode("latin-1"), "expected UTF-8 text", id="latin-1 header"),
        pytest.param("a\n1\n".encode("utf-16"), "expected UTF-8 text", id="UTF-16"),
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
        pytest.param('a,b\n"1"x,2\n', "row 1: ", id="text after a quote"),
        pytest.param(f'a,b\n1,"{"x" * (LONGEST_FIELD + 1)}"\n', "row 1: field larger than", id="an endless field"),
    ],
)
def test_csv_that_cannot_be_read_to_its_end(tmp_path: Path, content: str | bytes, message: str) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", content))

    with pytest.raises(InputError, match=message):
        source.count()


# -- JSON


@pytest.mark.parametrize("name", ["contacts.jsonl", "contacts.ndjson", "CONTACTS.JSONL"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    lines = [json.dumps(JO), "", '{"phone": 7, "tags": ["a"], "name": "Zo\u00eb\\u2028"}', "  "]

    source = open_source(file_with(tmp_path, name, "\n".join(lines)))

    assert source.columns is None
    assert fields(source) == [JO, {"phone": 7, "tags": ["a"], "name": "Zo\u00eb\u2028"}]


def test_lines_that_are_no_json_objects_are_invalid_and_the_others_are_not(tmp_path: Path) -> None:
    deep = "[" * 100_000
    lines = ['{"phone": "1"}', '{"phone": ', "", "[1]", '"text"', deep, '{"phone": "2"}']

    source = open_source(file_with(tmp_path, "contacts.jsonl", "\n".join(lines)))

    assert problems(source) == [
        (1, None),
        (2, "not JSON"),
        (3, "expected an object, got list"),
        (4, "expected an object, got str"),
        (5, "not JSON"),
        (6, None),
    ]


@pytest.mark.parametrize("name", ["contacts.json", "Contacts.JSON"])
def test_a_json_array(tmp_path: Path, name: str) -> None:
    source = open_source(file_with(tmp_path, name, "\ufeff" + json.dumps([JO, 7])))

    assert [row.number for row in source.read()] == [1, 2]
    assert list(source.read()) == [Row(1, JO), Row(2, {}, "expected an object, got int")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param('{"phone": "1"}', "expected a JSON array of objects, got dict", id="an object"),
        pytest.param('[{"phone": "1"}', "expected a JSON array of objects, got no JSON", id="cut off"),
        pytest.param("", "expected a JSON array of objects, got no JSON", id="empty"),
        pytest.param("[" * 100_000, "expected a JSON array of objects, got no JSON", id="too deep"),
        pytest.param('["\u00e9"]'.encode("latin-1"), "expected UTF-8 text", id="latin-1"),
    ],
)
def test_json_that_is_no_array(tmp_path: Path, content: str | bytes, message: str) -> None:
    source = open_source(file_with(tmp_path, "contacts.json", content))

    with pytest.raises(InputError, match=message):
        source.count()


# -- paths and URLs


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.jsonl", "contacts.json"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a file that can be read, got No such file"):
        open_source(str(tmp_path / name)).count()


@pytest.mark.parametrize("path", ["contacts.txt", "contacts", "s3://bucket/contacts.xlsx", ""])
def test_a_file_of_another_kind(path: str) -> None:
    with pytest.raises(InputError, match=r"contacts: expected a file that ends in \.csv, \.jsonl"):
        open_source(path)


@pytest.mark.parametrize("spelling", [str, Path, "file://{}".format, ObjectStoragePath], ids=lambda kind: kind.__name__)
def test_a_path_may_be_text_an_object_or_a_file_url(tmp_path: Path, spelling: Any) -> None:
    path = file_with(tmp_path, "contacts.csv", "phone,name\n+447700900000,Jo\n")

    assert fields(open_source(spelling(path))) == [JO]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("contacts.csv", 'phone,name\n"+447700900000",Jo\n'),
        ("contacts.jsonl", json.dumps(JO)),
        ("contacts.json", json.dumps([JO])),
    ],
)
def test_object_storage(bucket: str, name: str, content: str) -> None:
    url = f"{bucket}/{name}"
    with locate(url).open("wb") as file:
        file.write(content.encode())

    assert fields(open_source(url)) == [JO]
    assert fields(open_source(ObjectStoragePath(url))) == [JO]


@pytest.mark.parametrize("url", ["memory://bucket/none.csv", "memory://bucket/none.jsonl"])
def test_object_storage_without_the_file(bucket: str, url: str) -> None:
    with pytest.raises(InputError, match="expected a file that can be read"):
        open_source(url).count()


@pytest.mark.parametrize("url", ["nowhere://bucket/contacts.csv", "nowhere://bucket/contacts.json"])
def test_a_url_nobody_can_open(url: str) -> None:
    with pytest.raises(InputError, match="expected a path, or a URL whose provider is installed"):
        open_source(url).count()


# -- lists


class Upstream(Sequence[Any]):
    """What ``XComArg.output`` of mapped tasks becomes: a sequence that fetches each item when it is asked for."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]


def generated() -> Iterator[dict[str, str]]:
    yield JO


@pytest.mark.parametrize(
    "contacts", [[JO], (JO,), generated(), Upstream(JO), json.dumps([JO]), f"  {json.dumps([JO])}"]
)
def test_a_list_in_any_form_is_read_as_often_as_needed(contacts: Any) -> None:
    source = open_source(contacts)

    assert fields(source) == [JO]
    assert fields(source) == [JO]
    assert source.count() == 1
    assert source.columns is None


def test_items_that_are_no_dicts_are_invalid(tmp_path: Path) -> None:
    source = open_source([JO, "+447700900000", None, {1: "a"}])

    assert problems(source)[1:3] == [(2, "expected an object, got str"), (3, "expected an object, got NoneType")]
    assert fields(source)[3] == {"1": "a"}


def test_plain_items_become_rows_where_they_are_allowed(tmp_path: Path) -> None:
    path = file_with(tmp_path, "opt_outs.json", '["+447700900000", 447700900001, null]')

    source = open_source(path, "exclude", plain=True)

    assert fields(source)[:2] == [{"contact": "+447700900000"}, {"contact": 447700900001}]
    assert problems(source)[2] == (3, "expected an object, got NoneType")


@pytest.mark.parametrize("contacts", [JO, 5, None, object()])
def test_neither_a_list_nor_a_path(contacts: Any) -> None:
    with pytest.raises(InputError, match=f"a list of dicts, or a path or URL, got {type(contacts).__name__}"):
        open_source(contacts)


@pytest.mark.parametrize(
    "text", ["[{'phone': '+447700900000'}]", "[object", "[" * 100_000], ids=["repr", "cut", "deep"]
)
def test_a_list_rendered_into_text_is_told_how_to_stay_a_list(text: str) -> None:
    with pytest.raises(InputError, match="render_template_as_native_obj=True") as caught:
        open_source(text)

    assert "+447700900000" not in str(caught.value)


# -- columns that must be there


def test_what_is_required_is_there() -> None:
    open_source([{"email": "jo@example.com"}, JO]).require([("phone", "mobile"), ("email",)])


def test_the_error_names_the_columns_that_are_there(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", "tel,name\n1,Jo\n")

    with pytest.raises(InputError, match="expected a column 'phone' or 'mobile', got columns 'tel', 'name'"):
        open_source(path).require([("name",), ("phone", "mobile")])


@pytest.mark.parametrize("content", ["phone\n", "phone\n\n\n"])
def test_a_header_alone_is_no_contact(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="expected at least one contact, got none"):
        open_source(file_with(tmp_path, "contacts.csv", content)).require([("phone",)])


@pytest.mark.parametrize(("name", "content"), [("c.jsonl", ""), ("c.json", "[]")])
def test_no_contacts_at_all(tmp_path: Path, name: str, content: str) -> None:
    for source in (open_source(file_with(tmp_path, name, content)), open_source([])):
        with pytest.raises(InputError, match="expected at least one contact, got none"):
            source.require([])


def test_rows_none_of_which_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected rows that can be read, got row 1: expected an object, got str"):
        open_source(["+447700900000", "+447700900001"]).require([("phone",)])


def test_only_the_first_rows_of_a_source_without_a_header_are_looked_at() -> None:
    late = [{"email": "jo@example.com"}] * ROWS_TO_KNOW_COLUMNS + [JO]

    with pytest.raises(InputError, match="a column 'phone'"):
        open_source(late).require([("phone",)])


def test_no_contact_shows_in_the_repr_of_a_row() -> None:
    assert "447700900000" not in repr(next(open_source([JO]).read()))
