"""Runs commands in this process, as ``python -m airflow_provider_campaigns`` does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_campaigns.__main__ import main
from tests.overview.conftest import empty_history, history, history_file

__all__ = ["empty_history", "history", "history_file"]


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, of one that was asked for JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command."""

    def run(*argv: str) -> Ran:
        capsys.readouterr()
        code = 0
        try:
            main(argv)
        except SystemExit as end:
            code = int(end.code or 0)
        return Ran(code, *capsys.readouterr())

    return run
