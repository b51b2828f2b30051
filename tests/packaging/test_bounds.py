"""The lower bounds of what the package needs: each is tested as it stands, and every supported Airflow meets them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]
MAKEFILE = (ROOT / "Makefile").read_text()
# The supported releases of Airflow, each with the packages of its own day.
RELEASES = dict(re.findall(r"^RELEASE-([\d.]+) := (\S+)$", MAKEFILE, re.MULTILINE))
FILES = sorted((ROOT / "constraints").glob("*.txt"))


def pins(name: str) -> dict[str, Version]:
    """Return the versions in a file of ``constraints/``."""
    lines = (ROOT / "constraints" / f"{name}.txt").read_text().splitlines()
    return {canonicalize_name(package): Version(version) for package, version in (line.split("==") for line in lines)}


def test_each_supported_release_has_its_constraints() -> None:
    extremes = {"lowest", "highest"}
    assert {f"airflow-{version}" for version in RELEASES} | extremes == {path.stem for path in FILES}
    assert {"3.3", "3.2", "3.1", "2.11"} <= RELEASES.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_constraints_hold_names_and_versions_and_nothing_else(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.+]+", line)] == []


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda one: one.name)
def test_the_lowest_version_that_is_tested_is_the_bound(requirement: Requirement) -> None:
    (bound,) = requirement.specifier
    assert bound.operator == ">="
    assert pins("lowest")[canonicalize_name(requirement.name)] == Version(bound.version)


@pytest.mark.parametrize("version", RELEASES)
def test_the_packages_of_a_releases_own_day_meet_every_bound(version: str) -> None:
    there = pins(f"airflow-{version}")
    assert there["apache-airflow"] == Version(RELEASES[version])
    missed = [one for one in REQUIREMENTS if there[canonicalize_name(one.name)] not in one.specifier]
    assert [str(one) for one in missed] == []


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial/first-campaign.md"])
def test_it_is_installed_with_the_constraints_of_a_supported_release(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"apache/airflow/constraints-([\d.]+)/constraints-([\d.]+)\.txt", text)
    pythons = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert named
    assert {release for release, _ in named} <= set(RELEASES.values())
    assert {python for _, python in named} <= pythons
