"""Writes what a vendor lists to a file, one JSON object per line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.storage import AnyPath

log = logging.getLogger(__name__)


def write_lines(items: Iterable[Mapping[str, Any]], output_path: str) -> dict[str, Any]:
    """
    Write ``items`` to a path or URL, in place of an earlier file, and return ``{"path", "count"}``.

    Nothing is written before all of them are there; until then they are in a temporary file, not in memory. Without any
    item, an earlier file that holds some stays as it is: a warning says so, and the result has ``"kept": True``.

    :param items: none is asked for before ``output_path`` was checked.
    :raises InputError: nothing can be written to ``output_path``.
    """
    from airflow_provider_campaigns.delivery.storage import write_whole

    path = locate_file(output_path)
    count = 0
    with TemporaryFile() as lines:
        for item in items:
            lines.write(json.dumps(item, ensure_ascii=False).encode(errors="replace") + b"\n")
            count += 1
        if not count and _holds_rows(path):
            log.warning(
                "The vendor lists nothing; the earlier %s, which holds rows, is kept. Delete it to replace it", path
            )
            return {"path": str(path), "count": 0, "kept": True}
        lines.seek(0)
        write_whole(path, lines)
    return {"path": str(path), "count": count}


def _holds_rows(path: AnyPath) -> bool:
    return bool(path.exists() and path.stat().st_size)


def locate_file(output_path: str) -> AnyPath:
    """
    Return the path object of a file that can be written.

    :raises InputError: nothing can be written to ``output_path``.
    """
    from airflow_provider_campaigns.delivery.storage import LocalPath, check_root, locate

    if not output_path:
        raise InputError("output_path", "the path or URL of a file", "nothing")
    check_root(output_path, "output_path")
    try:
        path = locate(output_path)
        if not isinstance(path, LocalPath):
            # Only this finds out, on some versions of Airflow, that no provider knows the scheme.
            _ = path.fs
    except (ImportError, ValueError) as error:
        raise InputError("output_path", "a path, or a URL whose provider is installed", error) from error
    if isinstance(path, LocalPath) and path.exists() and not path.is_file():
        raise InputError("output_path", "the path or URL of a file", f"{path}, a folder, pipe or device")
    return path
