"""
Everything that is measured, as tables in the terminal and in ``benchmarks/results.md``.

``python -m benchmarks [SECTION ...]``; without a section all of them, and only then the file is written.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow import __version__ as airflow_version

from benchmarks import campaign_page, cost, history, imports, memory, rates, throughput, triggers
from benchmarks.report import Table

RESULTS = Path(__file__).with_name("results.md")

INTRODUCTION = """\
# Benchmarks

Written by `make bench`; it takes about half an hour, and wants the machine for itself. Every ratio is of two
things measured in the same run: the contestants take turns. The server answers in its own process, on the same machine.

{machine}
"""

SECTIONS: dict[str, Callable[[Path], Iterable[Table]]] = {
    "throughput": throughput.tables,
    "rates": lambda folder: [rates.table(folder)],
    "history": history.tables,
    "cost": lambda folder: [cost.table(folder)],
    "memory": lambda folder: [memory.table(folder)],
    "imports": lambda folder: [imports.table()],
    "page": lambda folder: [campaign_page.table(folder)],
    "triggers": lambda folder: [triggers.table()],
}


def machine() -> str:
    """Return what it was measured on."""
    return (
        f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}, Airflow {airflow_version}, SQLite."
    )


def _processor() -> str:
    with Path("/proc/cpuinfo").open() as file:
        names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
        return next(names, platform.machine())


def run(names: Iterable[str]) -> Iterator[str]:
    """Run sections, and yield each table when it is there."""
    for name in names:
        with TemporaryDirectory(prefix="airflow-bench.") as folder:
            yield from map(str, SECTIONS[name](Path(folder)))


def main(names: list[str]) -> None:
    """Print the tables, and keep them if they are all of them."""
    parts = [INTRODUCTION.format(machine=machine())]
    print(parts[0], flush=True)
    for table in run(names or SECTIONS):
        print(f"{table}\n", flush=True)
        parts.append(table)
    if not names:
        RESULTS.write_text("\n\n".join(part.strip() for part in parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
