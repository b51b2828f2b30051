"""What the tests of the delivering operators share."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcomes import read_outcomes


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write contacts as a CSV file and return its path."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def outcomes_of(receipt: Mapping[str, Any]) -> list[Outcome]:
    """Return the outcomes a receipt leads to; every row has exactly one, and their counts are the receipt's."""
    outcomes = list(read_outcomes(receipt["outcomes_path"]))
    assert [line["row"] for line in outcomes] == list(range(1, receipt["contacts"] + 1))
    counts = Counter(line["status"] for line in outcomes)
    assert counts == {status: receipt[status] for status in counts}
    return outcomes


def ends(outcomes: Sequence[Mapping[str, Any]]) -> list[tuple[str | None, str, str | None]]:
    """Return key, status and reason of each outcome."""
    return [(line["key"], line["status"], line["reason"]) for line in outcomes]
