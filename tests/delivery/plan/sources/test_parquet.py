"""Contacts come out of a Parquet file in types that JSON has, row group by row group."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_campaigns.delivery.plan.sources import open_source, parquet_file
from airflow_provider_campaigns.delivery.storage import locate
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import JO, fields, file_with, problems

# pyarrow has this type from release 18 on.
UUIDS = (
    [pytest.param(pa.uuid(), [UUID(int=5).bytes], ["00000000-0000-0000-0000-000000000005"], id="UUIDs")]
    if hasattr(pa, "uuid")
    else []
)
NOON = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)


def parquet_with(folder: Path, columns: dict[str, Any], **options: Any) -> str:
    path = str(folder / "contacts.parquet")
    pq.write_table(pa.table(columns), path, **options)
    return path


def values(folder: Path, content: Sequence[Any], kind: pa.DataType) -> list[Any]:
    """Return what becomes of a column's values."""
    path = parquet_with(folder, {"value": pa.array(content, kind)})
    return [row["value"] for row in fields(open_source(path))]


def test_parquet(tmp_path: Path) -> None:
    source = open_source(parquet_with(tmp_path, {"phone": ["+447700900000", "007"], "name": ["José", "東京"]}))

    assert source.columns == ["phone", "name"]
    assert fields(source) == [{"phone": "+447700900000", "name": "José"}, {"phone": "007", "name": "東京"}]
    assert fields(source) == fields(source), "it can be read again"


def test_all_row_groups_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "BATCH", 4)
    path = parquet_with(tmp_path, {"id": range(25)}, row_group_size=10)
    assert pq.ParquetFile(path).num_row_groups == 3

    source = open_source(path)

    assert [row["id"] for row in fields(source)] == list(range(25))
    assert problems(source) == [(number, None) for number in range(1, 26)]


def test_what_is_read_is_what_is_needed_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "BATCH", 10)
    path = parquet_with(tmp_path, {"id": range(1000)}, row_group_size=100)
    batches = 0
    iter_batches = pq.ParquetFile.iter_batches

    def counted(*arguments: Any, **options: Any) -> Iterator[Any]:
        nonlocal batches
        for batch in iter_batches(*arguments, **options):
            batches += 1
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)

    rows = open_source(path).read()

    assert [next(rows).number for _ in range(25)] == list(range(1, 26))
    assert batches == 3


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        pytest.param(pa.string(), ["+44", ""], ["+44", ""], id="text"),
        pytest.param(pa.large_string(), ["+44"], ["+44"], id="large text"),
        pytest.param(pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"], ["a", "b", "a"], id="categories"),
        pytest.param(pa.int64(), [447700900123], [447700900123], id="64 bits"),
        pytest.param(pa.uint64(), [2**64 - 1], [2**64 - 1], id="64 bits without a sign"),
        pytest.param(pa.bool_(), [True, False], [True, False], id="booleans"),
        pytest.param(pa.float64(), [447700900123.0, 1.5, -3.0], [447700900123, 1.5, -3], id="whole floats"),
        pytest.param(pa.float64(), [float("nan"), float("inf")], [None, None], id="no numbers"),
        pytest.param(pa.float64(), [1e300], [1e300], id="a float too large to be exact"),
        pytest.param(pa.float32(), [7.0, 447700893696.0], [7, 447700893696.0], id="32 bits have 7 digits"),
        pytest.param(pa.decimal128(12, 2), [Decimal("10.50"), Decimal(0)], ["10.50", "0.00"], id="decimals"),
        pytest.param(pa.date32(), [date(2026, 3, 1)], ["2026-03-01"], id="dates"),
        pytest.param(pa.timestamp("us"), [NOON.replace(tzinfo=None)], ["2026-03-01T12:30:15.250000"], id="times"),
        pytest.param(pa.timestamp("us", "UTC"), [NOON], ["2026-03-01T12:30:15.250000Z"], id="times in UTC"),
        pytest.param(
            pa.timestamp("ns", "Asia/Kolkata"),
            [int(NOON.timestamp() * 1000) * 10**6 + 1],
            ["2026-03-01T18:00:15.250000+05:30"],
            id="times of pandas",
        ),
        pytest.param(pa.time64("ns"), [1_000_000_001], ["00:00:01"], id="times of day"),
        pytest.param(pa.duration("ns"), [90_000_000_001], ["PT1M30S"], id="durations"),
        pytest.param(pa.duration("us"), [timedelta(days=1)], ["P1D"], id="durations without nanoseconds"),
        pytest.param(pa.time64("us"), [time(9, 30)], ["09:30:00"], id="times of day without nanoseconds"),
        pytest.param(pa.binary(), ["José".encode()], ["José"], id="bytes"),
        *UUIDS,
        pytest.param(
            pa.struct([("tags", pa.list_(pa.string())), ("since", pa.date32())]),
            [{"tags": ["a"], "since": date(2026, 3, 1)}],
            [{"tags": ["a"], "since": "2026-03-01"}],
            id="nested",
        ),
        pytest.param(pa.null(), [], [], id="nothing"),
    ],
)
def test_values_are_in_types_that_json_has(
    tmp_path: Path, kind: pa.DataType, content: list[Any], expected: list[Any]
) -> None:
    read = values(tmp_path, [*content, None], kind)

    assert read == [*expected, None]
    assert [type(value) for value in read] == [type(value) for value in [*expected, None]]


def test_a_row_with_a_value_that_json_cannot_hold_is_invalid_and_the_others_are_not(tmp_path: Path) -> None:
    path = parquet_with(tmp_path, {"a": ["1", "2", "3"], "photo": [b"ok", b"\xff\xd8", None]})

    source = open_source(path)

    problem = "column 'photo': a value of type bytes that JSON cannot hold"
    assert problems(source) == [(1, None), (2, problem), (3, None)]
    assert fields(source)[0] == {"a": "1", "photo": "ok"}


def test_a_text_that_stands_in_each_row_is_in_memory_once(tmp_path: Path) -> None:
    path = tmp_path / "contacts.parquet"
    table = pa.table(
        {"phone": ["+447700900000"] * 2_000, "note": ["x" * 20_000] * 2_000, "raw": [b"y" * 20_000] * 2_000}
    )
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 10_000
    source = open_source(path)
    tracemalloc.start()
    try:
        assert sum(len(row.fields["note"]) == len(row.fields["raw"]) == 20_000 for row in source.read()) == 2_000
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_columns_whose_values_stand_there_once(tmp_path: Path) -> None:
    table = pa.table(
        {
            "phone": pa.array(["1", None, "1"]).dictionary_encode(),
            "since": pa.array([datetime(2026, 1, 1)] * 3, pa.timestamp("ns")).dictionary_encode(),  # noqa: DTZ001
            "score": pa.array([1.0, 2.5, None]).dictionary_encode(),
            "raw": [b"x", None, b"\xff"],
        }
    )
    pq.write_table(table, tmp_path / "contacts.parquet")

    for source in (open_source(tmp_path / "contacts.parquet"), open_source(table)):
        first, second, third = source.read()
        since = "2026-01-01T00:00:00"
        assert first.fields == {"phone": "1", "since": since, "score": 1, "raw": "x"}
        assert second.fields == {"phone": None, "since": since, "score": 2.5, "raw": None}
        assert third.problem == "column 'raw': a value of type bytes that JSON cannot hold"


def test_the_nameless_index_of_a_data_frame_is_no_column(tmp_path: Path) -> None:
    source = open_source(parquet_with(tmp_path, {"phone": ["1"], "__index_level_0__": [17]}))

    assert source.columns == ["phone"]
    assert fields(source) == [{"phone": "1"}]


def test_a_date_that_python_does_not_have_is_reported(tmp_path: Path) -> None:
    path = parquet_with(tmp_path, {"phone": ["1"], "due": pa.array([10**7], pa.date32())})
    with pytest.raises(InputError, match=r"contacts .*expected a Parquet file that can be read, got date value out of"):
        list(open_source(path).read())


def test_object_storage(bucket: str) -> None:
    with locate(f"{bucket}/contacts.parquet").open("wb") as file:
        pq.write_table(pa.Table.from_pylist([JO]), file)

    assert fields(open_source(f"{bucket}/contacts.parquet")) == [JO]


def test_opt_outs_may_be_parquet_too(tmp_path: Path) -> None:
    path = parquet_with(tmp_path, {"phone": ["+447700900000"]})

    assert fields(open_source(path, "exclude", plain=True)) == [{"phone": "+447700900000"}]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([("a", pa.int8()), ("a", pa.int8())], "expected each column once, got 'a' more than once"),
        ([("", pa.int8()), ("a", pa.int8())], "expected a name for each column, got columns '', 'a'"),
    ],
)
def test_columns_need_names_of_their_own(tmp_path: Path, columns: list[Any], message: str) -> None:
    path = str(tmp_path / "contacts.parquet")
    pq.write_table(
        pa.Table.from_arrays([pa.array([1], kind) for _, kind in columns], names=[n for n, _ in columns]), path
    )

    with pytest.raises(InputError, match=message):
        open_source(path)


@pytest.mark.parametrize("content", ["", "phone\n+447700900000\n"])
def test_a_file_that_is_no_parquet(tmp_path: Path, content: str) -> None:
    path = file_with(tmp_path, "contacts.parquet", content)

    with pytest.raises(InputError, match="expected a Parquet file that can be read, got Parquet") as caught:
        open_source(path)

    assert caught.value.field == f"contacts ({path})"


def test_a_file_that_is_damaged_further_down(tmp_path: Path) -> None:
    path = Path(parquet_with(tmp_path, {"phone": ["+447700900000"] * 1000}, compression="zstd"))
    content = bytearray(path.read_bytes())
    content[20:60] = b"x" * 40
    path.write_bytes(content)

    with pytest.raises(InputError, match=r"expected a (Parquet file that|file that) can be read"):
        list(open_source(path).read())


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match="expected a file that can be read, got No such file"):
        open_source("nowhere.parquet")


def test_without_pyarrow_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet_with(tmp_path, {"phone": ["1"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InputError, match=r"pip install 'airflow-provider-campaigns\[parquet\]'"):
        open_source(path)
