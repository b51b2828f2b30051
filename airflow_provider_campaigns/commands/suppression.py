"""``suppress``: the suppression list, from and for people."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_campaigns.commands.history import opened_history
from airflow_provider_campaigns.commands.output import Table, command, emit, written
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import known_region

if TYPE_CHECKING:
    from airflow_provider_campaigns.identity import Person

SOURCE = "command line"


@command
def add(args: Namespace) -> None:
    """Put the people of a file on the list."""
    from airflow_provider_campaigns.history import suppression

    number = _count(args)
    with opened_history(args) as history:
        changed = suppression.add(history, _people(args), reason=args.reason, source=SOURCE)
    _report("added", number, changed, args)


@command
def remove(args: Namespace) -> None:
    """Take the people of a file off the list."""
    from airflow_provider_campaigns.history import suppression

    number = _count(args)
    with opened_history(args) as history:
        changed = suppression.remove(history, _people(args))
    _report("removed", number, changed, args)


@command
def list_entries(args: Namespace) -> None:
    """Show the list."""
    from airflow_provider_campaigns.history import suppression

    if args.limit < 1:
        raise InputError("--limit", "a number, at least 1", args.limit)
    with opened_history(args) as history:
        rows = [
            {
                "person": written(entry.person, 64),
                "since": entry.since,
                "reason": written(entry.reason),
                "source": written(entry.source),
            }
            for entry in islice(suppression.entries(history), args.limit)
        ]
    emit(rows, args.output, Table(rows, empty="Nobody is on the list"))


def _count(args: Namespace) -> int:
    """Return how many people the file names: all of it is read before anything is changed."""
    return sum(1 for _ in _people(args))


def _people(args: Namespace) -> Iterator[Person]:
    from airflow_provider_campaigns.delivery.plan.sources import open_source
    from airflow_provider_campaigns.delivery.plan.sources.one_column import values_of
    from airflow_provider_campaigns.delivery.storage import is_path
    from airflow_provider_campaigns.history.suppression import read_people

    if not is_path(args.file):
        raise InputError("file", "the path or URL of a file", args.file)
    source = open_source(args.file, "file", plain=True)
    return read_people(values_of(source, args.column), args.kind, known_region(args.region, "--region"), source.name)


def _report(done: str, number: int, changed: int, args: Namespace) -> None:
    result = {"people": number, done: changed}
    emit(result, args.output, Table([result]))
