"""Recognises files whose content does not match their name, or whose format cannot be read."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

_OLD_EXCEL = "save it as .xlsx or .csv"
_OTHER_TABLE = "write it as .parquet"
_OTHER_PACKING = "unpack it, or pack it as .gz"
_ARCHIVE = "unpack it: a folder of files is read as a whole"

_CURES = {
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), _OLD_EXCEL),
    **dict.fromkeys((".avro", ".orc", ".feather", ".arrow"), _OTHER_TABLE),
    **dict.fromkeys((".bz2", ".xz", ".zst", ".lz4"), _OTHER_PACKING),
    **dict.fromkeys((".tar", ".tgz", ".7z", ".rar"), _ARCHIVE),
}

_FIRST_BYTES = {
    b"PK\x03\x04": "a zip archive or an Excel workbook, whose name ends in .zip or .xlsx",
    b"\x1f\x8b": "a gzip file, whose name ends in .gz, as in leads.csv.gz",
    b"PAR1\x15": "a Parquet file, whose name ends in .parquet",
    b"\xd0\xcf\x11\xe0": f"an old Excel workbook, or one with a password: {_OLD_EXCEL}, without a password",
    b"ARROW1\0": f"a Feather file: {_OTHER_TABLE}",
    b"Obj\x01": f"an Avro file: {_OTHER_TABLE}",
    b"\x28\xb5\x2f\xfd": f"a file packed by zstd: {_OTHER_PACKING}",
    b"\xfd7zXZ\0": f"a file packed by xz: {_OTHER_PACKING}",
    b"7z\xbc\xaf": f"a 7z archive: {_ARCHIVE}",
}
# A server's message that was saved in place of the list.
_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml|error)\b", re.IGNORECASE)
_PACKED_BY_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_JSON = re.compile(r'\s*(\[\s*)?\{\s*(\}|")')


def cure_of(path: str) -> str:
    """Return what to do with a file in a format that is not read; empty if that is not known of its name."""
    names = PurePosixPath(path)
    suffix = PurePosixPath(names.stem).suffix if names.suffix == ".gz" else names.suffix
    return _CURES.get(suffix.lower(), "")


def not_text(first: bytes) -> str | None:
    """
    Return what a file is that is no text; None if it may be text.

    :param first: its first bytes.
    """
    if _PAGE.match(first):
        return "a page of HTML or XML, such as the message of a server: fetch the list again"
    if _PACKED_BY_BZIP2.match(first):
        return f"a file packed by bzip2: {_OTHER_PACKING}"
    return next((what for mark, what in _FIRST_BYTES.items() if first.startswith(mark)), None)


def is_json(text: str) -> bool:
    """Whether a file that should have a header begins with an object of JSON, or an array of them."""
    return _JSON.match(text) is not None
