"""Writes what a vendor lists to a file, one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from tempfile import TemporaryFile
from typing import Any


def write_lines(items: Iterable[Mapping[str, Any]], output_path: str) -> dict[str, Any]:
    """
    Write ``items`` to a path or URL, in place of an earlier file, and return ``{"path", "count"}``.

    Nothing is written before all of them are there.
    """
    from airflow_provider_campaigns.delivery.storage import locate, write_whole

    path = locate(output_path)
    count = 0
    with TemporaryFile() as lines:
        for item in items:
            lines.write(json.dumps(item, ensure_ascii=False).encode() + b"\n")
            count += 1
        lines.seek(0)
        write_whole(path, lines)
    return {"path": str(path), "count": count}
