"""Contacts that a function of the DAG's author returns or yields: read once, as lines of JSON for the copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.plan.sources.frames import is_frame, rows_of_frame
from airflow_provider_campaigns.delivery.plan.sources.notes import Notes
from airflow_provider_campaigns.delivery.plan.sources.options import Options
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, row_of
from airflow_provider_campaigns.delivery.plan.sources.values import json_line, no_json
from airflow_provider_campaigns.delivery.storage import is_path
from airflow_provider_campaigns.exceptions import InputError

EXPECTED = "dicts, a table, an Arrow stream, or the path of a file, returned or yielded by the function"


@dataclass(frozen=True)
class Produced:
    """
    Contacts of a function, which is called only when they are copied.

    :param call: calls it.
    :param digest: a digest that is different for another function.
    :param options: how text files are read, if it returns a path.
    :param name: for messages.
    """

    call: Callable[[], Any]
    digest: str
    options: Options = field(default_factory=Options)
    name: str = "contacts"
    what: str = "the function"

    def lines(self) -> Iterator[bytes]:
        """
        Call the function, and yield a line of JSON per row: an object, or a text that says why the row cannot be read.

        :raises InputError: it gives no contacts; and whatever the function raises.
        """
        notes = Notes()
        for row in self._rows(self.call(), notes):
            yield _line(row)
        notes.report(self.name)

    def _rows(self, made: Any, notes: Notes) -> Iterator[Row]:
        if is_frame(made):
            yield from rows_of_frame(made, self.name, notes)
        elif is_path(made):
            yield from open_source(made, self.name, options=self.options).read()
        elif isinstance(made, Mapping) or not isinstance(made, Iterable):
            raise InputError(self.name, EXPECTED, type(made).__name__)
        else:
            for number, value in enumerate(made, 1):
                if is_frame(value):
                    yield from rows_of_frame(value, self.name, notes)
                else:
                    yield row_of(number, value)


def _line(row: Row) -> bytes:
    if row.problem:
        return to_json(row.problem) + b"\n"
    try:
        return json_line(row.fields)
    except ValueError:
        return to_json(no_json(row.fields)) + b"\n"
