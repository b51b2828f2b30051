"""The vendor of the guide docs/adding-a-vendor.md works as it stands there, and is as small as the guide says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "adding-a-vendor.md"
MOST_LINES, MOST_FILES = 250, 6


def files() -> dict[str, str]:
    """Return the guide's files: a code block belongs to the last path that was named before it."""
    found = re.findall(r"^`([\w./]+)`[^\n]*\n\n```\w+\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's files, written to a folder."""
    folder = tmp_path_factory.mktemp("acme")
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_it_is_small() -> None:
    code = {name: text for name, text in files().items() if not name.startswith("tests/")}
    assert len(code) <= MOST_FILES, sorted(code)
    assert sum(text.count("\n") for text in code.values()) <= MOST_LINES


def test_its_tests_pass(package: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(package / "tests"), str(ROOT)])}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(package),
        str(package / "tests"),
    ]
    result = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^\d+ passed", result.stdout.splitlines()[-1]), result.stdout


def test_it_is_typed(package: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        # Kept with the environment: what the guide imports is checked once, not every time.
        "--cache-dir",
        str(Path(sys.prefix) / ".mypy_cache"),
        "--ignore-missing-imports",
        "--follow-imports=silent",
        # common-compat has types of Airflow 3 only: on Airflow 2, its BaseOperator is Any.
        "--allow-subclassing-any",
        "acme_campaigns",
    ]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    result = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
