"""Joins what a vendor reports to the contacts of deliveries, by person; on disk, with constant memory."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self, TypedDict

from airflow_provider_campaigns.identity import (
    Person,
    UnreadableError,
    contact_keys,
    opt_out_keys,
    read_person,
)
from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind, Result

# Characters of an item's JSON text that are stored: MySQL's TEXT holds as many of four bytes each.
LONGEST_DETAILS = 16_000

COLUMNS = ("delivery", "row", "key", "vendor_id", "status", "result", "result_at", "details")

# Contacts of which a vendor may know something: the others were never sent, or refused.
SENT = frozenset({"accepted", "duplicate", "unknown"})


class Contacted(NamedTuple):
    """
    One contact of a delivery.

    :param row: in the source.
    :param key: what names the contact at the vendor.
    :param status: of its outcome.
    :param vendor_id: of its outcome.
    :param otherwise: its result if the vendor reports nothing of it.
    """

    row: int
    key: str | None
    status: str
    vendor_id: str | None = None
    otherwise: Result | None = None


class ResultRow(TypedDict):
    """
    What became of one contact.

    ``delivery`` is the folder of outcomes, the task that sent, or the campaign; ``status`` that of the outcome;
    ``result`` one of ``vendors.common.results.RESULTS``, None for a contact that was not sent, or of which neither is
    known; ``result_at`` ISO text in UTC; ``details`` what the vendor reports beside it.
    """

    delivery: str
    row: int
    key: str | None
    vendor_id: str | None
    status: str
    result: Result | None
    result_at: str | None
    details: dict[str, Any] | None


class ResultJoin:
    """
    Contacts, and what became of them: first all contacts are added, then all results, then the rows are read.

    Only contacts of a campaign can have its results.

    :param kinds: what keys of contacts are; with ``vendor_id``, a contact with an id at the vendor is known by that
        alone.
    :param region: country of phone numbers without ``+``.
    """

    def __init__(self, kinds: Sequence[NameKind], region: str | None = None) -> None:
        self._kinds = kinds
        self._region = region
        self._open: dict[str, tuple[str, int]] = {}
        self.counts: Counter[str] = Counter()
        """Contacts by result, once the rows were read."""
        # An empty name is a private temporary database, deleted when closed; sqlite keeps a small cache in memory.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.executescript(
            """
            CREATE TABLE contacts (
                id INTEGER PRIMARY KEY, delivery TEXT, row INTEGER, key TEXT, vendor_id TEXT, status TEXT,
                otherwise TEXT
            );
            CREATE TABLE names (name TEXT, contact INTEGER, person TEXT, PRIMARY KEY (name, contact)) WITHOUT ROWID;
            CREATE TABLE results (
                contact INTEGER PRIMARY KEY, result TEXT, at REAL, rank INTEGER, vendor_id TEXT, details TEXT
            );
            BEGIN;
            """
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add_contacts(self, campaign: str, delivery: str, contacts: Iterable[Contacted]) -> None:
        """Add the contacts of a delivery."""
        for contact in contacts:
            self._add_contact(campaign, delivery, contact)

    def add_contacts_with_results(self, campaign: str, delivery: str) -> None:
        """Let each result of a campaign, of a person who is none of its contacts, add one."""
        self._open[campaign] = delivery, 0

    def add_result(self, campaign: str, found: ContactResult) -> bool:
        """Add what the vendor reports of a contact; return whether it is one of the campaign's."""
        contacts = self._contacts_of(campaign, found) or self._new(campaign, found)
        at = _seconds(found.at)
        details = _details(found.details)
        for contact in contacts:
            before = self._db.execute("SELECT rank, at FROM results WHERE contact = ?", (contact,)).fetchone()
            if before is None or _counts((found.rank, at), before):
                values = (contact, found.result, at, found.rank, _clean(found.vendor_id), details)
                self._db.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", values)
        return bool(contacts)

    def rows(self) -> Iterator[ResultRow]:
        """Yield a row for each contact, in the order in which they were added."""
        self.counts.clear()
        query = """
            SELECT delivery, row, key, coalesce(contacts.vendor_id, results.vendor_id), status,
                coalesce(result, otherwise), at, details
            FROM contacts LEFT JOIN results ON results.contact = contacts.id ORDER BY contacts.id
        """
        for delivery, row, key, vendor_id, status, result, at, details in self._db.execute(query):
            self.counts[result or "none"] += 1
            yield ResultRow(
                delivery=delivery,
                row=row,
                key=key,
                vendor_id=vendor_id,
                status=status,
                result=result,
                result_at=at and _iso(at),
                details=details and json.loads(details),
            )

    def _new(self, campaign: str, found: ContactResult) -> list[int]:
        if campaign not in self._open or not found.names:
            return []
        delivery, rows = self._open[campaign]
        self._open[campaign] = delivery, rows + 1
        return [self._add_contact(campaign, delivery, Contacted(rows + 1, found.names[0][1], "accepted"))]

    def _add_contact(self, campaign: str, delivery: str, contact: Contacted) -> int:
        values = (delivery, contact.row, _clean(contact.key), _clean(contact.vendor_id), contact.status)
        new = self._db.execute(
            "INSERT INTO contacts (delivery, row, key, vendor_id, status, otherwise) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, contact.otherwise),
        ).lastrowid
        assert new is not None
        if contact.status in SENT:
            names = ((f"{campaign} {name}", new, person) for name, person in self._names_of(contact))
            self._db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", names)
        return new

    def _names_of(self, contact: Contacted) -> Iterator[tuple[str, str]]:
        """Yield the names under which the vendor may report a contact, and who that is."""
        if contact.vendor_id and "vendor_id" in self._kinds:
            name = f"vendor_id:{_clean(contact.vendor_id)}"
            yield name, name
            return
        for kind in self._kinds:
            if person := self._person(kind, contact.key):
                for name in {person.key} if kind == "id" else opt_out_keys(person, self._region):
                    yield name, person.key

    def _contacts_of(self, campaign: str, found: ContactResult) -> list[int]:
        """Return the contacts that an item is about: those whom the surest of its names fits."""
        for kind, value in found.names:
            if kind == "vendor_id":
                exact, perhaps = f"vendor_id:{_clean(value)}", set[str]()
            elif (person := self._person(kind, value)) is None:
                continue
            elif kind == "id":
                exact, perhaps = person.key, set()
            else:
                exact, perhaps = contact_keys(person, self._region)
            for names in ({exact}, perhaps):
                contacts, persons = self._named({f"{campaign} {name}" for name in names})
                # A number that is written as within a country may be that of several persons.
                if contacts and (names == {exact} or len(persons) == 1):
                    return contacts
        return []

    def _named(self, names: set[str]) -> tuple[list[int], set[str]]:
        marks = ", ".join("?" * len(names))
        query = f"SELECT contact, person FROM names WHERE name IN ({marks})"  # noqa: S608 - marks only
        found = self._db.execute(query, tuple(names)).fetchall() if names else []
        return sorted({contact for contact, _ in found}), {person for _, person in found}

    def _person(self, kind: NameKind, value: str | None) -> Person | None:
        if kind == "vendor_id":
            return None
        with suppress(UnreadableError):
            return read_person(kind, _clean(value), self._region)
        return None


def _counts(new: tuple[int, float | None], before: tuple[int, float | None]) -> bool:
    """Whether an item counts in place of an earlier one: the highest rank, then the latest."""
    if new[0] != before[0]:
        return new[0] > before[0]
    return new[1] is None or before[1] is None or new[1] >= before[1]


def _clean(text: str | None) -> str | None:
    """Return a stranger's text as any database takes it."""
    return text if text is None else text.encode(errors="replace").decode().replace("\0", "?")


def _details(details: Mapping[str, Any]) -> str | None:
    if not details:
        return None
    try:
        text = json.dumps(details, default=str)
    except (ValueError, RecursionError):
        return json.dumps({"left_out": "no JSON"})
    return text if len(text) <= LONGEST_DETAILS else json.dumps({"left_out": f"{len(text):,} characters"})


def _seconds(at: datetime | None) -> float | None:
    """Return seconds since the epoch; None for a year that can be none of a result."""
    return at.timestamp() if at and 1970 < at.year < 9999 else None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
