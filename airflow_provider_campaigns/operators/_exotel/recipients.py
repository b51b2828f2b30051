"""The recipients of an Exotel campaign, checked as a whole: one invalid number fails the campaign."""

from __future__ import annotations

import hashlib
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from airflow_provider_campaigns.delivery.plan.column_names import OwnNames
from airflow_provider_campaigns.delivery.plan.reading import NATIONAL
from airflow_provider_campaigns.delivery.plan.sources import Options, Row, Source, open_source
from airflow_provider_campaigns.exceptions import InputError, InvalidContactError, NoContactsError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.identity import AllowList, Person, known_region
from airflow_provider_campaigns.parameters import only_one, parse_list
from airflow_provider_campaigns.protocol.history import HeldBack
from airflow_provider_campaigns.vendors.exotel.campaign import MOST_LISTS, read_number
from airflow_provider_campaigns.vendors.exotel.contact_lists import MOST_CONTACTS, MOST_IN_A_LIST

log = logging.getLogger(__name__)

# The column that is rung; Exotel's own name for it in "create-contacts".
NUMBER = "number"
# Characters of a wrong number that a message shows.
LONGEST_SHOWN = 40


@dataclass(frozen=True)
class CampaignRecipients:
    """
    Who is rung: lists that Exotel has already, or phone numbers, all of which can be rung.

    :param lists: ids of contact lists.
    :param source: where the numbers come from, None with ``lists``.
    :param region: country of numbers without ``+``.
    :param count: how many numbers there are, and ``repeated`` how many of them were given before, in any spelling.
    :param normalised: how many are not sent as they stand in the source.
    :param fingerprint: of the numbers, in their order and as they are sent.
    :param made_for: of the people who are rung, or the lists, in any order and spelling.
    :param held_back: who of them is not rung, by row: over a cap, or on the suppression list.
    """

    lists: Sequence[str] = ()
    source: Source | None = field(default=None, repr=False)
    region: str | None = None
    count: int = 0
    repeated: int = 0
    normalised: int = 0
    fingerprint: str = ""
    made_for: str = ""
    held_back: Mapping[int, HeldBack] = field(default_factory=dict, repr=False)

    def count_rung(self, *, repeat: bool) -> int:
        """Return how many numbers are rung; ``repeat``: as often as they are given."""
        return (self.count if repeat else self.count - self.repeated) - len(self.held_back)

    def counts(self, *, repeat: bool) -> dict[str, int]:
        """Return the numbers by status, once the vendor took them, and the requests that took them there."""
        accepted = self.count_rung(repeat=repeat)
        requests = ceil(accepted / MOST_CONTACTS)
        held_back = Counter(held.status for held in self.held_back.values())
        return {
            "contacts": self.count,
            "accepted": accepted,
            "duplicate": 0 if repeat else self.repeated,
            "invalid": held_back["invalid"],
            "capped": held_back["capped"],
            "requests": requests,
            "normalised": self.normalised,
        }

    def identify_rung(self, *, repeat: bool) -> list[Any]:
        """Return what is the same if the same numbers are rung in the same order."""
        held_back = hashlib.sha256(repr(sorted(self.held_back)).encode()).hexdigest()
        return [self.fingerprint, repeat, *([held_back] if self.held_back else [])]

    def numbers(self, *, repeat: bool) -> Iterator[str]:
        """
        Yield the numbers that are rung, as they are sent.

        :param repeat: as often as they are given; else only the first spelling of each.
        :raises InputError: at the end, if they were not those that were checked.
        """
        return (person.text for row, person in self.people(repeat=repeat) if row not in self.held_back)

    def people(self, *, repeat: bool) -> Iterator[tuple[int, Person]]:
        """
        Yield who would be rung if nobody were held back, with the rows.

        :raises InputError: at the end, if they were not those that were checked.
        """
        seen, fingerprint = set[str](), hashlib.sha256()
        name = self.source.name if self.source else ""
        for row in self.source.read() if self.source else ():
            person = _person(row, name, self.region)
            fingerprint.update(f"{person.text}\n".encode())
            if repeat or person.identity not in seen:
                seen.add(person.identity)
                yield row.number, person
        if self.source and fingerprint.hexdigest() != self.fingerprint:
            raise InputError(name, "the same numbers whenever they are read", "others the second time")


def recipients(
    hook: ExotelHook,
    *,
    numbers: Any,
    lists: Any,
    contacts: Any,
    region: str | None = None,
    options: Options | None = None,
) -> CampaignRecipients:
    """
    Return who is rung.

    :param hook: the connection: its ``only_recipients`` counts, and its ``region`` where none is given.
    :param options: how text files of ``contacts`` are read.
    :raises InputError: not exactly one is given, or one number cannot or must not be rung; its row is named.
    """
    three = {"numbers": numbers, "lists": lists, "contacts": contacts}
    empty = [name for name in ("numbers", "contacts") if _is_empty(three[name])]
    if len(empty) == 1 and all(value is None or name in empty for name, value in three.items()):
        raise NoContactsError(empty[0], "at least one contact", "none")
    given = only_one(three)
    if given == "lists":
        if hook.only_recipients:
            expected = "numbers or contacts: only_recipients of the connection cannot be checked against lists"
            raise InputError("lists", expected, "lists")
        ids = parse_list("lists", lists)
        return CampaignRecipients(lists=ids, made_for=_digest(sum(map(_number_of, map(str, ids)))))
    if given == "numbers":
        source = open_source([{NUMBER: number} for number in parse_list("numbers", numbers)], "numbers")
    else:
        source = _with_number(open_source(contacts, options=options))
    return _checked(source, known_region(region) or hook.region, hook.only_recipients)


def _is_empty(value: Any) -> bool:
    """Whether a list or a table is given that has no rows; a blank text is nothing that is given."""
    return value is not None and not isinstance(value, str) and hasattr(value, "__len__") and not len(value)


def _with_number(source: Source) -> Source:
    """Return contacts whose column is ``number``, in whatever spelling it is there."""
    names = OwnNames((NUMBER,))

    def read() -> Iterator[Row]:
        for row in source.read():
            renames = names.renames(row.fields)
            fields = {renames.get(name, name): value for name, value in row.fields.items()} if renames else row.fields
            yield row._replace(fields=fields)

    columns = source.columns
    if columns is not None:
        renames = names.renames(columns)
        columns = [renames.get(name, name) for name in columns]
    return replace(source, read=read, columns=columns)


def _checked(source: Source, region: str | None, patterns: Sequence[str]) -> CampaignRecipients:
    most = MOST_LISTS * MOST_IN_A_LIST
    allowed = AllowList(patterns)
    count, normalised, national, together = 0, 0, 0, 0
    seen, fingerprint = set[str](), hashlib.sha256()
    for count, row in enumerate(source.rows_with([(NUMBER,)]), 1):
        person = _person(row, source.name, region)
        if not allowed.allows(person):
            where = f"{source.name}, row {row.number}"
            raise InputError(where, "a number that only_recipients of the connection allows", person.text)
        if count > most:
            raise InputError(source.name, f"at most {most:,} numbers, in {MOST_LISTS} lists", "more")
        seen.add(person.identity)
        normalised += person.text != str(row.fields[NUMBER])
        national = national or (row.number if person.form == "national" else 0)
        together += _number_of(person.identity)
        fingerprint.update(f"{person.text}\n".encode())
    if national:
        log.warning(NATIONAL, national)
    repeated = count - len(seen)
    return CampaignRecipients(
        (), source, region, count, repeated, normalised, fingerprint.hexdigest(), _digest(together)
    )


def _number_of(person: str) -> int:
    """Return a number that stands for a person: the sum of all is the same in any order."""
    return int.from_bytes(hashlib.sha256(person.encode()).digest())


def _digest(together: int) -> str:
    return hashlib.sha256(str(together).encode()).hexdigest()[:32]


def _person(row: Row, source: str, region: str | None) -> Person:
    where = f"{source}, row {row.number}"
    if row.problem:
        raise InputError(where, "a row that can be read", row.problem)
    try:
        return read_number(row.fields.get(NUMBER), region)
    except InvalidContactError as error:
        raise InputError(where, error.expected, _shown(row.fields.get(NUMBER))) from None


def _shown(value: object) -> object:
    """Return a value for a message, which masks it, if it is near a number: other text may be any file's content."""
    text = str(value)
    near = value is None or (len(text) <= LONGEST_SHOWN and re.fullmatch(r"[\d\s().+-]*", text))
    return value if near else f"{type(value).__name__} that is no number"
