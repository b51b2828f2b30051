"""What Airflow learns of the provider: by its own schemas, and by the connection forms it makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from installed import write_metadata

from airflow_provider_campaigns.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[1]
INFO = get_provider_info()
CONNECTION_TYPES = {one["connection-type"]: one for one in INFO["connection-types"]}
# Newer than the oldest Airflow's schema, and ignored there.
NEW_SECTIONS = {"cli"}
NEW_KEYS = {"hook-name", "ui-field-behaviour", "conn-fields"}


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((Path(airflow.__file__).parent / name).read_text())
    return loaded


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The connection forms of Airflow's UI, whether or not the package is installed."""
    folder = tmp_path_factory.mktemp("installed")
    write_metadata(folder)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.connection_forms"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    made: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return made


def test_airflow_accepts_the_whole() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_every_key_is_one_that_airflow_knows() -> None:
    # Airflow ignores others silently.
    assert set(INFO) <= set(schema("provider.yaml.schema.json")["properties"]) | NEW_SECTIONS


@pytest.mark.parametrize("kind", CONNECTION_TYPES)
def test_airflow_accepts_the_connection_type(kind: str) -> None:
    item = schema("provider.yaml.schema.json")["properties"]["connection-types"]["items"]
    jsonschema.validate(CONNECTION_TYPES[kind], item)
    assert set(CONNECTION_TYPES[kind]) <= set(item["properties"]) | NEW_KEYS


@pytest.mark.parametrize("kind", CONNECTION_TYPES)
def test_the_connection_form_is_labelled(forms: dict[str, Any], kind: str) -> None:
    described, form = CONNECTION_TYPES[kind], forms[kind]
    behaviour = described["ui-field-behaviour"]

    assert form["name"] == described["hook-name"]
    assert form["extra"] == {name: field["label"] for name, field in described["conn-fields"].items()}
    for name, label in behaviour["relabeling"].items():
        assert form["standard"][name] == {"label": label, "hidden": False}
    for name in behaviour["hidden-fields"]:
        shown = form["standard"].get(name) or form["standard"]["url_schema"]
        assert shown == {"label": None, "hidden": True}


@pytest.mark.parametrize("kind", CONNECTION_TYPES)
def test_the_hook_is_the_connection_types(kind: str) -> None:
    module, _, name = CONNECTION_TYPES[kind]["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)

    assert (hook.conn_type, hook.hook_name) == (kind, CONNECTION_TYPES[kind]["hook-name"])
    assert (hook.conn_name_attr, hook.default_conn_name) == (f"{kind}_conn_id", f"{kind}_default")
    # As Airflow builds it for the Test button.
    assert hook(**{hook.conn_name_attr: "another"}).conn_id == "another"


@pytest.mark.parametrize(
    ("part", "number"),
    [*((part, len(CONNECTION_TYPES)) for part in ("hooks", "operators", "sensors")), ("triggers", 1)],
)
def test_every_module_is_there(part: str, number: int) -> None:
    listed = [module for one in INFO[part] for module in one["python-modules"]]

    assert len(listed) == number
    for module in listed:
        import_module(module)


def test_every_link_is_one_of_an_operator() -> None:
    # Airflow 2 shows only links that are listed here.
    operators = [import_module(module) for one in INFO["operators"] for module in one["python-modules"]]
    links = {
        f"{type(link).__module__}.{type(link).__qualname__}"
        for module in operators
        for operator in vars(module).values()
        for link in getattr(operator, "operator_extra_links", ())
    }
    assert set(INFO["extra-links"]) == links


def test_every_integration_is_described() -> None:
    known = {one["integration-name"] for one in INFO["integrations"]}
    assert {one["integration-name"] for part in ("hooks", "operators", "sensors") for one in INFO[part]} == known


def test_secrets_are_hidden_in_the_form() -> None:
    for kind, described in CONNECTION_TYPES.items():
        for name, field in described["conn-fields"].items():
            secret = name.endswith(("_key", "_token", "_secret"))
            assert (field["schema"].get("format") == "password") is secret, f"{kind}: {name}"
