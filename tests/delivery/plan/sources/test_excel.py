"""Workbooks of Excel: their values, and those that would take all memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest
import xlsxwriter

from airflow_provider_campaigns.delivery.plan.sources import excel_file, open_source
from airflow_provider_campaigns.exceptions import InputError, NoContactsError
from tests.delivery.plan.sources.forms import WRITERS, by_openpyxl, zipped
from tests.delivery.plan.sources.reading import fields, problems


def test_values_of_excel_are_in_types_that_json_has(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    frame = pd.DataFrame(
        {
            "phone": [447700900206, 447700900207.0],
            "score": [1.5, None],
            "since": pd.to_datetime(["2026-03-01", None]),
            "vip": [True, False],
            2026: ["a", "b"],
        }
    )
    frame.to_excel(path, index=False)

    assert fields(open_source(path)) == [
        {"phone": 447700900206, "score": 1.5, "since": "2026-03-01", "vip": True, "2026": "a"},
        {"phone": 447700900207, "score": "", "since": "", "vip": False, "2026": "b"},
    ]


def test_a_row_of_excel_with_more_values_than_columns_is_invalid(tmp_path: Path) -> None:
    path = tmp_path / "contacts.xlsx"
    pd.DataFrame([["phone", None], ["1", "2"], ["3", None]]).to_excel(path, index=False, header=False)

    assert problems(open_source(path)) == [(1, "2 values for 1 columns"), (2, None)]


@pytest.mark.parametrize("rows", [[], [["", " "]]])
def test_an_empty_sheet(tmp_path: Path, rows: list[list[str]]) -> None:
    path = tmp_path / "contacts.xlsx"
    pd.DataFrame(rows).to_excel(path, index=False, header=False)
    with pytest.raises(NoContactsError, match="got an empty sheet"):
        open_source(path)


def two_cells(path: Path, *, row: int = 1_048_575, column: int = 200) -> None:
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write(0, 0, "phone")
        sheet.write(row, column, "x")


def without_addresses(path: Path) -> None:
    """As ``two_cells``, but the wide row has cells without addresses, and names have a prefix."""
    two_cells(path, column=0)
    cells = "<x:c><x:v>1</x:v></x:c>" * 200
    _change_sheet(path, f'<x:row r="1">{cells}</x:row><x:row r="1048576"><x:c><x:v>1</x:v></x:c></x:row>')


def many_rows(path: Path) -> None:
    two_cells(path, column=0)
    _change_sheet(path, "<row><c/></row>" * 30)


def _change_sheet(path: Path, rows: str) -> None:
    with ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = f"<worksheet><sheetData>{rows}</sheetData></worksheet>".encode()
    zipped(path, *parts.items())


@pytest.mark.parametrize("make", [two_cells, without_addresses, many_rows])
def test_a_workbook_that_would_take_all_memory_is_refused(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if make is many_rows:
        monkeypatch.setattr(excel_file, "MOST_CELLS", 20)
    monkeypatch.setattr(excel_file, "_CHUNK", 50)
    make(tmp_path / "contacts.xlsx")
    with pytest.raises(InputError, match=r"at most 10,000,000 cells to a sheet \(a \.csv file may be of any size\)"):
        open_source(tmp_path / "contacts.xlsx")


def test_a_workbook_that_unpacks_to_more_than_it_may_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel_file, "LARGEST_WORKBOOK", 1_000)
    by_openpyxl(tmp_path / "contacts.xlsx")
    with pytest.raises(InputError, match="a workbook of at most 300 MB, unpacked"):
        open_source(tmp_path / "contacts.xlsx")


@pytest.mark.parametrize(
    ("module", "name", "needed"),
    [("python_calamine", "openpyxl.xlsx", "excel"), ("pyarrow", "polars.parquet", "parquet")],
)
def test_without_a_package_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str, needed: str
) -> None:
    WRITERS[name](tmp_path / name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"pip install 'airflow-provider-campaigns\[{needed}\]'"):
        open_source(tmp_path / name)
