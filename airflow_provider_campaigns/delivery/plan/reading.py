"""Makes rows into contacts: chooses columns, checks contacts, takes out repeats and opt-outs."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_campaigns.delivery.plan.column_names import OwnNames
from airflow_provider_campaigns.delivery.plan.exclusions import Excluded, Exclusions
from airflow_provider_campaigns.delivery.plan.key_set import KeySet
from airflow_provider_campaigns.delivery.plan.sources import Fields, Row
from airflow_provider_campaigns.delivery.plan.sources.values import is_plain, is_small, is_storable
from airflow_provider_campaigns.delivery.record.outcome import Outcome, outcome
from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.identity import AllowList, spellings
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.history import MAYBE_SUPPRESSED, SUPPRESSED

if TYPE_CHECKING:
    from airflow_provider_campaigns.protocol.send import Contact, Send

log = logging.getLogger(__name__)

# Rows that are checked at a time: for each visit to the keys on disk another thread takes over for a moment.
ROWS_AT_A_TIME = 200

# Characters of what identifies a row that cannot be sent: there may be anything in its place.
LONGEST_KEY = 100

# Characters of a contact's fields: thousands of contacts are in memory at a time, and a packed file of some megabytes
# may have lines of ten each.
LONGEST_CONTACT = 100_000

NOT_STORABLE = "a value holds a NUL character or a lone surrogate"
TOO_LONG = f"its fields have more than {LONGEST_CONTACT:,} characters"
REPEATED = "the contacts have it more than once"
REPEATED_PERSON = "an earlier row has the same phone number or e-mail address"
EXCLUDED = "in exclude"
MAYBE_EXCLUDED = "may be somebody in exclude: without + and country code the number may be one of several countries"
NOT_ALLOWED = "not in only_recipients of the connection"
LEFT_OUT = frozenset({EXCLUDED, MAYBE_EXCLUDED, NOT_ALLOWED, SUPPRESSED, MAYBE_SUPPRESSED})
"""Reasons of contacts that could be sent, but are not to be."""
_EXCLUSION_REASONS = {Excluded.YES: EXCLUDED, Excluded.MAYBE: MAYBE_EXCLUDED}

NATIONAL = (
    "contacts: row %s has a phone number without a country code, and perhaps others have. Two spellings of a number "
    "may count as two people: write numbers with + and country code, or set region (an extra of the connection, and a "
    "parameter of the operator)"
)

Entry = tuple[int, "Contact | Outcome"]
"""The number of a row of the source, with the contact to be sent, or the outcome of a row that is not to be sent."""


def always_invalid(line: Outcome) -> bool:
    """Whether it is the outcome of a row that nobody can be sent to, whoever is left out."""
    return line["status"] == "invalid" and line["reason"] not in LEFT_OUT


class Tally:
    """What was seen of the contacts while they were read."""

    normalised = 0
    """Contacts whose address was cleaned, in the last pass that came to the end of the source."""
    warned = False
    """Whether the log has the warning of national forms."""


@dataclass(frozen=True)
class Reading:
    """
    How rows become contacts.

    :param send: the vendor's send: what a contact is.
    :param columns: ``{vendor field: source column}``; None takes every column as it is named.
    :param excluded: persons not to be contacted.
    :param only_recipients: patterns of those who may be contacted; empty allows everybody.
    :param allow_repeats: send to a person again when the source repeats it.
    :param tally: what was seen so far.
    """

    send: Send
    columns: Mapping[str, str] | None = None
    excluded: Exclusions | None = None
    only_recipients: Sequence[str] = ()
    allow_repeats: bool = False
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)

    # --- columns

    def fields(self, row: Fields) -> Fields:
        """
        Return the vendor fields of a source row.

        :raises InputError: two columns are the same field.
        """
        if self.columns is None:
            return _renamed(row, self._own_names)
        row = _renamed(row, self._source_names)
        return {name: row[column] for name, column in self._columns.items() if column in row}

    def renamed(self, row: Fields) -> Fields:
        """
        Return a row with the vendor's names for its fields.

        :raises InputError: two columns are the same field.
        """
        return _renamed(row, self._own_names)

    def names(self, columns: Iterable[str]) -> Iterable[str]:
        """
        Return the columns of a source with the names that ``columns`` has for them, or else the vendor for its fields.

        :raises InputError: two columns are the same field.
        """
        return _renamed(dict.fromkeys(columns), self._own_names if self.columns is None else self._source_names)

    def required(self) -> list[Sequence[str]]:
        """
        Return the groups of source columns that must be there.

        :raises InputError: ``columns`` lacks a field that the vendor needs.
        """
        if self.columns is None:
            return list(self.send.required)
        for group in self.send.required:
            if not set(group) & set(self._columns):
                raise InputError("columns", f"an entry for {' or '.join(map(repr, group))}", sorted(self.columns))
        return [(column,) for column in self._columns.values()]

    @cached_property
    def _own_names(self) -> OwnNames:
        return OwnNames(self.send.own_fields)

    @cached_property
    def _source_names(self) -> OwnNames:
        return OwnNames(self._columns.values(), exact=True)

    @cached_property
    def _columns(self) -> Mapping[str, str]:
        return self.renamed(self.columns or {})

    # --- contacts

    def entries(self, rows: Iterable[Row]) -> Iterator[Entry]:
        """Yield every row as a contact, or as the outcome it ends with when it is not to be sent."""
        rows = iter(rows)
        seen = KeySet()
        normalised = 0
        while some := [(row.number, self._contact(row)) for row in islice(rows, ROWS_AT_A_TIME)]:
            normalised += sum(not isinstance(contact, dict) and contact.normalised for _, contact in some)
            entries = some if self.allow_repeats else _without_repeats(some, seen)
            yield from self._without_left_out(entries) if self._leaves_out else entries
        self.tally.normalised = normalised

    def _contact(self, row: Row) -> Contact | Outcome:
        if row.problem:
            return outcome(row.number, None, "invalid", row.problem)
        try:
            fields = self.fields(row.fields)
        except InputError as error:
            return outcome(row.number, self._named_by(row.fields), "invalid", str(error))
        if not is_plain(fields, LONGEST_CONTACT):
            if not is_storable(fields):
                return outcome(row.number, self._named_by(fields), "invalid", NOT_STORABLE)
            if not is_small(fields, LONGEST_CONTACT):
                return outcome(row.number, self._named_by(fields), "invalid", TOO_LONG)
        try:
            contact = self.send.contact(fields)
        except InvalidContactError as error:
            return outcome(row.number, self._named_by(fields), "invalid", str(error))
        if contact.recipients and contact.recipients[0].form == "national":
            self._warn(row.number)
        return contact

    def _named_by(self, fields: Fields) -> str | None:
        """Return what identifies a row that cannot be sent, as it stands there: its key, else its first value."""
        values = [*(fields.get(name) for name in self.send.key_fields), *fields.values()]
        texts = (str(value).strip() for value in values if isinstance(value, (str, int, float)))
        return next((text[:LONGEST_KEY] for text in texts if text and is_storable({"": text})), None)

    def _warn(self, row: int) -> None:
        """Warn of a number that may be another spelling of one that has a country code."""
        if self.may_warn and not self.tally.warned:
            self.tally.warned = True
            log.warning(NATIONAL, row)

    @property
    def may_warn(self) -> bool:
        """Whether a contact may be a phone number whose country is not known."""
        return self.send.region is None and "phone" in self.send.recipient_fields.values()

    def left_out(self) -> str:
        """Return a digest of the persons who are left out; empty when there are none."""
        if not self._leaves_out:
            return ""
        excluded = self.excluded.digest() if self.excluded else ""
        return hashlib.sha256("\n".join([excluded, *sorted(self.only_recipients)]).encode()).hexdigest()

    @property
    def _leaves_out(self) -> bool:
        """Whether there are contacts that are not to be sent to."""
        return self.excluded is not None or bool(self.only_recipients)

    @cached_property
    def _allowed(self) -> AllowList:
        return AllowList(self.only_recipients)

    def _without_left_out(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """
        Yield ``entries``, but for those that are not to be sent to: their outcomes.

        Who was left out counts as seen: an earlier try, of which they were not left out yet, may have sent to them.
        """
        contacts = {row: contact for row, contact in entries if not isinstance(contact, dict)}
        answers = self.excluded.answers(list(contacts.values())) if self.excluded else [Excluded.NO] * len(contacts)
        reasons = {row: _EXCLUSION_REASONS.get(answer) for row, answer in zip(contacts, answers, strict=True)}
        for row, contact in entries:
            if isinstance(contact, dict):
                yield row, contact
            elif reason := reasons[row]:
                yield row, outcome(row, contact.key, "invalid", reason)
            elif not all(map(self._allowed.allows, contact.persons)):
                yield row, outcome(row, contact.key, "invalid", NOT_ALLOWED)
            else:
                yield row, contact


def _renamed(row: Fields, names: OwnNames) -> Fields:
    renames = names.renames(row)
    return {renames.get(name, name): value for name, value in row.items()} if renames else row


def _without_repeats(rows: Sequence[Entry], seen: KeySet) -> list[Entry]:
    """Return ``rows``, but for a person who is in ``seen`` or was among them before: the outcome of such a contact."""
    identities = [None if isinstance(contact, dict) else contact.identity or contact.key for _, contact in rows]
    there = seen.add_all(dict.fromkeys(identity for identity in identities if identity is not None))
    entries: list[Entry] = []
    for (number, contact), identity in zip(rows, identities, strict=True):
        if identity is None or isinstance(contact, dict):
            entries.append((number, contact))
        elif identity in there:
            entries.append((number, outcome(number, contact.key, "duplicate", _repeat_reason(contact))))
        else:
            there.add(identity)
            entries.append((number, contact))
    return entries


def _repeat_reason(contact: Contact) -> str:
    """Return why a contact is a duplicate: where the vendor contacts an address, another id does not help."""
    by_address = contact.identity in {one.key for one in contact.recipients if one.text != contact.key}
    return REPEATED_PERSON if by_address else REPEATED


def masked(text: str, contacts: Iterable[Contact]) -> str:
    """Return ``text`` without the keys and addresses of ``contacts``, however they are spelt."""
    known = {value for one in contacts for value in (one.key, *one.addresses, *spellings(one.recipients))}
    return mask(text, known)
