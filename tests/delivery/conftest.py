"""Fixtures of the delivery tests."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_campaigns.delivery.run import engine, write_buffer

# What the ledger holds at the most with ``small_parts``.
FEW_HELD = 3


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ledger hold few outcomes, and a part be full with few, so that there are several in a small delivery."""
    for module in (write_buffer, engine):
        monkeypatch.setattr(module, "MOST_HELD", FEW_HELD)
    monkeypatch.setattr(write_buffer, "FULL", 5)


def empty_bucket() -> str:
    """Return the URL of an empty folder in an object storage."""
    try:
        from airflow.sdk.io import attach
    except ImportError:
        from airflow.io.store import attach  # type: ignore[no-redef]
    memory = fsspec.filesystem("memory")
    attach("memory", fs=memory)
    memory.store.clear()
    return str(ObjectStoragePath("memory://bucket/campaigns"))


@pytest.fixture
def bucket() -> str:
    """The URL of an empty folder in an object storage."""
    return empty_bucket()


@pytest.fixture(params=["folder", "store"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "outcomes" if request.param == "folder" else None
