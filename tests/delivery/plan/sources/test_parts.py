"""Folders, patterns and lists of part files are one source; a part that is changed is seen."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.preflight import check
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.forms import CSV, LINES, ROWS, numbered, write_parts
from tests.delivery.plan.sources.reading import file_with
from tests.delivery.world import AcmeSend, phones

MANY_ROWS = int(os.environ.get("MANY_ROWS", "40_000"))


@pytest.mark.parametrize("url", [False, True])
@pytest.mark.parametrize("pattern", ["", "/", "/part-*.csv", "/part-0000?.csv", "/../*/part-0000[0-9].csv"])
def test_rows_are_numbered_over_all_parts(tmp_path: Path, bucket: str, pattern: str, url: bool) -> None:
    folder = tmp_path / "leads.csv"
    write_parts(folder, "phone,a\n1,\n2,\n", "a,phone\n,3\n", "phone,a\n", "", "phone,a\n4,\n")
    for name in ("_SUCCESS", ".part-00000.csv.crc"):
        (folder / name).write_text("no contacts")
    if url:
        for path in folder.iterdir():
            with locate(f"{bucket}/leads.csv/{path.name}").open("wb") as file:
                file.write(path.read_bytes())
    if url and ".." in pattern:
        pattern = "/part-*"

    source = open_source(f"{bucket if url else tmp_path}/leads.csv{pattern}")

    assert numbered(source) == numbered(source) == [(1, "1"), (2, "2"), (3, "3"), (4, "4")]
    assert source.count
    assert source.count() == 4
    assert source.name.endswith("5 files)")


def test_parts_may_be_of_several_forms(tmp_path: Path) -> None:
    paths = [file_with(tmp_path, "b.jsonl", LINES), file_with(tmp_path, "a.csv", CSV.replace("4477", "4478"))]

    source = open_source(paths)

    assert [phone for _, phone in numbered(source)] == [
        ROWS[0]["phone"],
        ROWS[1]["phone"],
        "+447800900000",
        "+447800900001",
    ]
    assert source.columns is None
    assert source.count is None


def test_a_list_of_folders_and_files(tmp_path: Path) -> None:
    write_parts(tmp_path / "a", "phone\n1\n", "phone\n2\n")
    paths = [f"{tmp_path}/a/", file_with(tmp_path, "b.csv", "phone\n3\n")]
    assert numbered(open_source(paths)) == [(1, "1"), (2, "2"), (3, "3")]


def test_persons_in_a_list_of_opt_outs_are_no_paths() -> None:
    opt_outs = ["crm/17", "a@example.zip", "17"]
    assert [next(iter(row.fields.values())) for row in open_source(opt_outs, "exclude", plain=True).read()] == opt_outs


@pytest.mark.parametrize(
    ("make", "path", "message"),
    [
        (
            lambda folder: write_parts(folder, "phone,a\n1,2\n", "phone\n2\n"),
            "",
            "columns of .*'phone', 'a', got columns",
        ),
        (lambda folder: write_parts(folder / "2026", "phone\n"), "", r"a pattern such as folder/\*/\*\.csv.*'2026'"),
        (Path.mkdir, "", "expected files to read, got none"),
        (lambda folder: write_parts(folder, "phone\n1\n"), "/*.jsonl", "expected files to read, got none"),
        (lambda folder: write_parts(folder, "phone\n1\n", suffix="crc"), "", "a file that ends in"),
        (lambda folder: write_parts(folder, "", ""), "", "a header and at least one contact, got an empty file"),
        (Path.mkdir, "/none/*.csv", "a path that can be read, got No such file"),
    ],
)
def test_parts_that_are_refused(tmp_path: Path, make: Callable[[Path], Any], path: str, message: str) -> None:
    folder = tmp_path / "leads"
    make(folder)
    with pytest.raises(InputError, match=message):
        open_source(f"{folder}{path}")


def test_nothing_outside_the_roots_is_listed_or_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("root", "outside"):
        write_parts(tmp_path / name, "phone\n1\n")
    (tmp_path / "root" / "part-00001.csv").symlink_to(tmp_path / "outside" / "part-00000.csv")
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__CONTACTS_ROOTS", str(tmp_path / "root"))
    for path in ("outside", "outside/*.csv", "*/part-00000.csv", "root", "root/../outside/*"):
        with pytest.raises(InputError, match="expected a path or URL below one of"):
            open_source(f"{tmp_path}/{path}")
    assert numbered(open_source(f"{tmp_path}/root/*0.csv")) == [(1, "1")]


def test_a_part_that_is_changed_meanwhile_stops_everything(tmp_path: Path) -> None:
    write_parts(tmp_path / "leads", "phone\n1\n", "phone\n2\n")
    source = open_source(tmp_path / "leads")
    assert len(numbered(source)) == 2

    (tmp_path / "leads" / "part-00001.csv").write_text("phone\n3\n")

    with pytest.raises(InputError, match=r"part-00001\.csv\).*the same file as long as it is being sent"):
        numbered(source)


def test_a_part_that_is_changed_between_tries_has_another_fingerprint(tmp_path: Path) -> None:
    def fingerprint() -> str:
        return check(Reading(AcmeSend()), open_source(tmp_path / "leads"), 3).fingerprint

    one, two, three, other = (f"phone\n{phone}\n" for phone in phones(4))
    write_parts(tmp_path / "leads", one, two, three)
    first = fingerprint()
    write_parts(tmp_path / "leads", one, two, three, other)
    assert fingerprint() == first, "rows at the end may be added"
    write_parts(tmp_path / "leads", one, other, three)
    assert fingerprint() != first


# -- many


@pytest.mark.slow
def test_many_packed_rows_in_one_file_and_in_forty_in_flat_memory(tmp_path: Path) -> None:
    """``make integration`` reads a million."""
    parts, rows = 40, MANY_ROWS // 40

    def peak(pattern: str, rows: int) -> int:
        tracemalloc.start()
        try:
            source = open_source(f"{tmp_path}/{pattern}.csv.gz")
            assert check(Reading(AcmeSend()), source).rows == rows
            assert sum(1 for _ in source.read()) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with gzip.open(tmp_path / "all.csv.gz", "wt", 1) as everybody:
        everybody.write("phone,name\n")
        for part in range(parts):
            lines = "".join(f"{phone},Jo\n" for phone in phones(rows, part * rows))
            everybody.write(lines)
            (tmp_path / f"part-{part:02}.csv.gz").write_bytes(gzip.compress(f"phone,name\n{lines}".encode(), 1))
    limit = 1.5 * peak("part-00", rows)
    assert peak("part-*", MANY_ROWS) < limit
    assert peak("all", MANY_ROWS) < limit
