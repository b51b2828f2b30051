"""The package as if it were installed, for an Airflow where it may not be: it discovers providers by metadata."""

from __future__ import annotations

import tomllib
from configparser import ConfigParser
from pathlib import Path

from airflow_provider_campaigns import __version__

ROOT = Path(__file__).parents[1]


def write_metadata(folder: Path) -> None:
    """Write what an installation writes; it counts where ``folder`` is in PYTHONPATH."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = folder / f"airflow_provider_campaigns-{__version__}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {__version__}\n")
    entry_points = ConfigParser()
    entry_points.read_dict(project["entry-points"])
    with (metadata / "entry_points.txt").open("w") as file:
        entry_points.write(file)
