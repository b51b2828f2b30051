"""A contract for import-linter: which packages alone may use some names, such as Airflow's Variables."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class RestrictedNames(Contract):
    """
    Names that only one package may use: imported, read as an attribute, or spelled out as text.

    Imports of modules alone cannot say it: everything of Airflow's comes from one module.
    """

    names = fields.ListField(subfield=fields.StringField())
    allowed = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Search for the names in every module of the root package outside ``allowed``."""
        names = set(cast("list[str]", self.names))
        found = [
            f"{module}:{line}: {name}"
            for module in sorted(_modules(graph))
            if not f"{module}.".startswith(f"{self.allowed}.")
            for line, name in _uses(module, names)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print every use."""
        output.print_error(f"Only {self.allowed} may use these names:", bold=True)
        for line in check.metadata["found"]:
            output.indent_cursor()
            output.print_error(line)


def _modules(graph: ImportGraph) -> Iterator[str]:
    return (module for module in graph.modules if not graph.is_module_squashed(module))


def _uses(module: str, names: set[str]) -> Iterator[tuple[int, str]]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return
    for node in ast.walk(ast.parse(Path(spec.origin).read_text())):
        for name in names & _names_of(node):
            yield getattr(node, "lineno", 0), name


def _names_of(node: ast.AST) -> set[str]:
    match node:
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {part for alias in aliases for part in alias.name.split(".")}
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return {name}
        case ast.Constant(value=str(text)):
            return {text}
        case _:
            return set()
