"""What every command does alike: output as tables, JSON or YAML; errors in one line; a question before a change."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple

from airflow_provider_campaigns.exceptions import CampaignError, InputError, shown
from airflow_provider_campaigns.masking import one_line

BAD_INPUT = 2
FAILED = 1

Row = Mapping[str, Any]


class Table(NamedTuple):
    """
    Rows with the same columns.

    :param empty: what is said when there are none.
    """

    rows: Sequence[Row]
    title: str = ""
    empty: str = "Nothing found"


def command(function: Callable[[Namespace], int | None]) -> Callable[[Namespace], None]:
    """Make a command of a function that returns its exit code; what it logs is shown with ``--verbose`` only."""

    @wraps(function)
    def run(args: Namespace) -> None:
        code = _quietly(function, args)
        if code:
            sys.exit(code)

    return run


def _quietly(function: Callable[[Namespace], int | None], args: Namespace) -> int:
    from airflow.providers.common.compat.sdk import AirflowException
    from airflow.utils.cli import suppress_logs_and_warning
    from sqlalchemy.exc import SQLAlchemyError

    codes: list[int] = []

    def call(args: Namespace) -> None:
        codes.append(function(args) or 0)

    try:
        suppress_logs_and_warning(call)(args)
    except InputError as error:
        return _say(error, BAD_INPUT)
    except (CampaignError, AirflowException) as error:
        return _say(error, FAILED)
    except SQLAlchemyError as error:
        # Its text has the statement.
        return _say(f"Airflow's database: {getattr(error, 'orig', None) or type(error).__name__}", FAILED)
    return codes[0]


def _say(error: object, code: int) -> int:
    sys.stderr.write(f"error: {one_line(str(error))}\n")
    return code


def emit(value: Any, output: str, *tables: Table) -> None:
    """
    Write what a command found.

    :param value: all of it, for JSON and YAML.
    :param output: ``table``, ``json`` or ``yaml``.
    :param tables: the same for people.
    """
    if output == "json":
        sys.stdout.write(json.dumps(value, indent=2, default=_plain) + "\n")
    elif output == "yaml":
        from airflow.utils import yaml

        sys.stdout.write(yaml.dump(json.loads(json.dumps(value, default=_plain)), sort_keys=False))
    else:
        for table in tables:
            _write_table(table)


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _write_table(table: Table) -> None:
    from airflow.cli.simple_table import AirflowConsole, SimpleTable
    from rich.text import Text

    # What strangers wrote is in the cells: never markup.
    console = AirflowConsole(markup=False, highlight=False, emoji=False)
    if not table.rows:
        console.print(table.empty)
        return
    drawn = SimpleTable(show_header=True, title=Text(table.title) if table.title else None)
    drawn.show_header = True
    for name, value in table.rows[0].items():
        drawn.add_column(name.replace("_", " "), justify="right" if _is_number(value) else "left")
    for row in table.rows:
        drawn.add_row(*(Text(_cell(value)) for value in row.values()))
    console.print(drawn)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,}" if _is_number(value) else one_line(str(value))


def written(text: str | None, longest: int = 200) -> str:
    """Return a stranger's text as it may be shown, with addresses masked; names and ids are shown as they are."""
    return shown(text or "", longest)


def confirm(question: str, args: Namespace) -> bool:
    """
    Ask a person whether to continue.

    :raises InputError: nobody can be asked.
    """
    if args.yes:
        return True
    if not sys.stdin or not sys.stdin.isatty():
        raise InputError("--yes", "it, where nobody can be asked", "no terminal")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
