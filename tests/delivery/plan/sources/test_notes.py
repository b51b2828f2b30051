"""What is odd about a source is logged once; columns in another spelling are found."""

from __future__ import annotations

import logging
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_campaigns.delivery.plan import column_names
from airflow_provider_campaigns.delivery.plan.column_names import OwnNames
from airflow_provider_campaigns.delivery.plan.preflight import check
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.exceptions import InputError
from tests.delivery.plan.sources.reading import file_with
from tests.delivery.world import AcmeSend, phones


@pytest.mark.parametrize(
    ("content", "warned"),
    [("phone\n1\n2", True), ("phone\n1\n2\n", False), ('phone\n"1"\n2', True), ("phone,name\n1,a", False)],
)
def test_a_last_line_that_may_be_cut_off(
    tmp_path: Path, content: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_source(file_with(tmp_path, "contacts.csv", content))
    for _ in range(2):
        assert source.count
        source.count()
        list(source.read())
    assert sum("the last line has no newline" in text for text in caplog.messages) == warned


def test_whole_numbers_and_empty_parts_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pq.write_table(pa.table({"phone": [1.0, 2.5, None]}), tmp_path / "a.parquet")
    file_with(tmp_path, "b.csv", "")
    with caplog.at_level(logging.INFO):
        list(open_source(tmp_path).read())
    assert "1 whole numbers that were floats, 1 files without contacts left out" in caplog.text


# -- columns


def test_a_column_that_is_missing_and_one_that_is_near(tmp_path: Path) -> None:
    path = file_with(tmp_path, "contacts.csv", "phone_no,name\n1,a\n")
    with pytest.raises(InputError, match=r"a column 'phone', got .* \(did you mean 'phone_no'\? The parameter columns"):
        open_source(path).rows_with([("phone",)])


@pytest.mark.parametrize("columns", [None, {"phone": "mobile no"}])
def test_a_column_in_another_spelling(tmp_path: Path, columns: dict[str, str] | None) -> None:
    name = "Mobile_No" if columns else "PHONE"
    reading = Reading(AcmeSend(), columns)
    source = open_source(file_with(tmp_path, "contacts.csv", f"{name},note\n{phones(1)[0]},x\n"))

    assert check(reading, source).nobody is None
    assert [contact.key for _, contact in reading.entries(source.read())] == phones(1)  # type: ignore[union-attr]


def test_of_columns_that_are_named_the_exact_one_counts(tmp_path: Path) -> None:
    reading = Reading(AcmeSend(), {"phone": "tel"})
    source = open_source(file_with(tmp_path, "contacts.csv", f"TEL,tel\nx,{phones(1)[0]}\n"))
    assert check(reading, source).nobody is None
    with pytest.raises(InputError, match="columns: expected one column for 'tel no', got 'TEL_NO' and 'Tel No'"):
        check(
            Reading(AcmeSend(), {"phone": "tel no"}),
            open_source(file_with(tmp_path, "more.csv", "TEL_NO,Tel No\n1,2\n")),
        )


def test_of_headers_that_are_long_few_are_kept() -> None:
    names = OwnNames(["phone"])
    tracemalloc.start()
    try:
        for number in range(400):
            assert names.renames(["PHONE", f"{number} {'x' * 100_000}"]) == {"PHONE": "phone"}
        assert tracemalloc.get_traced_memory()[0] < 1.5 * column_names.MOST_CHARACTERS
    finally:
        tracemalloc.stop()
