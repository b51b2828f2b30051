"""
Whether an installed package works: each of its modules can be imported, and Airflow discovers the provider.

Run by the Python of the environment where it is installed, with ``-I``: the working tree must not be imported.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from importlib.metadata import version

PACKAGE = "airflow_provider_campaigns"
# What the package imports only where Airflow has it, and from which release on.
SINCE = {"airflow.triggers.shared_stream": (3, 3), "airflow.api_fastapi": (3, 1), "fastapi": (3, 1)}
# Packages that only some modules need, and who uses these has: the contract tests, and what OpenLineage gets.
OPTIONAL = {"pytest": f"{PACKAGE}.testing", "openlineage": f"{PACKAGE}.operators.base.lineage"}
# What Alembic executes, and nobody imports.
EXECUTED = {f"{PACKAGE}.history.migrations.env"}


def import_all() -> int:
    """Import every module of the package; return how many could be imported."""
    names = [PACKAGE, *(one.name for one in pkgutil.walk_packages(import_module(PACKAGE).__path__, f"{PACKAGE}."))]
    imported = 0
    for name in filter(lambda name: name not in EXECUTED, names):
        try:
            import_module(name)
            imported += 1
        except ModuleNotFoundError as error:
            if (module := OPTIONAL.get(error.name or "")) and name.startswith(module):
                continue
            release = tuple(map(int, version("apache-airflow").split(".")[:2]))
            if release >= SINCE.get(error.name or "", (0, 0)):
                raise
    return imported


def discover() -> list[str]:
    """Return the connection types whose hooks Airflow finds and can load."""
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    info = manager.providers["airflow-provider-campaigns"].data
    kinds = [one["connection-type"] for one in info["connection-types"]]
    missing = [kind for kind in kinds if manager.hooks[kind] is None]
    assert kinds, "the provider declares no connection type"
    assert not missing, f"Airflow cannot load the hooks of {missing}"
    return kinds


def main() -> None:
    """Check, and say with which packages."""
    package = sys.modules.get(PACKAGE) or import_module(PACKAGE)
    assert package.__file__ is not None
    assert package.__file__.startswith(sys.prefix), f"{package.__file__} is not the installed package"
    kinds = discover()
    print(
        f"Airflow {version('apache-airflow')}, common-compat {version('apache-airflow-providers-common-compat')}, "
        f"Python {sys.version.partition(' ')[0]}: {import_all()} modules, connection types {', '.join(kinds)}"
    )


if __name__ == "__main__":
    main()
