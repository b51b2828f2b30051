"""What a function returns or yields becomes lines of JSON, read once and one after the other."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder
from airflow_provider_campaigns.delivery.plan.sources.options import Options
from airflow_provider_campaigns.delivery.plan.sources.produced import Produced
from airflow_provider_campaigns.exceptions import InputError

PEOPLE = [{"phone": 447700900001, "name": "Jo"}, {"phone": 447700900002, "name": "Zoë"}]
TABLE = pa.Table.from_pylist(PEOPLE)


def produced(call: Callable[[], Any], **options: Any) -> Produced:
    return Produced(call, "digest", **options)


def rows_of(made: Produced) -> list[Any]:
    return [json.loads(line) for line in made.lines()]


def stream() -> Any:
    return pa.RecordBatchReader.from_batches(TABLE.schema, iter(TABLE.to_batches(max_chunksize=1)))


FORMS: dict[str, Callable[[], Any]] = {
    "a list": lambda: PEOPLE,
    "a tuple": lambda: tuple(PEOPLE),
    "dicts one after the other": lambda: iter(PEOPLE),
    "pandas": lambda: pd.DataFrame(PEOPLE),
    "polars": lambda: pl.DataFrame(PEOPLE),
    "a table of pyarrow": lambda: TABLE,
    "an Arrow stream": stream,
    "tables one after the other": lambda: (pd.DataFrame([row]) for row in PEOPLE),
    "record batches one after the other": lambda: iter(TABLE.to_batches(max_chunksize=1)),
    "dicts and tables": lambda: iter([PEOPLE[0], pl.DataFrame([PEOPLE[1]])]),
    "pandas, which makes floats of them": lambda: pd.DataFrame(PEOPLE).astype({"phone": "float64"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_the_same_in_every_form(form: str) -> None:
    assert rows_of(produced(FORMS[form])) == PEOPLE


def test_a_path_is_read_as_contacts_are(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_bytes("phone;name\n447700900002;Zoë\n".encode("cp1252"))

    made = produced(lambda: str(tmp_path / "leads.csv"), options=Options(encoding="cp1252"))

    assert rows_of(made) == [{"phone": "447700900002", "name": "Zoë"}]


def test_values_that_json_does_not_have_become_text_and_what_cannot_be_read_is_said_in_its_place() -> None:
    values = [{"amount": Decimal("1.50")}, "no dict", {"phone": object()}]

    assert rows_of(produced(lambda: values)) == [
        {"amount": "1.50"},
        "expected an object, got str",
        "column 'phone': a value of type object that JSON cannot hold",
    ]


@pytest.mark.parametrize(("value", "kind"), [(None, "NoneType"), ({"phone": 1}, "dict"), (7, "int")])
def test_anything_else_is_an_error(value: Any, kind: str) -> None:
    expected = "contacts: expected dicts, a table, an Arrow stream, or the path of a file, returned or yielded by the"
    with pytest.raises(InputError, match=f"{expected} function, got {kind}"):
        rows_of(produced(lambda: value))


@pytest.mark.parametrize("error", [ValueError("the CRM is down"), OSError("the CRM is down"), KeyError("x")])
def test_what_the_function_raises_comes_out_as_it_is_and_leaves_no_copy(error: Exception, tmp_path: Path) -> None:
    def people() -> Iterator[dict[str, Any]]:
        yield PEOPLE[0]
        raise error

    copies = CopyFolder(tmp_path)
    with pytest.raises(type(error)) as raised:
        copies.make(produced(people), 1)

    assert raised.value is error
    assert not copies.has(1)


@pytest.mark.slow
def test_a_hundred_thousand_take_no_more_memory_than_some(tmp_path: Path) -> None:
    peaks = []
    for number in (10_000, 100_000):

        def people(number: int = number) -> Iterator[dict[str, Any]]:
            for row in range(number):
                yield {"phone": f"+4477009{row:06}", "name": "Jo"}

        tracemalloc.start()
        source = CopyFolder(tmp_path).make(produced(people), 1)
        assert sum(1 for _ in source.read()) == number
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]
