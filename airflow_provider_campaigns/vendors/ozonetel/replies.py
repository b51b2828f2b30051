"""What a reply to leads says of each of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.reply_values import (
    FITS_SEVERAL,
    MENTIONED_TWICE,
    UNMENTIONED,
    mapping,
    masked,
    refused,
    text,
)
from airflow_provider_campaigns.vendors.ozonetel.dialect import SUCCESS

SENT_BEFORE = "in the campaign already: from the request whose reply was lost, or from before it"
UNCLEAR = "the reply does not say what became of it"

# Digits that a country code has at the most, and those that a number without one has at the least.
COUNTRY_CODE = 3
NATIONAL = 7


def lead_reply(contact: Contact, words: str, *, done: bool, resent: bool) -> ContactReply:
    """
    Return what the vendor's words mean for one lead.

    :param done: they come with a success.
    :param resent: an earlier request, whose reply was lost, may have added the lead. The vendor does not say since
        when it has a number: it may as well have been there before, so it is a duplicate all the same.
    """
    message = masked(words, contact) or None
    if is_there(words):
        return ContactReply("duplicate", SENT_BEFORE if resent else None, message=message)
    if done:
        return ContactReply("accepted", message=message)
    return ContactReply("unknown", reason=UNCLEAR, message=message)


def is_there(words: str) -> bool:
    """Whether the campaign has the number: "Number Already Exist", "Number Already Existed"."""
    # "Campaign xxxxx Is Already Started" is a success.
    return "already exist" in words.casefold()


def row_replies(contacts: Sequence[Contact], rows: Sequence[Any], *, resent: bool) -> list[ContactReply]:
    """
    Return what the rows of a bulk reply say of each lead, in order.

    Rows are read as the bulk call's forerunner gives them, ``{"PhoneNumber", "Status"}``, and as the call for scheduled
    leads does, ``{"PhoneNumber", "Response", "msg"}``. A number may come back with or without its country code. A row
    that fits several leads decides none of them.
    """
    numbers = _Numbers(contacts)
    found: dict[int, list[_Row]] = defaultdict(list)
    doubtful: set[int] = set()
    for row in map(_row, rows):
        positions = numbers.positions(row.number)
        if len(positions) == 1:
            found[positions[0]].append(row)
        else:
            doubtful.update(positions)

    def reply_to(position: int, contact: Contact) -> ContactReply:
        mine = found[position]
        if len(mine) > 1:
            return MENTIONED_TWICE
        if mine:
            return _read(contact, mine[0], resent=resent)
        return FITS_SEVERAL if position in doubtful else UNMENTIONED

    return [reply_to(position, contact) for position, contact in enumerate(contacts)]


class _Row(NamedTuple):
    number: str
    words: str
    done: bool


class _Numbers:
    """Finds the leads of a batch by their numbers."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self._national = [_digits(contact.key).lstrip("0") for contact in contacts]
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._by_end: dict[str, list[int]] = defaultdict(list)
        for position, contact in enumerate(contacts):
            self._exact[_digits(contact.key)].append(position)
            self._by_end[self._national[position][-NATIONAL:]].append(position)

    def positions(self, number: str) -> list[int]:
        """Return the positions of the leads that ``number`` (digits) may be: those it equals, else those it ends as."""
        if not number:
            return []
        national = number.lstrip("0")
        alike = self._by_end.get(national[-NATIONAL:], ())
        return self._exact.get(number) or [
            position for position in alike if _differ_by_country_code(self._national[position], national)
        ]


def _differ_by_country_code(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= NATIONAL and long.endswith(short) and len(long) - len(short) <= COUNTRY_CODE


def _row(given: Any) -> _Row:
    row = mapping(given)
    status = _first(row, "Response", "response", "Status", "status")
    words = _first(row, "msg", "message", "Message") or status
    done = status.casefold().startswith(SUCCESS)
    return _Row(_digits(_first(row, "PhoneNumber", "phoneNumber")), words, done)


def _first(row: Mapping[str, Any], *names: str) -> str:
    return next(filter(None, (text(row.get(name)) for name in names)), "")


def _read(contact: Contact, row: _Row, *, resent: bool) -> ContactReply:
    if not row.words:
        return UNMENTIONED
    if not row.done and not is_there(row.words):
        return refused(contact, row.words)
    return lead_reply(contact, row.words, done=row.done, resent=resent)


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)
