"""Who an Exotel campaign rings: checked as a whole, since one number that cannot be rung fails the campaign."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from airflow_provider_campaigns.delivery.plan.batches import allowed
from airflow_provider_campaigns.delivery.plan.sources import Row, Source, open_source
from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.parameters import parse_list
from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.exotel.campaign import MOST_LISTS, check_number, known_region
from airflow_provider_campaigns.vendors.exotel.contact_lists import MOST_CONTACTS, MOST_IN_A_LIST

# The column that is rung; Exotel's own name for it in "create-contacts".
NUMBER = "number"


@dataclass(frozen=True)
class Recipients:
    """
    Who is rung: lists that Exotel has already, or phone numbers, all of which can be rung.

    :param lists: ids of contact lists.
    :param source: where the numbers come from, None with ``lists``.
    :param count: how many numbers there are, and ``repeated`` how many of them were given before.
    :param fingerprint: tells these numbers from others.
    """

    lists: Sequence[str] = ()
    source: Source | None = field(default=None, repr=False)
    count: int = 0
    repeated: int = 0
    fingerprint: str = ""

    def counts(self, *, repeat: bool) -> dict[str, int]:
        """
        Return the numbers by status, once the vendor took them, and the requests that took them there.

        :param repeat: a number is rung as often as it is given.
        """
        duplicate = 0 if repeat else self.repeated
        requests = ceil(self.count / MOST_CONTACTS)
        return {"accepted": self.count - duplicate, "duplicate": duplicate, "requests": requests}

    def numbers(self) -> Iterator[str]:
        """Yield the numbers as they were given."""
        for row in self.source.read() if self.source else ():
            yield str(row.fields.get(NUMBER)).strip()


def recipients(hook: ExotelHook, *, numbers: Any, lists: Any, contacts: Any, region: str | None = None) -> Recipients:
    """
    Return who is rung.

    :param hook: the connection: its ``only_recipients`` counts, and its ``region`` where none is given.
    :raises InputError: not exactly one is given, or one number cannot or must not be rung; its row is named.
    """
    given = {name: value for name, value in (("numbers", numbers), ("lists", lists), ("contacts", contacts)) if value}
    if len(given) != 1:
        raise InputError("numbers, lists, contacts", "exactly one of them", " and ".join(given) or "none")
    if lists:
        if hook.only_recipients:
            expected = "numbers or contacts: only_recipients of the connection cannot be checked against lists"
            raise InputError("lists", expected, "lists")
        return Recipients(lists=parse_list("lists", lists))
    if numbers:
        source = open_source([{NUMBER: number} for number in parse_list("numbers", numbers)], "numbers")
    else:
        source = open_source(contacts)
    return _checked(source, known_region(region) or hook.region, hook.only_recipients)


def _checked(source: Source, region: str | None, patterns: Sequence[str]) -> Recipients:
    most = MOST_LISTS * MOST_IN_A_LIST
    count, seen, fingerprint = 0, set(), hashlib.sha256()
    for count, row in enumerate(source.rows_with([(NUMBER,)]), 1):
        where = f"{source.name}, row {row.number}"
        number = _number(row, where, region)
        if patterns and not allowed(Contact(number, {}), patterns):
            raise InputError(where, "a number that only_recipients of the connection allows", number)
        if count > most:
            raise InputError(source.name, f"at most {most:,} numbers, in {MOST_LISTS} lists", "more")
        seen.add(number)
        fingerprint.update(f"{number}\n".encode())
    return Recipients((), source, count, count - len(seen), fingerprint.hexdigest())


def _number(row: Row, where: str, region: str | None) -> str:
    if row.problem:
        raise InputError(where, "a row that can be read", row.problem)
    try:
        return check_number(row.fields.get(NUMBER), region)
    except InvalidContactError as error:
        raise InputError(where, error.expected, row.fields.get(NUMBER)) from None
