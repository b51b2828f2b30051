"""What a reply of the links or the send call says of each contact."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.reply_values import (
    FITS_SEVERAL,
    MENTIONED_TWICE,
    REFUSED,
    UNMENTIONED,
    items,
    mapping,
    refused,
    text,
    whole_number,
    words,
)

# What names a contact in a reply, the surest first.
NAMES = ("extUniqueId", "email", "mobile")

_URL = re.compile(r"https?://[^\s<>\"']+")

NO_LINK = "no link in the reply"
CONTRADICTED = "the reply's counts contradict its list"


def read_reply(contacts: Sequence[Contact], reply: Mapping[str, Any], *, links: bool) -> list[ContactReply]:
    """
    Return what the reply says of each contact, in order.

    ``data`` lists who was taken; ``rejected_list``, whose form is not published (texts, or objects that name the
    contact, are both read), who was not. Only a contact listed once, in one of them, has a certain end, and only when
    the counts agree. An item that fits several contacts (a number that two share) decides none of them.

    - ``rejected`` counts more than ``rejected_list`` names: the contacts nobody mentions are ``rejected`` if there are
      exactly that many of them, else ``unknown``.
    - ``accepted`` counts fewer than ``data`` lists: all of these are ``unknown``, but for a link in hand.
    - ``data`` is absent or empty, and ``accepted`` counts exactly the contacts that ``rejected_list`` does not name:
      these are ``accepted`` (the form of the send call's reply is not published; it may have no links to list).

    :param links: the reply is of the links call: a contact without a link is ``unknown``.
    """
    named = _Named(contacts)
    taken, rejected = named.by(reply.get("data")), named.by(reply.get("rejected_list"))
    accepted_count, rejected_count = whole_number(reply.get("accepted")), whole_number(reply.get("rejected"))
    doubtful = taken.doubtful | rejected.doubtful
    unmentioned = len(contacts) - len(taken.items.keys() | rejected.items.keys() | doubtful)
    others = UNMENTIONED
    if unmentioned and unmentioned == (rejected_count or 0) - len(rejected.items) - rejected.ambiguous:
        others = ContactReply("rejected", reason=REFUSED)
    elif not links and not reply.get("data") and rejected_count == len(rejected.items) + rejected.ambiguous:
        others = ContactReply("accepted") if accepted_count == len(contacts) - rejected_count else UNMENTIONED
    doubted = accepted_count is not None and accepted_count < len(taken.items)

    def reply_to(position: int, contact: Contact) -> ContactReply:
        done, refusals = taken.items.get(position, []), rejected.items.get(position, [])
        if len(done) + len(refusals) > 1:
            return MENTIONED_TWICE
        if refusals:
            return refused(contact, _reason(refusals[0]))
        if done:
            return _taken(done[0], links=links, doubted=doubted)
        return FITS_SEVERAL if position in doubtful else others

    return [reply_to(position, contact) for position, contact in enumerate(contacts)]


class _Mentions(NamedTuple):
    """
    Whom the items of a list name.

    :param items: those that name one contact, by its position in the batch.
    :param doubtful: the positions of contacts that an item may name, beside others.
    :param ambiguous: how many such items there are.
    """

    items: Mapping[int, list[Any]]
    doubtful: set[int]
    ambiguous: int


class _Named:
    """Finds the contacts of a batch that an item of a reply names."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self.names = [{name: _folded(contact.body.get(name)) for name in NAMES} for contact in contacts]
        self.positions: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in NAMES}
        for position, names in enumerate(self.names):
            for name, value in names.items():
                if value:
                    self.positions[name][value].append(position)
            if names["extUniqueId"] in {names["email"], names["mobile"]}:
                # It says no more than the address, and the vendor may answer with an id of its own.
                names["extUniqueId"] = ""

    def by(self, listed: Any) -> _Mentions:
        """Return whom the items of a list name."""
        found: dict[int, list[Any]] = defaultdict(list)
        doubtful: set[int] = set()
        ambiguous = 0
        for item in items(listed):
            positions = self._positions(item)
            if len(positions) == 1:
                found[positions[0]].append(item)
            elif positions:
                doubtful.update(positions)
                ambiguous += 1
        return _Mentions(found, doubtful, ambiguous)

    def _positions(self, item: Any) -> list[int]:
        if not isinstance(item, Mapping):
            value = _folded(item)
            return sorted({position for name in NAMES for position in self.positions[name].get(value, ())})
        said = {name: value for name in NAMES if (value := _folded(item.get(name)))}
        candidates = {position for name, value in said.items() for position in self.positions[name].get(value, ())}
        return sorted(position for position in candidates if self._agrees(position, said))

    def _agrees(self, position: int, said: Mapping[str, str]) -> bool:
        """Whether the surest name that both have is the same: an address may be shared, an ``extUniqueId`` not."""
        names = self.names[position]
        return next((names[name] == said[name] for name in NAMES if name in said and names[name]), True)


def _taken(item: Any, *, links: bool, doubted: bool) -> ContactReply:
    message = text(mapping(item).get("message"))
    link = _URL.search(message or "")
    url = link.group().rstrip(".,;:!?)]}") if link else None
    if links and not url:
        return ContactReply("unknown", reason=NO_LINK, message=message)
    if doubted and not links:
        return ContactReply("unknown", reason=CONTRADICTED, message=message)
    # The message is kept as it is: for links it is the very text to deliver.
    return ContactReply("accepted", url=url, message=message)


def _reason(item: Any) -> str | None:
    """Return the vendor's words on a refused contact, if it has any."""
    said = mapping(item)
    return words({name: said[name] for name in ("message", "reason", "error") if name in said}) or None


def _folded(value: object) -> str:
    return (text(value) or "").lower()
