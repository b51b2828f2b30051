"""The documentation names what there is: every public class in the reference, every page in the site."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import pytest
from airflow.providers.common.compat.module_loading import import_string

from airflow_provider_campaigns.get_provider_info import connection_type, get_provider_info
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from tests.doc_tables import DOCS, ParameterRow, code, parameter_rows, section, tables
from tests.integration.sends import SENDS

PACKAGE = "airflow_provider_campaigns"
VENDORS = {one["connection-type"] for one in get_provider_info()["connection-types"]}
# Defaults that Airflow's configuration gives.
CONFIGURED = {"deferrable": "[operators] default_deferrable"}
ROOMS = ("operators", "decorators", "sensors", "hooks", "triggers", "links")


def public_classes(module: str) -> list[str]:
    """Return the names of a module's public classes (of decorators, functions), wherever they are defined."""
    found = import_module(module)
    kind = inspect.isfunction if f"{PACKAGE}.decorators." in module else inspect.isclass
    return [
        name
        for name, value in inspect.getmembers(found, kind)
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


def documented_classes() -> list[type]:
    """Return the operators, sensors and triggers that provider info names."""
    info = get_provider_info()
    modules = [
        name for room in ("operators", "sensors", "triggers") for one in info[room] for name in one["python-modules"]
    ]
    return [getattr(import_module(module), name) for module in modules for name in public_classes(module)]


def parameters(kind: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class that this package defines, from the class itself and its bases."""
    own = [base for base in reversed(kind.__mro__) if base.__module__.startswith(PACKAGE) and "__init__" in vars(base)]
    found = {name: one for base in own for name, one in inspect.signature(base.__init__).parameters.items()}  # type: ignore[misc]
    return {name: one for name, one in found.items() if name != "self" and one.kind is not one.VAR_KEYWORD}


def rows_of(kind: type, rows: Iterable[ParameterRow]) -> dict[str, ParameterRow]:
    """Return the rows of a class and of its bases, by parameter."""
    names = {base.__name__ for base in kind.__mro__}
    return {row.name: row for row in rows if row.classes & names}


def faults(kind: type, rows: Iterable[ParameterRow]) -> list[str]:
    """Return what the pages, or the docstrings, lack or have wrong of a class's parameters."""
    found, templated = rows_of(kind, rows), getattr(kind, "template_fields", ())
    docstrings = "".join(base.__doc__ or "" for base in kind.__mro__ if base.__module__.startswith(PACKAGE))
    wrong = []
    for name, parameter in parameters(kind).items():
        row = found.get(name)
        if row is None:
            wrong.append(f"{name}: in no table")
            continue
        required = parameter.default is parameter.empty
        if row.default != CONFIGURED.get(name) and not (
            row.default == "required" if required else row.has_default(parameter.default)
        ):
            wrong.append(f"{name}: default {row.default} in {row.page}")
        if row.templated != ("yes" if name in templated else "no"):
            wrong.append(f"{name}: templated {row.templated} in {row.page}")
        described = re.search(rf":param {name}:(.*?)(?=\n\s*:\w|\Z)", docstrings, re.DOTALL)
        if described is None:
            wrong.append(f"{name}: in no docstring")
        elif ("(templated)" in described[1]) != (name in templated):
            wrong.append(f"{name}: the docstring is wrong about (templated)")
    return wrong


@pytest.mark.parametrize("kind", documented_classes(), ids=lambda kind: kind.__name__)
def test_every_parameter_is_in_a_page(kind: type) -> None:
    assert faults(kind, parameter_rows()) == []


@pytest.mark.parametrize("kind", documented_classes(), ids=lambda kind: kind.__name__)
def test_the_pages_name_no_parameter_that_there_is_not(kind: type) -> None:
    documented = {row.name for row in parameter_rows() if kind.__name__ in row.classes}
    assert documented <= {*inspect.signature(kind).parameters, *parameters(kind)}


def test_delivery_has_every_parameter_of_a_delivering_operator_in_one_table() -> None:
    rows = [row for row in parameter_rows() if row.page == "delivery.md"]
    delivering = [kind for kind in documented_classes() if issubclass(kind, CampaignDeliveryOperator)]
    assert {*delivering} == {send.operator for send in SENDS.values()}
    assert {kind.__name__: faults(kind, rows) for kind in delivering} == {kind.__name__: [] for kind in delivering}


class Undocumented:
    """
    A class whose docstring and rows are incomplete.

    :param size: a number.
    :param path: not said to be templated.
    """

    __module__ = f"{PACKAGE}.operators.undocumented"
    template_fields = ("path",)

    def __init__(self, *, size: int = 5, path: str, secret: str, **kwargs: Any) -> None: ...


@pytest.mark.parametrize(
    ("default", "templated", "fault"),
    [
        ("`5`", "no", None),
        ("`6`", "no", "size: default 6 in here.md"),
        ("required", "no", "size: default required in here.md"),
        ("five", "no", "size: default five in here.md"),
        ("`5`", "yes", "size: templated yes in here.md"),
    ],
)
def test_what_a_page_says_of_a_parameter_is_compared(default: str, templated: str, fault: str | None) -> None:
    row = ParameterRow("size", frozenset({"Undocumented"}), default.strip("`"), templated, "here.md")
    missing = ["path: in no table", "secret: in no table"]
    assert faults(Undocumented, [row]) == ([fault, *missing] if fault else missing)


def test_docstrings_are_compared_too() -> None:
    names = ("size", "path", "secret")
    rows = [ParameterRow(name, frozenset({"Undocumented"}), "5", "no", "here.md") for name in names]
    found = faults(Undocumented, rows)
    assert "secret: in no docstring" in found
    assert "path: the docstring is wrong about (templated)" in found
    assert not any("size" in fault for fault in found)


def connection_fields(name: str) -> dict[str, tuple[str, object]]:
    """Return the fields that the form of a connection type shows: their labels and defaults."""
    kind = connection_type(name)
    behaviour, hook = kind["ui-field-behaviour"], import_string(kind["hook-class-name"])
    defaults = {"host": hook.default_host or None}
    standard = {
        field: (behaviour["relabeling"].get(field, field.capitalize()), defaults.get(field))
        for field in ("host", "port", "login", "password")
        if field not in behaviour["hidden-fields"]
    }
    extras = {field: (spec["label"], spec["schema"].get("default")) for field, spec in kind["conn-fields"].items()}
    return {**standard, **extras}


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_every_field_of_a_connection_is_in_its_page(name: str) -> None:
    title = connection_type(name)["hook-name"]
    text = section("connections.md", title) + section("connections.md", "Extras of every connection")
    rows = {code(row["field"]): row for _, found in tables(text) for row in found if "field" in row}
    fields = connection_fields(name)
    assert sorted(rows) == sorted(fields)
    assert {field: row["form label"] for field, row in rows.items()} == {
        field: label for field, (label, _) in fields.items()
    }
    without = {"none", "required"}
    wrong = {
        field: rows[field]["default"]
        for field, (_, default) in fields.items()
        if (rows[field]["default"] not in without if default is None else code(rows[field]["default"]) != str(default))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_the_examples_of_connections_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = connection_type(name)
    examples = re.findall(r"export (AIRFLOW_CONN_\w+)='([^']+)'", section("connections.md", kind["hook-name"]))
    assert {example[0] == "{" for _, example in examples} == {True, False}
    for variable, example in examples:
        monkeypatch.setenv(variable, example)
        hook = import_string(kind["hook-class-name"])()
        assert hook.connection.conn_type == name
        assert hook.dialect.secrets
        assert hook.fields.settings.base_url.startswith("https://")
