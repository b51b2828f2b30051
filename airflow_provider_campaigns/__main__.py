"""Runs the command line: ``python -m airflow_provider_campaigns deliveries``, on every release of Airflow."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_campaigns.commands.definition import campaign_commands


def make_parser() -> argparse.ArgumentParser:
    """Return the parser, of the same definitions that Airflow makes its own from."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_campaigns", description="Campaigns: what was sent, and what needs somebody."
    )
    _add(parser, campaign_commands())
    return parser


def _add(parser: argparse.ArgumentParser, commands: Iterable[Any]) -> None:
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        own = subparsers.add_parser(
            command.name, help=command.help, description=command.description or command.help, epilog=command.epilog
        )
        if hasattr(command, "subcommands"):
            _add(own, command.subcommands)
            continue
        for arg in command.args:
            arg.add_to_parser(own)
        own.set_defaults(func=command.func)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; its exit code is 2 for bad input, 1 when it found or met a failure."""
    args = make_parser().parse_args(argv)
    args.func(args)


if __name__ == "__main__":
    main()
