"""The documentation names what there is: every public class in the reference, every page in the site."""

from __future__ import annotations

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from airflow_provider_campaigns.get_provider_info import get_provider_info

DOCS = Path(__file__).parents[1] / "docs"
PACKAGE = "airflow_provider_campaigns"
VENDORS = {one["connection-type"] for one in get_provider_info()["connection-types"]}
ROOMS = ("operators", "sensors", "hooks", "triggers", "links")


def public_classes(module: str) -> list[str]:
    """Return the names of a module's public classes, whatever private module they are defined in."""
    found = import_module(module)
    return [
        name
        for name, value in inspect.getmembers(found, inspect.isclass)
        if not name.startswith("_")
        and value.__module__.startswith(PACKAGE)
        and (value.__module__ == module or name in getattr(found, "__all__", ()))
    ]


def vendor_modules() -> list[str]:
    return [
        f"{PACKAGE}.{room}.{module.name}"
        for room in ROOMS
        for module in pkgutil.iter_modules(import_module(f"{PACKAGE}.{room}").__path__)
        if module.name in VENDORS
    ]


@pytest.mark.parametrize("module", vendor_modules())
def test_a_vendors_modules_are_in_the_reference(module: str, reference: dict[str, str]) -> None:
    room = module.split(".")[1]
    assert re.search(rf"automodule:: {re.escape(module)}$", reference[room], re.MULTILINE)
    assert public_classes(module)


@pytest.mark.parametrize(
    "module", [f"{PACKAGE}.exceptions", f"{PACKAGE}.triggers.campaign", f"{PACKAGE}.delivery.record.receipt"]
)
def test_other_public_classes_are_in_the_reference(module: str) -> None:
    assert f"automodule:: {module}\n" in (DOCS / "reference" / "api.md").read_text()


def test_every_page_is_in_the_site() -> None:
    trees = re.findall(r"```\{toctree\}.*?```", (DOCS / "index.md").read_text(), re.DOTALL)
    listed = {line.strip() for tree in trees for line in tree.splitlines()}
    pages = {str(page.relative_to(DOCS).with_suffix("")) for page in DOCS.rglob("*.md")} - {"index"}
    assert pages <= listed


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated pages of the reference, by room."""
    configuration = (DOCS / "conf.py").read_text()
    folder = tmp_path_factory.mktemp("docs")
    (folder / "reference").mkdir()
    exec(compile(configuration, str(folder / "conf.py"), "exec"), {"__file__": str(folder / "conf.py")})
    return {room: (folder / "reference" / f"{room}.md").read_text() for room in ROOMS}
