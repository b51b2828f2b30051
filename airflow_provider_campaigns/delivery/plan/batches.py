"""From rows to batches: columns chosen, contacts checked, repeats and opt-outs taken out, earlier tries respected."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_campaigns.delivery.plan.key_set import KeySet
from airflow_provider_campaigns.delivery.plan.sources import Fields, Row, Source
from airflow_provider_campaigns.delivery.record.outcome import Outcome, outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.masking import mask

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.send import Contact, Send

# Rows that are not sent are settled with the batch around them; this many close a batch by themselves.
MOST_ROWS = 5_000

# Rows that are checked at a time: for each visit to the keys on disk another thread takes over for a moment.
ROWS_AT_A_TIME = 200

# What is written between the digits of a phone number.
_SEPARATORS = re.compile(r"[\s().-]")
_PHONE_PATTERN = re.compile(r"\+[\d\s().*?-]+")

# A number with a fraction or an exponent; an e-mail address, or the digits of a phone number.
_SPREADSHEET_NUMBER = re.compile(r"\d+\.0+|\d+(\.\d+)?[eE]\+?\d+")
_PLAIN_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+|\d{5,15}")

HALF = "its key or an address holds half of a character"
REPEATED = "the contacts have it more than once"
EXCLUDED = "in exclude"
NOT_ALLOWED = "not in only_recipients of the connection"
LEFT_OUT = frozenset({EXCLUDED, NOT_ALLOWED})
"""Reasons of contacts that could be sent, but are not to be."""


Entry = tuple[int, "Contact | Outcome"]
"""The number of a row of the source, with the contact to be sent, or the outcome of a row that is not to be sent."""


class Fingerprint:
    """Tells one sequence of contacts from another; of those that were added so far."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, row: int, contact: Contact | Outcome) -> None:
        """Take in the next row."""
        key = contact["key"] if isinstance(contact, dict) else contact.key
        self._hash.update(f"{row}\0{key}\n".encode())

    def hexdigest(self) -> str:
        """Return it as text."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows that are settled together.

    :param rows: the range of the source they fill.
    :param contacts: those to be sent, each with its row number.
    :param outcomes: the ends of the rows that are not sent.
    :param fingerprint: of all contacts up to the last of these rows.
    :param earlier: an earlier try may have sent these rows.
    """

    rows: Rows
    contacts: Sequence[tuple[int, Contact]] = field(repr=False)
    outcomes: Sequence[Outcome] = field(repr=False)
    fingerprint: str
    earlier: bool = False


@dataclass(frozen=True)
class Reading:
    """
    How rows become contacts.

    :param send: the vendor's send: what a contact is.
    :param columns: ``{vendor field: source column}``; None takes every column as it is named.
    :param excluded: addresses and keys not to be contacted (normalised).
    :param only_recipients: patterns of allowed addresses; empty allows everybody.
    :param allow_repeats: send to a key again when the source repeats it.
    """

    send: Send
    columns: Mapping[str, str] | None = None
    excluded: KeySet | None = None
    only_recipients: Sequence[str] = ()
    allow_repeats: bool = False

    def fields(self, row: Fields) -> Fields:
        """Return the vendor fields of a source row."""
        if self.columns is None:
            return row
        return {name: row[column] for name, column in self.columns.items() if column in row}

    def required(self) -> list[Sequence[str]]:
        """
        Return the groups of source columns that must be there.

        :raises InputError: ``columns`` leaves out a field the vendor needs.
        """
        if self.columns is None:
            return list(self.send.required)
        for group in self.send.required:
            if not set(group) & set(self.columns):
                raise InputError("columns", f"an entry for {' or '.join(map(repr, group))}", sorted(self.columns))
        return [(column,) for column in self.columns.values()]

    def entries(self, rows: Iterable[Row]) -> Iterator[Entry]:
        """Yield every row as a contact, or as the outcome it ends with when it is not to be sent."""
        rows = iter(rows)
        seen = KeySet()
        while some := [(row.number, self._contact(row)) for row in islice(rows, ROWS_AT_A_TIME)]:
            entries = some if self.allow_repeats else _without_repeats(some, seen)
            yield from map(self._unless_left_out, entries) if self._leaves_out else entries

    def batches(
        self, source: Source, size: int, settled: RowSet | None = None, unresolved: RowSet | None = None
    ) -> Iterator[Batch]:
        """
        Yield the batches that are still to be dealt with, in the order of the source.

        :param source: all contacts, from the first row.
        :param size: contacts a batch takes at the most; ``MOST_ROWS`` rows close one, too.
        :param settled: rows that are done; none by default.
        :param unresolved: rows that come in batches of their own, marked ``earlier``.
        """
        done, in_doubt = settled or (), unresolved or ()
        fingerprint = Fingerprint()
        contacts: list[tuple[int, Contact]] = []
        outcomes: list[Outcome] = []
        first = last = 0
        earlier = False
        for row, contact in self.entries(source.read()):
            is_done = row in done
            is_earlier = not is_done and row in in_doubt
            full = len(contacts) == size and not isinstance(contact, dict)
            if first and (is_done or is_earlier != earlier or full or len(contacts) + len(outcomes) == MOST_ROWS):
                yield Batch(Rows(first, last), contacts, outcomes, fingerprint.hexdigest(), earlier)
                contacts, outcomes, first = [], [], 0
            fingerprint.add(row, contact)
            if is_done:
                continue
            first, last, earlier = first or row, row, is_earlier
            if isinstance(contact, dict):
                outcomes.append(contact)
            else:
                contacts.append((row, contact))
        if first:
            yield Batch(Rows(first, last), contacts, outcomes, fingerprint.hexdigest(), earlier)

    def _contact(self, row: Row) -> Contact | Outcome:
        if row.problem:
            return outcome(row.number, None, "invalid", row.problem)
        try:
            contact = self.send.contact(self.fields(row.fields))
        except InvalidContactError as error:
            return outcome(row.number, None, "invalid", str(error))
        if not _is_whole("".join((contact.key, *contact.addresses))):
            return outcome(row.number, None, "invalid", HALF)
        return contact

    def left_out(self) -> str:
        """Return what tells those who are left out from those of another try; empty: nobody is."""
        if not self._leaves_out:
            return ""
        excluded = self.excluded.digest() if self.excluded else ""
        return hashlib.sha256("\n".join([excluded, *sorted(self.only_recipients)]).encode()).hexdigest()

    @property
    def _leaves_out(self) -> bool:
        """Whether there are contacts that are not to be sent to."""
        return self.excluded is not None or bool(self.only_recipients)

    def _unless_left_out(self, entry: Entry) -> Entry:
        """
        Return an entry, or the outcome of one that is not to be sent to.

        What was left out counts as seen: an earlier try, of which it was not left out yet, may have sent to it.
        """
        row, contact = entry
        if isinstance(contact, dict):
            return entry
        if self.excluded and any(normalise(name) in self.excluded for name in (contact.key, *contact.addresses)):
            return row, outcome(row, contact.key, "invalid", EXCLUDED)
        if self.only_recipients and not allowed(contact, self.only_recipients):
            return row, outcome(row, contact.key, "invalid", NOT_ALLOWED)
        return entry


def _is_whole(text: str) -> bool:
    """Whether ``text`` can be written down: what comes from JSON may hold surrogates, which no file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_repeats(rows: Sequence[Entry], seen: KeySet) -> Iterator[Entry]:
    """Yield ``rows``, but for a contact that is in ``seen`` or was among them before: its outcome."""
    identities = [None if isinstance(contact, dict) else contact.identity or contact.key for _, contact in rows]
    there = seen.add_all(dict.fromkeys(identity for identity in identities if identity is not None))
    for (number, contact), identity in zip(rows, identities, strict=True):
        if identity is None or isinstance(contact, dict):
            yield number, contact
        elif identity in there:
            yield number, outcome(number, contact.key, "duplicate", REPEATED)
        else:
            there.add(identity)
            yield number, contact


def read_exclusions(source: Source, reading: Reading) -> KeySet:
    """
    Return what ``exclude`` names: keys and addresses of contacts that must not be contacted.

    Taken from the fields that identify a contact at the vendor (after ``columns``), from the only column of a source
    that has one, and from a list of plain strings.

    :raises InputError: the source cannot be read, or a row names nobody who could be among the contacts: somebody who
        opted out would be sent to.
    """
    keys = KeySet()
    identifying = sorted({name for group in reading.send.required for name in group})
    for row in source.read():
        if row.problem:
            raise InputError(source.name, "rows that can be read", f"row {row.number}: {row.problem}")
        fields = dict(row.fields) | dict(reading.fields(row.fields))
        named = {name: fields[name] for name in identifying if name in fields}
        if not named and len(row.fields) != 1:
            wanted = f"a column {' or '.join(map(repr, identifying))}, or one column only"
            raise InputError(source.name, wanted, f"row {row.number} with {', '.join(map(repr, row.fields))}")
        for name, value in named.items() or row.fields.items():
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            if problem := _names_nobody(reading.send, [name] if name in named else identifying, value):
                raise InputError(source.name, problem, f"row {row.number}: {value!r}")
            keys.add(normalise(str(value)))
    return keys


def _names_nobody(send: Send, names: Iterable[str], value: object) -> str | None:
    """
    Return what was expected, if no contact of ``send`` could have this value in one of these fields; else None.

    A wrong one is no opt-out that may be passed over: it is a number that a spreadsheet has changed, or another format.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return "text or whole numbers"
    text = str(value)
    if not _is_whole(text):
        return "whole characters"
    if _SPREADSHEET_NUMBER.fullmatch(text.strip()):
        return "numbers as text, not as a spreadsheet shows them"
    if _PLAIN_ADDRESS.fullmatch(normalise(text)):
        return None
    problems = [_problem(send, name, text) for name in names]
    return None if None in problems else problems[0]


def _problem(send: Send, name: str, value: str) -> str | None:
    try:
        send.contact({name: value})
    except InvalidContactError as error:
        # Other fields that a contact needs are of no matter.
        return f"{name}: {error.expected}" if error.field == name else None
    return None


def normalise(address: str) -> str:
    """Return an address in the form two spellings of it share: no case, no separators in a phone number, no ``+``."""
    digits = _SEPARATORS.sub("", address).replace("+", "")
    return digits if digits.isdigit() else address.strip().casefold()


def allowed(contact: Contact, patterns: Iterable[str]) -> bool:
    """
    Whether every address of ``contact`` (its key, when it has none) fits one of the shell-style ``patterns``.

    A pattern with ``+`` wants it in the number, too: a local number may begin like another country's code.
    """
    patterns = [_SEPARATORS.sub("", text) if _PHONE_PATTERN.fullmatch(text) else text.casefold() for text in patterns]

    def fits(name: str) -> bool:
        forms = {name.strip().casefold(), _SEPARATORS.sub("", name), normalise(name)}
        return any(fnmatchcase(form, pattern) for form in forms for pattern in patterns)

    return all(map(fits, contact.addresses or (contact.key,)))


def masked(text: str, contacts: Iterable[Contact]) -> str:
    """Return ``text`` without the keys and addresses of ``contacts``."""
    return mask(text, (value for contact in contacts for value in (contact.key, *contact.addresses)))
