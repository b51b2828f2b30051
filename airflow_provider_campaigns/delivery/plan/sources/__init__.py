"""Where contacts come from: a list, a file, or the copy of a query's result; read as a stream, as often as needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.csv_file import open_csv
from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.json_file import open_json_array, open_json_lines
from airflow_provider_campaigns.delivery.plan.sources.parquet_file import open_parquet
from airflow_provider_campaigns.delivery.plan.sources.rows import Fields, Row, Source, rows_of
from airflow_provider_campaigns.delivery.storage import check_root, is_path
from airflow_provider_campaigns.exceptions import InputError

__all__ = ["Fields", "Row", "Source", "open_source"]

FORMATS = {
    ".csv": open_csv,
    ".jsonl": open_json_lines,
    ".ndjson": open_json_lines,
    ".json": open_json_array,
    ".parquet": open_parquet,
}


def open_source(contacts: Any, name: str = "contacts", *, plain: bool = False) -> Source:
    """
    Return the source behind an operator's ``contacts`` or ``exclude``.

    :param contacts: an iterable of dicts, or the path or URL of a .csv, .jsonl (.ndjson), .json or .parquet file. CSV
        is UTF-8 with or without a byte order mark and has a header; a .json file holds an array of objects, and is
        parsed once and kept in memory, the others are streamed.
    :param name: the parameter's name, for messages.
    :param plain: in place of a dict there may be plain text or a number, which becomes the only column of its row.
    :raises InputError: none of these, or the file cannot be opened.
    """
    if isinstance(contacts, str) and contacts.lstrip().startswith("["):
        # A template that an upstream task's list was rendered into.
        try:
            contacts = json.loads(contacts)
        except (ValueError, RecursionError):
            raise InputError(
                name,
                "a list, a path, or the output of an upstream task (`upstream.output`)",
                "text that starts with '[' and is not JSON; end the template's expression with `| tojson`",
            ) from None
    if is_path(contacts):
        return _open_file(str(contacts), name, plain)
    if isinstance(contacts, Mapping) or not isinstance(contacts, Iterable):
        raise InputError(name, "a list of dicts, or a path or URL", type(contacts).__name__)
    values = list(contacts)
    return Source(name, lambda: rows_of(values, plain))


def _open_file(path: str, name: str, plain: bool) -> Source:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in FORMATS:
        raise InputError(name, f"a file that ends in {', '.join(FORMATS)}", path)
    check_root(path, name)
    return FORMATS[suffix](ContactsFile(path, f"{name} ({path})"), plain)
