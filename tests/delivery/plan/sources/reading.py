"""What the tests of sources share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

JO = {"phone": "+447700900000", "name": "Jo"}


def fields(source: Any) -> list[dict[str, Any]]:
    """Return the fields of all rows."""
    return [dict(row.fields) for row in source.read()]


def problems(source: Any) -> list[tuple[int, str | None]]:
    """Return the number of every row, and why it cannot be read."""
    return [(row.number, row.problem) for row in source.read()]


def file_with(folder: Path, name: str, content: str | bytes) -> str:
    """Write a file, and return its path."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)
