"""Reads ``exclude``: each value is one person, or an error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_campaigns.delivery.plan.column_names import plain_name
from airflow_provider_campaigns.delivery.plan.key_set import KeySet
from airflow_provider_campaigns.delivery.plan.sources import Row, Source
from airflow_provider_campaigns.delivery.plan.sources.rows import PLAIN, shown_columns
from airflow_provider_campaigns.delivery.plan.sources.values import is_storable
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity import (
    Kind,
    Person,
    UnreadableError,
    contact_keys,
    opt_out_keys,
    read_certain,
    read_person,
    shown,
)
from airflow_provider_campaigns.identity.values import visible

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.plan.reading import Reading
    from airflow_provider_campaigns.protocol.send import Contact

# What people call a column of such values, in plain names; any other name may be that of something else.
_PHONE_NAMES = (
    "contactnumber",
    "mobile",
    "mobilenumber",
    "msisdn",
    "number",
    "phone",
    "phonenumber",
    "tel",
    "telephone",
)
_NAMES: Mapping[Kind, Sequence[str]] = {"phone": _PHONE_NAMES, "email": ("email", "emailaddress", "mail"), "id": ()}
# What separates the columns of a file whose format says something else.
_OTHER_SEPARATORS = re.compile(r"[;|\t]")


class Excluded(Enum):
    """Whether a contact opted out; ``MAYBE``: a number in a national form may be somebody who did."""

    NO = "no"
    YES = "yes"
    MAYBE = "maybe"


class Exclusions:
    """
    Persons who must not be contacted, on disk.

    :param region: as the persons are read with.
    """

    def __init__(self, region: str | None = None) -> None:
        self._region = region
        self._keys = KeySet()

    def add(self, person: Person) -> None:
        """Add a person."""
        for key in opt_out_keys(person, self._region):
            self._keys.add(key)

    def answers(self, contacts: Sequence[Contact]) -> list[Excluded]:
        """Return for each of some hundred contacts whether it opted out."""
        keys = list(map(self._keys_of, contacts))
        there = self._keys.find({key for certain, maybe in keys for key in certain | maybe})
        return [
            Excluded.YES if certain & there else Excluded.MAYBE if maybe & there else Excluded.NO
            for certain, maybe in keys
        ]

    def digest(self) -> str:
        """Return a digest that is different for other persons."""
        return self._keys.digest()

    def _keys_of(self, contact: Contact) -> tuple[set[str], set[str]]:
        # The key may be an id of the source's that the vendor does not contact.
        certain, maybe = {f"id:{contact.key.lower()}"}, set()
        for person in contact.persons:
            key, others = contact_keys(person, self._region)
            certain.add(key)
            maybe |= others
        return certain, maybe


def read_exclusions(source: Source, reading: Reading) -> Exclusions:
    """
    Return the persons that ``exclude`` names.

    They are taken from the fields that name a contact at the vendor (after ``columns``), from a list of plain values,
    or from the only column of a source, if that can hold nothing else.

    :raises InputError: the source cannot be read, or a value is not understood as one person of the kind that the send
        contacts: somebody who opted out would be sent to.
    """
    rows = _OptOuts(source, reading)
    if source.columns is not None:
        rows.check_header(source.columns)
    excluded = Exclusions(reading.send.region)
    for row in source.read():
        for person in rows.persons(row):
            excluded.add(person)
    return excluded


class _OptOuts:
    """Reads the rows of ``exclude``."""

    def __init__(self, source: Source, reading: Reading) -> None:
        self._where = source.name
        self._reading = reading
        self._region = reading.send.region
        self._kinds = reading.send.recipient_fields

    def check_header(self, columns: Sequence[str]) -> None:
        """
        Refuse a header by which no row can name a person, however few rows there are.

        :raises InputError: it is such a header, or the first row of a file without one.
        """
        if not self._named(dict.fromkeys(columns)):
            self._check_only_column(columns, "columns")

    def persons(self, row: Row) -> Iterable[Person]:
        """
        Return the persons that a row names: none only if all of it is blank.

        :raises InputError: this cannot be said for certain.
        """
        if row.problem:
            self._refuse(row, "rows that can be read", row.problem)
        if not is_storable(row.fields):
            self._refuse(row, "text without NUL characters and lone surrogates", "one of them")
        given = {name: value for name, value in row.fields.items() if not _is_blank(value)}
        if not given:
            return []
        if PLAIN in given:
            return self._plain(row, given[PLAIN])
        if named := self._named(row.fields):
            values = {name: value for name, value in named.items() if not _is_blank(value)}
            if not values:
                self._refuse(row, f"something in {_or(named)}", f"nothing there, but in {_or(given)}")
            return [
                self._person(row, kind, value)
                for name, value in values.items()
                for kind in self._kinds_of(self._kinds[name], value)
            ]
        self._check_only_column(list(row.fields), f"row {row.number} with")
        ((name, value),) = given.items()
        return [self._person(row, self._kind_of_only(row, name, value), value)]

    def _named(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the fields that name a contact, by their names at the vendor."""
        fields = {**self._reading.renamed(row), **self._reading.fields(row)}
        return {name: fields[name] for name in self._kinds if name in fields}

    def _check_only_column(self, columns: Sequence[str], where: str) -> None:
        only = {*self._kinds.values()} - {"id"}
        if len(columns) != 1 or not only or _OTHER_SEPARATORS.search(columns[0]):
            expected = f"a column {_or(self._kinds)}" + (", or one column only" if only else "")
            raise InputError(self._where, expected, f"{where} {shown_columns(columns)}")

    def _kinds_of(self, kind: Kind, value: object) -> Sequence[Kind]:
        """Return what a value is read as; where a vendor takes both, an id in the form of an address is one, too."""
        looks_like_email = kind == "id" and "email" in self._kinds.values() and "@" in visible(str(value))
        return ("email", "id") if looks_like_email else (kind,)

    def _kind_of_only(self, row: Row, name: str, value: object) -> Kind:
        """Return what the only column of a row holds, whose name is another than the vendor's."""
        for kind in ("phone", "email"):
            if kind in self._kinds.values() and (plain_name(name) in _NAMES[kind] or _is_certainly(kind, value)):
                return kind
        return self._refuse(row, f"a column {_or(self._kinds)}", f"{shown(repr(value))} in the column {name!r}")

    def _plain(self, row: Row, value: object) -> list[Person]:
        """Return the persons that a plain value names, given the kinds that the vendor takes."""
        kinds = {*self._kinds.values()}
        if len(kinds) == 1:
            return [self._person(row, kinds.pop(), value)]
        number = _read("phone", value, self._region) if "phone" in kinds else None
        persons = [self._person(row, kind, value) for kind in self._kinds_of("id", value)]
        return [*persons, number] if number else persons

    def _person(self, row: Row, kind: Kind, value: object) -> Person:
        try:
            return read_certain(kind, value, self._region)
        except UnreadableError as error:
            self._refuse(row, str(error), shown(repr(value)))

    def _refuse(self, row: Row, expected: str, got: str) -> NoReturn:
        raise InputError(self._where, expected, f"row {row.number}: {got}")


def _is_certainly(kind: Kind, value: object) -> bool:
    """Whether a value can only be an address of this kind: an e-mail, or a number with a country code."""
    person = _read(kind, value, None)
    return person is not None and (kind == "email" or person.text.startswith(("+", "00")))


def _read(kind: Kind, value: object, region: str | None) -> Person | None:
    try:
        return read_person(kind, value, region)
    except UnreadableError:
        return None


def _is_blank(value: object) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())  # noqa: PLR0124 - NaN


def _or(names: Iterable[str]) -> str:
    return " or ".join(map(repr, sorted(names)))
