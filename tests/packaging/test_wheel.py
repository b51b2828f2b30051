"""What is published: the sdist, the wheel built from it, and that Airflow discovers the provider from that wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import airflow_provider_campaigns

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_campaigns"
DIST_INFO = f"{PACKAGE}-{airflow_provider_campaigns.__version__}.dist-info"


class Wheel(NamedTuple):
    """A wheel unpacked into ``folder``, which is all that installing it would do."""

    folder: Path
    files: set[str]
    metadata: Message


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from it, without a package index."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    folder = tmp_path_factory.mktemp("wheel")
    (path,) = dist.glob("*.whl")
    with ZipFile(path) as archive:
        archive.extractall(folder)
        files = set(archive.namelist())
    return Wheel(folder, files, Parser().parsestr((folder / DIST_INFO / "METADATA").read_text()))


def run_with(wheel: Wheel, *arguments: str) -> str:
    """Run Python with the wheel before the working tree, from a folder that holds neither."""
    # The wheel's copy of the package is not the one whose coverage counts.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    ran = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"PYTHONPATH": str(wheel.folder)},
        cwd=wheel.folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Wheel) -> None:
    package = {name for name in wheel.files if not name.startswith(f"{DIST_INFO}/")}
    sources = [path for path in (ROOT / PACKAGE).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert package == {path.relative_to(ROOT).as_posix() for path in sources}


@pytest.mark.parametrize("name", [f"{PACKAGE}/py.typed", f"{DIST_INFO}/licenses/LICENSE"])
def test_the_wheel_ships_types_and_licence(wheel: Wheel, name: str) -> None:
    assert name in wheel.files


@pytest.mark.parametrize(
    "classifier",
    [
        "Framework :: Apache Airflow",
        "Framework :: Apache Airflow :: Provider",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
def test_the_classifiers_make_it_findable(wheel: Wheel, classifier: str) -> None:
    assert classifier in wheel.metadata.get_all("Classifier", [])


def test_the_metadata_names_this_version_and_the_licence(wheel: Wheel) -> None:
    assert wheel.metadata["Version"] == airflow_provider_campaigns.__version__
    assert wheel.metadata["License-Expression"] == "Apache-2.0"


def test_the_metadata_say_where_to_find_the_project(wheel: Wheel) -> None:
    urls = dict(line.split(", ", 1) for line in wheel.metadata.get_all("Project-URL", []))
    assert urls.keys() == {"Source", "Documentation", "Changelog", "Bug Tracker"}
    assert all(url.startswith(urls["Source"]) for url in urls.values())


def test_no_dependency_is_capped(wheel: Wheel) -> None:
    requirements = [Requirement(line) for line in wheel.metadata.get_all("Requires-Dist", [])]
    assert "apache-airflow" in {requirement.name for requirement in requirements}
    assert {specifier.operator for requirement in requirements for specifier in requirement.specifier} == {">="}


def test_the_entry_points_are_the_provider_and_its_plugin(wheel: Wheel) -> None:
    entry_points = ConfigParser()
    entry_points.read(wheel.folder / DIST_INFO / "entry_points.txt")
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "apache_airflow_provider": {"provider_info": f"{PACKAGE}.get_provider_info:get_provider_info"},
        "airflow.plugins": {"campaigns": f"{PACKAGE}.plugins.campaigns:CampaignsPlugin"},
    }


def test_airflow_discovers_the_provider_from_the_wheel(wheel: Wheel) -> None:
    where = run_with(wheel, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)")
    assert Path(where.strip()).is_relative_to(wheel.folder)

    command = ["-m", "airflow", "providers", "get", "airflow-provider-campaigns", "--full", "--output", "json"]
    (listing,) = [line for line in run_with(wheel, *command).splitlines() if line.startswith("[{")]
    (provider,) = json.loads(listing)
    promised = {
        module
        for kind in ("hooks", "operators", "sensors")
        for one in provider[kind]
        for module in one["python-modules"]
    }
    promised |= {one["hook-class-name"].rpartition(".")[0] for one in provider["connection-types"]}
    assert promised
    assert {f"{module.replace('.', '/')}.py" for module in promised} <= wheel.files


def test_reading_the_provider_info_loads_nothing_heavy(wheel: Wheel) -> None:
    code = f"""
import sys
before = set(sys.modules)
from {PACKAGE}.get_provider_info import get_provider_info
get_provider_info()
print(*{{name.partition(".")[0] for name in set(sys.modules) - before}} - sys.stdlib_module_names)
"""
    assert run_with(wheel, "-c", code).split() == [PACKAGE]


def test_the_sdist_holds_what_is_needed_to_test_it(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        files = [name.partition("/")[2] for name in archive.getnames()]
    assert {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "constraints/airflow-3.3.txt"} <= set(files)
    assert Path(__file__).relative_to(ROOT).as_posix() in files
    assert [name for name in files if name.startswith((".venv", ".airflow", "build/", "dist/"))] == []
