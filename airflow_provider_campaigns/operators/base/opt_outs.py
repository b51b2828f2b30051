"""Reads opt-outs from a vendor: the latest change of each person."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from airflow.providers.common.compat.sdk import AirflowException, BaseHook

from airflow_provider_campaigns.delivery.plan.sources.rows import PLAIN, Row, Source
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import Kind, Person, UnreadableError, read_person

if TYPE_CHECKING:
    from airflow_provider_campaigns.vendors.common.opt_outs import SubscriptionChange

log = logging.getLogger(__name__)

VENDORS = "a connection to a vendor that says who opted out (Xtremepush)"


@runtime_checkable
class KnowsOptOuts(Protocol):
    """A hook whose vendor says who opted out."""

    opt_out_fields: Mapping[Kind, str]
    """Fields that name people, by what they hold."""

    def subscription_changes(self, since: datetime | None = None) -> Iterator[SubscriptionChange]:
        """Yield who opted out, or in again, the oldest changes first."""


def read_opt_outs(
    conn_id: str, kind: Kind, *, folder: Path, field: str | None, region: str | None, since: datetime | None
) -> Source:
    """
    Return the values that name people who opted out, and did not opt in again.

    :param conn_id: id of the vendor's Airflow connection.
    :param kind: what names people.
    :param folder: gets a file with what was read, as a vendor's log may be long; as long as it is there they can be
        read.
    :param field: that names them; default the vendor's.
    :param region: country of phone numbers without ``+``.
    :param since: only what was changed after it.
    :raises InputError: the vendor of the connection does not say who opted out, or not by this kind of name.
    :raises VendorError: it cannot be asked.
    """
    try:
        hook = BaseHook.get_hook(conn_id)
    except AirflowException as error:
        raise InputError("opt_outs_conn_id", VENDORS, error) from None
    if not isinstance(hook, KnowsOptOuts):
        raise InputError("opt_outs_conn_id", VENDORS, type(hook).__name__)
    name = field or hook.opt_out_fields.get(kind)
    if not name:
        raise InputError("column", f"the field that holds a {kind}: the vendor documents none", "nothing")
    file = folder / "opt-outs.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE latest (person TEXT PRIMARY KEY, value TEXT, subscribed INTEGER)")
        changes = _latest(hook.subscription_changes(since), name, partial(read_person, kind, region=region))
        database.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)", changes)

    def read() -> Iterator[Row]:
        with closing(sqlite3.connect(file)) as database:
            values = database.execute("SELECT value FROM latest WHERE NOT subscribed ORDER BY rowid")
            for number, (value,) in enumerate(values, 1):
                yield Row(number, {PLAIN: value})

    return Source(f"opt-outs of {conn_id}", read)


def _latest(
    changes: Iterator[SubscriptionChange], name: str, read: Callable[[object], Person]
) -> Iterator[tuple[str, str, bool]]:
    """Yield of each change whom it is about, what names them, and whether they may be contacted since."""
    unreadable = 0
    for change in changes:
        value = change.names.get(name)
        if value is None or value == "":
            # Of another channel.
            continue
        try:
            person = read(value)
        except UnreadableError:
            unreadable += 1
            continue
        yield person.identity, str(value), change.subscribed
    if unreadable:
        log.warning("%s of the vendor's rows have no %s that is understood; they are left out", f"{unreadable:,}", name)
