"""Contacts come out of JSON lines and JSON arrays, or it is said what is wrong, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_campaigns.delivery.plan.sources import Row, open_source
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import JO, fields, file_with, problems


@pytest.mark.parametrize("name", ["contacts.jsonl", "contacts.ndjson", "CONTACTS.JSONL"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    lines = [json.dumps(JO), "", '{"phone": 7, "tags": ["a"], "name": "Zo\u00eb\\u2028"}', "  "]

    source = open_source(file_with(tmp_path, name, "\n".join(lines)))

    assert source.columns is None
    assert fields(source) == [JO, {"phone": 7, "tags": ["a"], "name": "Zo\u00eb\u2028"}]


def test_files_of_json_lines_may_be_put_together_with_their_byte_order_marks(tmp_path: Path) -> None:
    content = f"\ufeff{json.dumps(JO)}\n".encode() * 2

    assert fields(open_source(file_with(tmp_path, "contacts.jsonl", content))) == [JO, JO]


def test_lines_that_are_no_json_objects_are_invalid_and_the_others_are_not(tmp_path: Path) -> None:
    deep = "[" * 100_000
    lines = ['{"phone": "1"}', '{"phone": ', "", "[1]", '"text"', deep, '{"phone": "2"}']

    source = open_source(file_with(tmp_path, "contacts.jsonl", "\n".join(lines)))

    assert problems(source) == [
        (1, None),
        (2, "not JSON"),
        (3, "expected an object, got list"),
        (4, "expected an object, got str"),
        (5, "not JSON (an array's file ends in .json)"),
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
        pytest.param('{"phone": "1"}', r"a JSON array of objects .*, got one object with 'phone'", id="an object"),
        pytest.param('[{"phone": "1"}', "ends in .jsonl\\), got no JSON", id="cut off"),
        pytest.param("", "ends in .jsonl\\), got no JSON", id="empty"),
        pytest.param("[" * 100_000, "ends in .jsonl\\), got no JSON", id="too deep"),
        pytest.param('["\u00e9"]'.encode("latin-1"), "expected UTF-8 text", id="latin-1"),
    ],
)
def test_json_that_is_no_array(tmp_path: Path, content: str | bytes, message: str) -> None:
    source = open_source(file_with(tmp_path, "contacts.json", content))

    with pytest.raises(InputError, match=message):
        list(source.read())
