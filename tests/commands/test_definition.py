"""The same commands in Airflow's parser and in that of ``python -m``; the docs have all of them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_provider_campaigns.__main__ import make_parser
from airflow_provider_campaigns.commands.definition import campaign_commands
from airflow_provider_campaigns.get_provider_info import get_provider_info
from tests.commands.conftest import Run
from tests.doc_tables import DOCS, code, tables
from tests.versions import AIRFLOW_V_3_2_PLUS

PAGE = (DOCS / "command-line.md").read_text()
EVERYWHERE = {"--help", "--output", "--verbose"}


def parsers(parser: argparse.ArgumentParser, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the parser of each command, by its name."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield name, parser
    for group in groups:
        for word, sub in group.choices.items():
            yield from parsers(sub, f"{name} {word}".strip())


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {max(action.option_strings, key=len) for action in parser._actions if action.option_strings}


COMMANDS = dict(parsers(make_parser()))


def rows(column: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the page's tables that have a column."""
    return (row for _, found in tables(PAGE) for row in found if column in row)


def test_every_command_is_in_the_page() -> None:
    assert sorted(code(row["command"]) for row in rows("command")) == sorted(COMMANDS)


def test_every_option_is_in_the_page_with_its_commands() -> None:
    documented: dict[str, set[str]] = {name: set() for name in COMMANDS}
    for row in rows("option"):
        for command in re.findall(r"`([^`]+)`", row["commands"]):
            group = command.removesuffix("…").strip() if "…" in command else None
            names = [name for name in COMMANDS if name == command or (group and name.startswith(group))]
            assert names, command
            for name in names:
                documented[name] |= set(re.findall(r"`(--[a-z-]+)`", row["option"]))
    assert documented == {name: options(parser) - EVERYWHERE for name, parser in COMMANDS.items()}
    assert all(options(parser) >= EVERYWHERE for parser in COMMANDS.values())


def test_defaults_are_those_of_the_page() -> None:
    limits = {COMMANDS[name].get_default("limit") for name in ("deliveries", "unknown", "suppress list")}
    (row,) = (row for row in rows("option") if code(row["option"]) == "--limit")
    assert limits == {int(code(row["default"]))}


@pytest.mark.skipif(not AIRFLOW_V_3_2_PLUS, reason="Airflow takes no commands from providers")
def test_airflow_has_the_same_commands(capsys: pytest.CaptureFixture[str]) -> None:
    from airflow.cli.cli_parser import get_parser

    parser = get_parser()
    (group,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    own = dict(parsers(group.choices["campaigns"]))
    assert {name: options(one) for name, one in own.items()} == {name: options(one) for name, one in COMMANDS.items()}
    args = parser.parse_args(["campaigns", "deliveries", "--dag-id", "no_such_dag", "-o", "json"])
    args.func(args)
    assert json.loads(capsys.readouterr().out)["deliveries"] == []


def test_provider_info_names_them() -> None:
    from airflow.providers.common.compat.module_loading import import_string

    (path,) = get_provider_info()["cli"]
    (group,) = import_string(path)()
    assert group.name == "campaigns"
    assert [one.name for one in group.subcommands] == [one.name for one in campaign_commands()]


@pytest.mark.parametrize(
    "argv", [[], ["nothing"], ["show", "a"], ["deliveries", "--state", "lost"], ["suppress", "add", "people.csv"]]
)
def test_what_argparse_refuses(run: Run, argv: list[str]) -> None:
    ran = run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert "usage: python -m airflow_provider_campaigns" in ran.err


def test_an_error_of_airflows_database_shows_no_statement(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def fail() -> Any:
        raise OperationalError("SELECT secret", {}, Exception("no such table: task_instance"))

    monkeypatch.setattr("airflow_provider_campaigns.commands.deliveries.open_overview", fail)
    ran = run("deliveries")
    assert (ran.code, ran.err) == (1, "error: Airflow's database: no such table: task_instance\n")
