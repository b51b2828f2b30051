"""Writes what a vendor lists to a file, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.storage import AnyPath


def write_lines(items: Iterable[Mapping[str, Any]], output_path: str) -> dict[str, Any]:
    """
    Write ``items`` to a path or URL, in place of an earlier file, and return ``{"path", "count"}``.

    Nothing is written before all of them are there; until then they are in a temporary file, not in memory.

    :param items: nothing of them is asked for before ``output_path`` was looked at.
    :raises InputError: nothing can be written to ``output_path``.
    """
    from airflow_provider_campaigns.delivery.storage import write_whole

    path = _locate(output_path)
    count = 0
    with TemporaryFile() as lines:
        for item in items:
            lines.write(json.dumps(item, ensure_ascii=False).encode() + b"\n")
            count += 1
        lines.seek(0)
        write_whole(path, lines)
    return {"path": str(path), "count": count}


def _locate(output_path: str) -> AnyPath:
    from airflow_provider_campaigns.delivery.storage import LocalPath, locate

    if not output_path:
        raise InputError("output_path", "the path or URL of a file", "nothing")
    try:
        path = locate(output_path)
        if not isinstance(path, LocalPath):
            # Only this finds out, on some versions of Airflow, that no provider knows the scheme.
            _ = path.fs
    except (ImportError, ValueError) as error:
        raise InputError("output_path", "a path, or a URL whose provider is installed", error) from error
    if isinstance(path, LocalPath) and path.is_dir():
        raise InputError("output_path", "the path or URL of a file", f"the folder {path}")
    return path
