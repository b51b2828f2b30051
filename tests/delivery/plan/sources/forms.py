"""The same two contacts in every form of file, made by real tools."""

from __future__ import annotations

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

ROWS = [{"phone": "+447700900000", "name": "José"}, {"phone": "+447700900001", "name": "B"}]
CSV = "phone,name\n+447700900000,José\n+447700900001,B\n"
LINES = '{"phone": "+447700900000", "name": "José"}\n{"phone": "+447700900001", "name": "B"}\n'


def zipped(path: Path, *members: tuple[str, bytes]) -> None:
    with ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)


def by_openpyxl(path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in [["phone", "name"], *map(list, map(dict.values, ROWS))]:
        workbook.active.append(row)
    workbook.save(path)


def by_xlsxwriter(path: Path) -> None:
    with xlsxwriter.Workbook(str(path)) as workbook:
        hidden, sheet, other = (workbook.add_worksheet(name) for name in ("notes", "people", "more"))
        hidden.write(0, 0, "nothing of this")
        sheet.activate()
        sheet.set_first_sheet()
        hidden.hide()
        other.write_row(0, 0, ["phone"])
        for index, row in enumerate([["phone", "name", ""], *map(list, map(dict.values, ROWS)), [" ", ""]], 2):
            sheet.write_row(index, 1, row)


def two_sheets(path: Path) -> None:
    """With numbers as text, the result of a formula, and a row that Excel hides."""
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet, other = workbook.add_worksheet("people"), workbook.add_worksheet("old")
        sheet.write_row(0, 0, ["phone", "name"])
        for index, row in enumerate(ROWS, 1):
            sheet.write_string(index, 0, row["phone"])
            sheet.write_formula(index, 1, f'="{row["name"]}"', None, row["name"])
        sheet.set_row(2, options={"hidden": True})
        other.write_row(0, 0, ["other", "columns", "here"])


def by_iconv(path: Path) -> None:
    (path.parent / "utf8").write_text("\ufeff" + CSV)
    with path.open("wb") as file:
        subprocess.run(["iconv", "-f", "utf-8", "-t", "utf-16le", path.parent / "utf8"], stdout=file, check=True)


def by_gzip(path: Path) -> None:
    path.with_suffix("").write_text(CSV)
    subprocess.run(["gzip", path.with_suffix("")], check=True)


FRAME = pd.DataFrame(ROWS)

WRITERS: dict[str, Callable[[Path], Any]] = {
    "semicolons.csv": lambda path: path.write_text(CSV.replace(",", ";")),
    "bars.txt": lambda path: path.write_text(CSV.replace(",", "|")),
    "commas.tsv": lambda path: path.write_text(CSV),
    "tabs.tsv": lambda path: FRAME.to_csv(path, sep="\t", index=False),
    "excel.csv": lambda path: path.write_text("sep=;\r\n" + CSV.replace(",", ";").replace("\n", "\r\n")),
    "sep_in_quotes.csv": lambda path: path.write_text('\ufeff"sep=|"\n' + CSV.replace(",", "|")),
    "old_mac.csv": lambda path: path.write_bytes(CSV.replace("\n", "\r").encode()),
    "iconv.csv": by_iconv,
    "utf16_be.tsv": lambda path: path.write_bytes(("\ufeff" + CSV.replace(",", "\t")).encode("utf-16-be")),
    "utf32.csv": lambda path: path.write_bytes(CSV.encode("utf-32")),
    "utf16.jsonl": lambda path: path.write_bytes(LINES.encode("utf-16")),
    "nul.csv": lambda path: path.write_text(CSV.replace(",", "\0,")),
    "nul.jsonl": lambda path: path.write_text("\0" + LINES + "\0\0\n"),
    "spreadsheet.csv": lambda path: path.write_text("phone,name,,\n" + CSV[11:].replace("\n", ",,\n") + ",,,\n , ,,\n"),
    "more_commas.csv": lambda path: path.write_text(CSV[:11] + CSV[11:].replace("\n", ",\n")),
    "gzip.csv.gz": by_gzip,
    "pandas.csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "two_members.jsonl.gz": lambda path: path.write_bytes(
        b"".join(gzip.compress(line.encode()) for line in LINES.splitlines(keepends=True))
    ),
    "array.json.gz": lambda path: FRAME.to_json(path, orient="records"),
    "contacts.csv.zip": lambda path: FRAME.to_csv(path, index=False),
    "windows.zip": lambda path: zipped(
        path, ("leads/people.csv", CSV.encode()), ("leads/Thumbs.db", b"x"), ("leads/desktop.ini", b"x")
    ),
    "mac.zip": lambda path: zipped(
        path, ("a/people.CSV", CSV.encode()), ("__MACOSX/a/._people.CSV", b"x"), ("a/", b"")
    ),
    "lines.zip": lambda path: zipped(path, ("people.jsonl", LINES.encode()), (".DS_Store", b"x")),
    "openpyxl.xlsx": by_openpyxl,
    "xlsxwriter.xlsx": by_xlsxwriter,
    "two_sheets.xlsx": two_sheets,
    "pandas.xlsx": lambda path: FRAME.to_excel(path, index=False),
    "polars.parquet": lambda path: pl.DataFrame(ROWS).write_parquet(path),
    "dictionary.parquet": lambda path: pq.write_table(
        pa.table({"phone": pa.array([row["phone"] for row in ROWS]).dictionary_encode(), "name": ["José", "B"]}), path
    ),
    "blank_lines.jsonl": lambda path: path.write_text("\ufeff" + LINES.replace("\n", "\n\n  \n")),
    "windows.CSV": lambda path: FRAME.to_csv(path, sep=";", index=False, encoding="utf-8-sig", quoting=1),
    "QUOTED.TXT": lambda path: FRAME.to_csv(path, sep="\t", index=False, quoting=1, lineterminator="\r\n"),
    "pandas.jsonl": lambda path: FRAME.to_json(path, orient="records", lines=True),
}


def write_parts(folder: Path, *contents: str, suffix: str = "csv") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index, content in enumerate(contents):
        (folder / f"part-{index:05}.{suffix}").write_text(content)


def numbered(source: Any) -> list[tuple[int, str]]:
    return [(row.number, row.fields["phone"]) for row in source.read()]
