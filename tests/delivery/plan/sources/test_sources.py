"""Contacts may be a list or a path; columns that must be there are looked for, and named when they are not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.plan.sources.rows import PLAIN, ROWS_TO_KNOW_COLUMNS
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import JO, fields, file_with, problems

# -- paths and URLs


@pytest.mark.parametrize("name", ["contacts.csv", "contacts.jsonl", "contacts.json"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="expected a file that can be read, got No such file"):
        list(open_source(str(tmp_path / name)).read())


@pytest.mark.parametrize("path", ["contacts.xls", "contacts", "contacts.gz", "contacts.csv.bz2", "", " "])
def test_a_file_of_another_kind(path: str) -> None:
    with pytest.raises(InputError, match=r"contacts: expected a file that ends in \.csv, \.tsv, .*\.xlsx, .* or \.zip"):
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
        list(open_source(url).read())


@pytest.mark.parametrize("url", ["nowhere://bucket/contacts.csv", "nowhere://bucket/contacts.json"])
def test_a_url_nobody_can_open(url: str) -> None:
    with pytest.raises(InputError, match="expected a path, or a URL whose provider is installed"):
        list(open_source(url).read())


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
    assert source.columns is None


def test_items_that_are_no_dicts_are_invalid(tmp_path: Path) -> None:
    source = open_source([JO, "+447700900000", None, {1: "a"}])

    assert problems(source)[1:3] == [(2, "expected an object, got str"), (3, "expected an object, got NoneType")]
    assert fields(source)[3] == {"1": "a"}


def test_plain_items_become_rows_where_they_are_allowed(tmp_path: Path) -> None:
    path = file_with(tmp_path, "opt_outs.json", '["+447700900000", 447700900001, null]')

    source = open_source(path, "exclude", plain=True)

    assert fields(source)[:2] == [{PLAIN: "+447700900000"}, {PLAIN: 447700900001}]
    assert problems(source)[2] == (3, "expected an object, got NoneType")


@pytest.mark.parametrize("contacts", [JO, 5, None, object()])
def test_neither_a_list_nor_a_path(contacts: Any) -> None:
    with pytest.raises(InputError, match=f"a list of dicts, a path or URL, or a table, got {type(contacts).__name__}"):
        open_source(contacts)


@pytest.mark.parametrize(
    "text", ["[{'phone': '+447700900000'}]", "[object", "[" * 100_000], ids=["repr", "cut", "deep"]
)
def test_a_list_rendered_into_text_is_an_error_that_says_how_to_keep_a_list(text: str) -> None:
    with pytest.raises(InputError, match=r"\| tojson`") as caught:
        open_source(text)

    assert "+447700900000" not in str(caught.value)


# -- columns that must be there


def test_what_is_required_is_there() -> None:
    open_source([{"email": "jo@example.com"}, JO]).rows_with([("phone", "mobile"), ("email",)])


def test_the_error_names_the_columns_that_are_there(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", "tel,name\n1,Jo\n")

    with pytest.raises(InputError, match="expected a column 'phone' or 'mobile', got columns 'tel', 'name'"):
        open_source(path).rows_with([("name",), ("phone", "mobile")])


@pytest.mark.parametrize("content", ["phone\n", "phone\n\n\n"])
def test_a_header_alone_is_no_contact(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError, match="expected at least one contact, got none"):
        open_source(file_with(tmp_path, "contacts.csv", content)).rows_with([("phone",)])


@pytest.mark.parametrize(("name", "content"), [("c.jsonl", ""), ("c.json", "[]")])
def test_no_contacts_at_all(tmp_path: Path, name: str, content: str) -> None:
    for source in (open_source(file_with(tmp_path, name, content)), open_source([])):
        with pytest.raises(InputError, match="expected at least one contact, got none"):
            source.rows_with([])


def test_rows_none_of_which_can_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected rows that can be read, got row 1: expected an object, got str"):
        open_source(["+447700900000", "+447700900001"]).rows_with([("phone",)])


def test_only_the_first_rows_of_a_source_without_a_header_are_looked_at() -> None:
    late = [{"email": "jo@example.com"}] * ROWS_TO_KNOW_COLUMNS + [JO]

    with pytest.raises(InputError, match="a column 'phone'"):
        open_source(late).rows_with([("phone",)])


def test_no_contact_shows_in_the_repr_of_a_row() -> None:
    assert "447700900000" not in repr(next(open_source([JO]).read()))
