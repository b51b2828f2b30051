"""Where contacts come from: a list, files, a table, or the copy of a query's result; read as often as needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from airflow_provider_campaigns.delivery.plan.sources.csv_file import open_csv
from airflow_provider_campaigns.delivery.plan.sources.excel_file import open_excel
from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.frames import is_frame, open_frame
from airflow_provider_campaigns.delivery.plan.sources.json_file import open_json_array, open_json_lines
from airflow_provider_campaigns.delivery.plan.sources.listing import files_of
from airflow_provider_campaigns.delivery.plan.sources.mistaken import cure_of
from airflow_provider_campaigns.delivery.plan.sources.options import Options
from airflow_provider_campaigns.delivery.plan.sources.packed import UNPACKERS
from airflow_provider_campaigns.delivery.plan.sources.parquet_file import open_parquet
from airflow_provider_campaigns.delivery.plan.sources.parts import Part, source_of
from airflow_provider_campaigns.delivery.plan.sources.rows import Fields, Row, Source, rows_of
from airflow_provider_campaigns.delivery.storage import check_root, is_path
from airflow_provider_campaigns.exceptions import InputError, NoContactsError

__all__ = ["Fields", "Options", "Row", "Source", "open_source"]

Open = Callable[[ContactsFile, bool], Part]

TEXTS: Mapping[str, Open] = {
    ".csv": open_csv,
    ".tsv": open_csv,
    ".txt": open_csv,
    ".jsonl": open_json_lines,
    ".ndjson": open_json_lines,
    ".json": open_json_array,
}
"""Formats that may be packed, too."""
FORMATS: Mapping[str, Open] = {**TEXTS, ".parquet": open_parquet, ".xlsx": open_excel, ".xlsm": open_excel}

EXPECTED = f"a file that ends in {', '.join(FORMATS)}, also packed as .gz or .zip, or a folder or pattern of such files"


def open_source(
    contacts: Any, name: str = "contacts", *, plain: bool = False, options: Options | None = None
) -> Source:
    """
    Return the source behind an operator's ``contacts`` or ``exclude``.

    :param contacts: an iterable of dicts; the path or URL of a file, a folder of files, or a pattern (``*``) that fits
        some; a list of those; or a table. See ``FORMATS``; a .json array and an Excel sheet are kept in memory, other
        files are streamed.
    :param name: the parameter's name, for messages.
    :param plain: in place of a dict there may be plain text or a number, which becomes the only column of its row.
    :param options: how text files are read; default: as is found from them.
    :raises InputError: none of these, or a file cannot be opened.
    """
    options = options or Options()
    if is_frame(contacts):
        return source_of([open_frame(contacts, name)], name)
    if isinstance(contacts, str) and contacts.lstrip().startswith("["):
        contacts = _parsed(contacts, name)
    if is_path(contacts):
        return _open_paths([str(contacts)], name, plain, options)
    if isinstance(contacts, Mapping) or not isinstance(contacts, Iterable):
        expected = "a list of dicts, a path or URL, or a table"
        raise InputError(name, expected, f"{type(contacts).__name__}{_hint(contacts)}")
    values = list(contacts)
    if values and all(_is_path_in_list(value, plain) for value in values):
        return _open_paths([str(value) for value in values], name, plain, options)
    return Source(name, lambda: rows_of(values, plain))


def _hint(contacts: Any) -> str:
    if isinstance(contacts, Mapping):
        return " (one contact is a list of one; of a DataFrame to_dict('records'))"
    # polars' LazyFrame, Dask and the like.
    how = next((how for how in ("collect", "compute") if hasattr(contacts, how)), "")
    return f" (call its {how}() first)" if how else ""


def _parsed(text: str, name: str) -> Any:
    """Return the list that an upstream task's list was rendered from."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(
            name,
            "a list, a path, or the output of an upstream task (`upstream.output`)",
            "text that starts with '[' and is not JSON; end the template's expression with `| tojson`",
        ) from None


def _is_path_in_list(value: Any, plain: bool) -> bool:
    """Whether an item of a list is a path: no person (``plain`` text), as it ends as a file's name does."""
    if not isinstance(value, str):
        return is_path(value)
    suffix = PurePosixPath(value).suffix.lower()
    return "://" in value or (suffix in {*FORMATS, *UNPACKERS} and "@" not in value) or ("/" in value and not plain)


def _open_paths(paths: Sequence[str], name: str, plain: bool, options: Options) -> Source:
    files: list[str] = []
    # A template may have rendered to blanks and newlines around it.
    for path in map(str.strip, paths):
        if not path:
            raise InputError(name, EXPECTED, "a blank path")
        if path.startswith("~"):
            raise InputError(name, "a path from / on, or a URL", f"{path} (whose home that is depends on the worker)")
        check_root(path, name)
        files += files_of(path, name) or [path]
    if len(files) == 1:
        part = _open_file(files[0], name, plain, options)
        return source_of([part], part.where)
    parts, empty = [], []
    for file in files:
        try:
            parts.append(_open_file(file, name, plain, options))
        except NoContactsError as error:
            empty.append(error)
    if not parts:
        raise empty[0]
    what = paths[0] if len(paths) == 1 else f"{paths[0]} ..."
    return source_of(parts, f"{name} ({what}, {len(files):,} files)", len(empty))


def _open_file(path: str, name: str, plain: bool, options: Options) -> Part:
    file = ContactsFile(path, f"{name} ({path})", options.encoding, options.delimiter)
    formats = TEXTS if file.packing else FORMATS
    if file.suffix in formats:
        if options.only_if_no_utf8 and file.encoding and file.suffix in TEXTS and file.is_utf8():
            file.encoding = None
        return formats[file.suffix](file, plain)
    if file.suffix in FORMATS:
        raise InputError(name, f"a {file.suffix} file that is not packed as {file.packing}", path)
    cure = cure_of(path)
    raise InputError(name, EXPECTED, f"{path}{f' ({cure})' if cure else ''}")
