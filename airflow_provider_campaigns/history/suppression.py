"""The suppression list: people whom no delivery contacts, whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.history.database import in_parts, now
from airflow_provider_campaigns.history.tables import LONGEST_TEXT, suppressed
from airflow_provider_campaigns.identity import (
    Kind,
    Person,
    UnreadableError,
    contact_keys,
    opt_out_keys,
    read_certain,
    shown,
)
from airflow_provider_campaigns.protocol.history import MAYBE_SUPPRESSED, SUPPRESSED, HeldBack

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from airflow_provider_campaigns.history.connection import History
    from airflow_provider_campaigns.protocol.send import Contact

KINDS: tuple[Kind, ...] = ("phone", "email", "id")

# In place of the person, of a form that two people share, such as a national one: it stays when one is taken off.
SHARED = "shared"


class Entry(NamedTuple):
    """
    A line of the suppression list.

    :param person: the identity as it is written: a keyed hash, unless the connection keeps identities in clear.
    """

    person: str
    since: datetime
    reason: str
    source: str


def read_people(
    values: Iterable[Any], kind: Kind, region: str | None = None, field: str = "contacts"
) -> Iterator[Person]:
    """
    Yield the people that values name.

    :param kind: ``phone``, ``email`` or ``id``.
    :param region: country of phone numbers without ``+``.
    :raises InputError: one of them is not understood as one person.
    """
    return (_read(number, value, kind, region, field) for number, value in enumerate(values, 1))


def _read(number: int, value: Any, kind: Kind, region: str | None, field: str) -> Person:
    try:
        return read_certain(kind, value, region)
    except UnreadableError as error:
        raise InputError(field, str(error), f"number {number}: {shown(repr(value))}") from None


def add(history: History, people: Iterable[Person], *, reason: str = "", source: str = "") -> int:
    """
    Add people to the list, and return how many were not on it yet; whoever is keeps the reason and the time.

    :param reason: why, for people.
    :param source: where that comes from, for people.
    """
    return sum(history.database.run(partial(_add, history, part, reason, source)) for part in in_parts(people))


def _add(history: History, people: Sequence[Person], reason: str, source: str, connection: Connection) -> int:
    written = history.hasher.written
    rows: dict[str, dict[str, Any]] = {}
    for person in people:
        main = _main_key(person)
        for key in opt_out_keys(person):
            identity = written(key)
            owner = rows[identity]["person"] if identity in rows else written(main)
            rows[identity] = {
                "identity": identity,
                "person": owner if owner == written(main) else SHARED,
                "since": now(),
                "reason": reason[:LONGEST_TEXT],
                "source": source[:LONGEST_TEXT],
            }
    there = _owners(connection, rows)
    # Sorted: two that add the same people do not wait for each other.
    new = [rows[identity] for identity in sorted(rows) if identity not in there]
    history.database.upsert(connection, suppressed, new, ["person"])
    shared = [identity for identity, owner in there.items() if owner not in {rows[identity]["person"], SHARED}]
    for part in in_parts(sorted(shared)):
        connection.execute(sa.update(suppressed).where(suppressed.c.identity.in_(part)).values(person=SHARED))
    return len({row["person"] for row in new if row["person"] == row["identity"]})


def remove(history: History, people: Iterable[Person]) -> int:
    """Take people off the list, and return how many were on it."""
    return sum(history.database.run(partial(_remove, history, part)) for part in in_parts(people))


def _remove(history: History, people: Sequence[Person], connection: Connection) -> int:
    keys = {key for person in people for key in history.hasher.all_written(_main_key(person))}
    there = len(_there(connection, keys))
    for part in in_parts(keys):
        connection.execute(sa.delete(suppressed).where(suppressed.c.person.in_(part)))
    return there


def entries(history: History) -> Iterator[Entry]:
    """Yield the list, the oldest entries first."""
    columns = (suppressed.c.person, suppressed.c.since, suppressed.c.reason, suppressed.c.source)
    statement = (
        sa.select(*columns)
        .where(suppressed.c.identity == suppressed.c.person)
        .order_by(suppressed.c.since, suppressed.c.identity)
    )
    with history.database.engine.connect() as connection:
        for row in connection.execution_options(stream_results=True).execute(statement):
            yield Entry(*row)


def find(
    history: History, connection: Connection, contacts: Sequence[tuple[int, Contact]], region: str | None
) -> dict[int, HeldBack]:
    """Return those of some contacts who are on the list, or may be, by row."""
    certain: dict[str, list[int]] = {}
    maybe: dict[str, list[int]] = {}
    for row, contact in contacts:
        for keys, found in zip(_keys_of(contact, region), (certain, maybe), strict=True):
            for key in keys:
                for written in history.hasher.all_written(key):
                    found.setdefault(written, []).append(row)
    there = _there(connection, {*certain, *maybe})
    held = {row: HeldBack("invalid", MAYBE_SUPPRESSED) for key in there for row in maybe.get(key, ())}
    return held | {row: HeldBack("invalid", SUPPRESSED) for key in there for row in certain.get(key, ())}


def _keys_of(contact: Contact, region: str | None) -> tuple[set[str], set[str]]:
    """Return what a contact is compared by, and whom it may be; as ``exclude`` does."""
    certain, maybe = {f"id:{contact.key.lower()}"}, set()
    for person in contact.persons:
        key, others = contact_keys(person, region)
        certain.add(key)
        maybe |= others
    return certain, maybe


def _main_key(person: Person) -> str:
    return contact_keys(person)[0]


def _there(connection: Connection, identities: Iterable[str]) -> set[str]:
    return {*_owners(connection, identities)}


def _owners(connection: Connection, identities: Iterable[str]) -> dict[str, str]:
    """Return those of some identities that are on the list, and of whom they are a form."""
    owners: dict[str, str] = {}
    for part in in_parts(identities):
        statement = sa.select(suppressed.c.identity, suppressed.c.person).where(suppressed.c.identity.in_(part))
        owners.update((identity, owner) for identity, owner in connection.execute(statement))
    return owners
