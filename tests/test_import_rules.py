"""The rules of who may import whom hold, and each breaks when somebody tries it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "airflow_provider_campaigns"
RULES = ConfigParser(inline_comment_prefixes=None)
RULES.read(ROOT / ".importlinter")

# Rule of .importlinter, file that is added or extended, and the line that breaks the rule.
BREACHES = [
    ("vendors", "vendors/xebo/dialect.py", "from airflow_provider_campaigns.vendors.collect import dialect"),
    ("vendors", "vendors/sixth/send.py", "from airflow_provider_campaigns.vendors.xebo import dialect"),
    ("vendors", "vendors/common/paging.py", "from airflow_provider_campaigns.vendors.xebo import dialect"),
    ("operators", "operators/xebo.py", "from airflow_provider_campaigns.operators import collect"),
    ("layers", "sensors/xebo.py", "from airflow_provider_campaigns.operators import xebo"),
    ("layers", "sandbox/app.py", "from airflow_provider_campaigns import masking"),
    ("delivery-layers", "delivery/record/ledger.py", "from airflow_provider_campaigns.delivery.run import engine"),
    ("delivery", "delivery/plan/batches.py", "from airflow_provider_campaigns.vendors.xebo import dialect"),
    ("state", "hooks/xebo.py", "from airflow.sdk import Variable"),
    ("state", "operators/xebo.py", "def store(context): context['task_state_store'].set('key', 1)"),
    ("state", "triggers/exotel.py", "def store(trigger): return trigger.asset_state_store"),
    ("state", "delivery/run/engine.py", "from airflow.utils.session import create_session"),
    ("no-airflow", "vendors/xebo/dialect.py", "import airflow"),
    ("no-airflow", "delivery/plan/batches.py", "from airflow_provider_campaigns.compat import mask_secret"),
    ("no-sockets", "vendors/xebo/dialect.py", "import requests"),
    ("sandbox", "hooks/xebo.py", "from airflow_provider_campaigns.sandbox import app"),
    ("provider-info", "get_provider_info.py", "import pydantic"),
]


def lint(folder: Path, *rules: str) -> subprocess.CompletedProcess[str]:
    """Check some rules of the package in ``folder``; none: all."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    options = [option for rule in rules for option in ("--contract", rule)]
    return subprocess.run(
        [*command, "--no-cache", *options],
        check=False,
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


def add(folder: Path, path: str, line: str) -> None:
    """Add a line to a file of the package, which may be a new one in a new folder."""
    file = folder / PACKAGE / path
    if not file.parent.exists():
        file.parent.mkdir(parents=True)
        (file.parent / "__init__.py").touch()
    with file.open("a") as text:
        text.write(f"\n{line}\n")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, and of what checks it."""
    folder = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in (PACKAGE, "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / ".importlinter", folder)
    return folder


@pytest.fixture(scope="module")
def report(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is reported of a copy in which every breach was tried."""
    folder = tmp_path_factory.mktemp("breaches")
    shutil.copytree(copy, folder, dirs_exist_ok=True)
    for _, path, line in BREACHES:
        add(folder, path, line)
    result = lint(folder)
    assert result.returncode == 1, result.stdout + result.stderr
    # Older releases colour it, wherever it goes.
    return re.sub(r"\x1b\[[\d;]*m", "", result.stdout)


def test_the_tree_keeps_every_rule(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("rule", "path", "line"), BREACHES, ids=[f"{rule}: {path}" for rule, path, _ in BREACHES])
def test_a_breach_is_found(report: str, rule: str, path: str, line: str) -> None:
    _, _, details = report.partition("Broken contracts")
    sections = re.split(r"\n(?=[^\n]+\n-{5,}\n)", details)
    name = RULES[f"importlinter:contract:{rule}"]["name"]
    section = next((text for text in sections if text.strip().startswith(name)), "")
    importer = f"{PACKAGE}.{path.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
    assert re.search(rf"{re.escape(importer)}\b", section), report


@pytest.mark.parametrize("path", ["new_room/__init__.py", "delivery/new_part.py", "delivery/record/new_part.py"])
def test_a_folder_without_a_place_is_found(copy: Path, path: str, tmp_path: Path) -> None:
    shutil.copytree(copy, tmp_path, dirs_exist_ok=True)
    add(tmp_path, path, "PART = 1")
    result = lint(tmp_path, "layers", "delivery-layers", "record-layers")
    assert result.returncode == 1, result.stdout + result.stderr
    assert Path(path).parts[-2 if path.endswith("__init__.py") else -1].removesuffix(".py") in result.stdout
