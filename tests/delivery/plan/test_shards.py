"""Contacts are cut by person: the same person in the same shard, whatever the spelling, the order, and the crash."""

from __future__ import annotations

import json
import random
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery import shard_contacts
from airflow_provider_campaigns.delivery.plan import shards as module
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.storage import locate, write_whole
from airflow_provider_campaigns.exceptions import InputError, LedgerError, NoContactsError
from tests.delivery.plan.sources.reading import file_with

PEOPLE = [{"phone": f"+4477009{number:05}", "name": f"Person {number}"} for number in range(200)]


@pytest.fixture(params=["local", "object storage"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "shards") if request.param == "local" else request.getfixturevalue("bucket")


def cut(contacts: Any, folder: Any, shards: int = 4, **options: Any) -> list[str]:
    return shard_contacts(contacts, shards=shards, folder=folder, **{"key": "phone", **options})


def rows(path: str) -> list[Any]:
    return [dict(row.fields) for row in open_source(path).read()]


def content(paths: Sequence[str]) -> list[list[Any]]:
    return [rows(path) for path in paths]


def shuffled(people: Sequence[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(people, len(people))


# -- who is in which shard


def test_everybody_is_in_one_shard_in_the_order_of_the_source(folder: str) -> None:
    paths = cut(PEOPLE, folder)

    assert [path.rpartition("/")[2].rpartition("-")[0] for path in paths] == [f"shard-{n}-of-4" for n in (1, 2, 3, 4)]
    found = content(paths)
    assert sorted((row for shard in found for row in shard), key=PEOPLE.index) == PEOPLE
    assert all(shard == sorted(shard, key=PEOPLE.index) for shard in found)
    assert all(30 <= len(shard) <= 70 for shard in found), "a hash spreads them"


@pytest.mark.parametrize(
    ("key", "region", "spellings"),
    [
        (
            "phone",
            None,
            ["+447700900001", "00447700900001", " +44 7700-900 001 ", "'+447700900001", "tel:+447700900001"],
        ),
        ("phone", "IN", ["+919000000001", "09000000001", 9000000001, 9000000001.0, "९००००००००१"]),
        ("email", None, ["jo@example.com", "Jo <JO@EXAMPLE.COM>", "mailto:jo@example.com", "\u200bjo@example.com"]),
        ("id", None, ["customer-7", " customer-7\u200b"]),
        ("id", None, [12, "12", 12.0]),
        ("nobody", None, [None, "", "  ", float("nan")]),
    ],
)
def test_all_spellings_of_a_person_are_in_one_shard(
    tmp_path: Path, key: str, region: str | None, spellings: list[Any]
) -> None:
    people = [{key: value, "same": True} for value in spellings]
    if key == "nobody":
        people = [{key: None, "same": True}] * 3
    (path,) = cut(people, tmp_path, 1000, key=key, region=region)
    assert len(rows(path)) == len(people)


def test_of_several_columns_the_first_that_is_not_blank_counts(tmp_path: Path) -> None:
    people = [
        {"email": "jo@example.com", "id": 1},
        {"email": "Jo@example.com", "id": 2},
        {"email": "", "id": 3},
        {"id": "3"},
    ]
    paths = cut(people, tmp_path, 1000, key=["email", "id"])
    assert sorted(content(paths), key=str) == sorted([people[:2], people[2:]], key=str)


def test_a_column_in_another_spelling_is_found(tmp_path: Path) -> None:
    people = [{"Phone": "+447700900001"}, {"Phone": "00447700900001"}]
    (path,) = cut(people, tmp_path, 1000)
    assert rows(path) == people


def test_values_come_through_as_they_are(tmp_path: Path) -> None:
    person = {"phone": "+447700900001", "age": 31, "tags": ["a", {"b": None}], "name": 'Zoë "Z", \n'}
    (path,) = cut([person], tmp_path)
    assert rows(path) == [person]


# -- where they come from


def test_any_source_is_cut_alike(tmp_path: Path) -> None:
    csv = "phone,name\n" + "".join(f"{person['phone']},{person['name']}\n" for person in PEOPLE)
    sources = {
        "list": PEOPLE,
        "generator": (person for person in PEOPLE),
        "csv": str(file_with(tmp_path, "contacts.csv", csv)),
        "semicolons": str(file_with(tmp_path, "other.csv", csv.replace(",", ";"))),
        "lines": str(file_with(tmp_path, "contacts.jsonl", "\n".join(map(json.dumps, PEOPLE)))),
    }
    found = {name: content(cut(source, tmp_path / name)) for name, source in sources.items()}
    assert all(one == found["list"] for one in found.values())


def test_a_query_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(tmp_path / "crm.db")) as crm:
        crm.execute("CREATE TABLE people (phone TEXT, name TEXT)")
        crm.executemany("INSERT INTO people VALUES (:phone, :name)", PEOPLE)
        crm.commit()
    monkeypatch.setenv("AIRFLOW_CONN_CRM", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "crm.db")}))
    paths = shard_contacts(
        shards=4, folder=tmp_path / "sql", key="phone", sql="SELECT * FROM people", sql_conn_id="crm"
    )
    assert content(paths) == content(cut(PEOPLE, tmp_path / "list"))


def test_a_row_that_cannot_be_read_is_kept_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    contacts = file_with(tmp_path, "contacts.csv", "phone,name\n+447700900001,Jo\n1,2,3\n4,5,6\n")
    paths = cut(str(contacts), tmp_path / "shards", 1)
    found = list(open_source(paths[0]).read())
    assert [bool(row.problem) for row in found] == [False, True, True]
    assert "row 2 cannot be read: 3 values for 2 columns" in caplog.text
    assert "2 rows cannot be read" in caplog.text
    assert cut(str(contacts), tmp_path / "shards", 1) == paths


def test_values_that_json_cannot_hold_make_a_row_that_cannot_be_read(tmp_path: Path) -> None:
    (path,) = cut([{"phone": "+447700900001", "name": object()}], tmp_path)
    assert [row.problem is not None for row in open_source(path).read()] == [True]


# -- again


def test_a_retry_returns_the_same_files_and_writes_nothing(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = cut(PEOPLE, folder)

    monkeypatch.setattr(module, "write_whole", None)
    assert cut(PEOPLE, folder) == paths


@pytest.mark.parametrize("seed", range(3))
def test_a_shuffled_source_gives_the_same_files(folder: str, seed: int) -> None:
    repeated = [*PEOPLE, {"phone": PEOPLE[3]["phone"], "name": "Again"}]
    paths = cut(repeated, folder)
    again = shuffled(repeated, seed)
    assert cut(again, folder) == paths or [[row["phone"] for row in shard] for shard in content(paths)] == [
        [row["phone"] for row in shard] for shard in content(cut(again, folder))
    ]


def test_without_repeats_a_shuffled_source_changes_nothing(folder: str) -> None:
    paths = cut(PEOPLE, folder)
    assert cut(shuffled(PEOPLE, 1), folder) == paths


def test_added_rows_come_at_the_end_of_their_shards(folder: str) -> None:
    before = content(cut(PEOPLE[:150], folder))
    after = content(cut(shuffled(PEOPLE, 2), folder))
    assert [shard[: len(old)] for shard, old in zip(after, before, strict=True)] == before
    assert sorted((row for shard in after for row in shard), key=PEOPLE.index) == PEOPLE


def test_a_row_keeps_its_place_and_gets_its_new_columns(folder: str) -> None:
    before = content(cut(PEOPLE, folder))
    renamed = [{**person, "name": "New"} for person in PEOPLE]
    after = content(cut(shuffled(renamed, 3), folder))
    assert after == [[{**person, "name": "New"} for person in shard] for shard in before]


def test_a_shard_that_was_empty_comes_behind_the_others(tmp_path: Path) -> None:
    numbers = {path: rows(path) for path in cut(PEOPLE, tmp_path / "all")}
    first, *others = numbers.values()
    few = cut([row for shard in others for row in shard], tmp_path / "few")
    assert ["of-4" in path for path in few] == [True] * 3
    more = cut([row for shard in (first, *others) for row in shard], tmp_path / "few")
    assert more[:3] == few
    assert rows(more[3]) == first


def test_a_shard_that_everybody_was_taken_out_of_keeps_its_place(tmp_path: Path) -> None:
    before = cut(PEOPLE, tmp_path)
    others = [row for path in before[1:] for row in rows(path)]
    after = cut(others, tmp_path)
    assert after[1:] == before[1:]
    assert rows(after[0]) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shards": 5}, "shards: expected 4, as the shards in .* were cut with, got 5"),
        ({"key": ["phone", "name"]}, r"key: expected \['phone'\]"),
        ({"region": "IN"}, "region: expected None"),
    ],
)
def test_a_folder_that_was_cut_in_another_way_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    paths = cut(PEOPLE, tmp_path)
    with pytest.raises(InputError, match=message):
        cut(PEOPLE, tmp_path, **change)
    assert cut(PEOPLE, tmp_path) == paths


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"shards": 4}', '{"shards":4,"key":["phone"],"region":null,"files":[[0,"../x"]]}']
)
def test_a_manifest_that_is_damaged_is_an_error(tmp_path: Path, text: str) -> None:
    cut(PEOPLE, tmp_path)
    (tmp_path / module.MANIFEST).write_text(text)
    with pytest.raises(LedgerError, match="is damaged"):
        cut(PEOPLE, tmp_path)


def test_a_shard_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    paths = cut(PEOPLE, tmp_path)
    Path(paths[0]).write_text("no JSON\n")
    with pytest.raises(LedgerError, match=r"shard-1-of-4-.* is damaged"):
        cut(PEOPLE, tmp_path)


def test_a_lost_file_is_written_again(tmp_path: Path) -> None:
    paths = cut(PEOPLE, tmp_path)
    Path(paths[2]).unlink()
    assert cut(PEOPLE, tmp_path) == paths
    assert rows(paths[2])


# -- crashes


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("writes", range(5))
def test_a_crash_at_any_write_leaves_whole_files_and_the_next_try_the_same_ones(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    expected = [path.rpartition("/")[2] for path in cut(PEOPLE, tmp_path / "expected")]
    left = writes

    def dies(path: Any, lines: Any) -> None:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        write_whole(path, lines)

    monkeypatch.setattr(module, "write_whole", dies)
    with pytest.raises(Killed):
        cut(PEOPLE, folder)
    monkeypatch.undo()
    there = [path.name for path in locate(folder).iterdir()] if locate(folder).exists() else []
    assert sorted(there) == expected[:writes]

    assert [path.rpartition("/")[2] for path in cut(PEOPLE, folder)] == expected


def test_a_source_that_breaks_leaves_nothing(folder: str) -> None:
    def breaks() -> Iterator[Any]:
        yield from PEOPLE
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        cut(breaks(), folder)
    assert not locate(folder).exists() or not [*locate(folder).iterdir()]


def test_only_the_owner_can_read_what_is_written(tmp_path: Path) -> None:
    cut(PEOPLE, tmp_path / "new")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


# -- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shards": 0}, "shards: expected a whole number from 1"),
        ({"shards": None}, "shards: expected a whole number from 1"),
        ({"shards": "many"}, "shards: expected a whole number from 1"),
        ({"key": ""}, "key: expected the name of a column"),
        ({"key": []}, "key: expected the name of a column"),
        ({"key": [7]}, "key: expected the name of a column"),
        ({"key": "phne"}, "expected a column 'phne', got .*did you mean 'phone'"),
        ({"region": "XX"}, "region: expected a country of two letters"),
        ({"folder": " "}, "folder: expected a path or URL"),
        ({"contacts": None}, "contacts, sql: expected exactly one of them, got none"),
        ({"sql": "SELECT 1", "sql_conn_id": "crm"}, "contacts, sql: expected exactly one of them, got both"),
        ({"contacts": None, "sql": "SELECT 1"}, "sql_conn_id: expected the id of a connection"),
        ({"contacts": "none.csv"}, "expected a file that can be read"),
        ({"encoding": "klingon"}, "encoding: expected an encoding"),
        ({"delimiter": "::"}, "delimiter: expected one character"),
    ],
)
def test_a_mistake_is_named_before_anything_is_written(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    given = {"contacts": PEOPLE, "shards": 4, "folder": str(tmp_path / "new"), "key": "phone", **arguments}
    with pytest.raises(InputError, match=message):
        shard_contacts(given.pop("contacts"), **given)
    assert not (tmp_path / "new").exists()


def test_no_contacts_at_all_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoContactsError):
        cut([], tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder: expected a folder, path or URL, that can be written to"):
        cut(PEOPLE, tmp_path / "file" / "below")


def test_text_from_a_template_is_understood(tmp_path: Path) -> None:
    assert len(shard_contacts(PEOPLE, shards="4", folder=tmp_path, key="phone", region="", encoding="")) == 4  # type: ignore[arg-type]
