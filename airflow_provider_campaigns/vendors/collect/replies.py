"""What a reply to requests says of each contact."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_campaigns.identity import UnreadableError, read_email
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.reply_values import (
    FITS_SEVERAL,
    MENTIONED_TWICE,
    UNMENTIONED,
    items,
    mapping,
    masked,
    refused,
    text,
    words,
)

# Errors that are read of one reply: more than contacts could be refused for.
MOST_ERRORS = 1_000
# An e-mail address in a text, from its last character before the "@" on: to look for its begin takes time.
_ADDRESS = re.compile(r"[^@\s]@[^@\s.]+\.[^@\s.]")

UNREADABLE = ContactReply("unknown", reason="neither a request nor errors in the reply")


def read_reply(contact: Contact, reply: Mapping[str, Any]) -> ContactReply:
    """Return what the reply to a request for one contact says of it."""
    return _read(contact, [reply.get("request")], words(reply.get("errors")))


def read_replies(contacts: Sequence[Contact], reply: Mapping[str, Any]) -> list[ContactReply]:
    """
    Return what the reply to requests for many contacts says of each, in order.

    A request is matched by its contact's e-mail or id; one that fits several contacts decides none of them. An error,
    whose form is not published, concerns the contacts that it names. One that names nobody concerns everybody when no
    request was made at all; with requests beside it, it is unknown whom.
    """
    requests = reply.get("requests")
    errors = reply.get("errors") or []
    errors = [*map(_Error, errors[:MOST_ERRORS])] if isinstance(errors, list) else [_Error(errors)]
    made, doubtful = _matched(contacts, items(requests))
    none_made = requests == [] or requests is None
    of_all = [none_made and not _names_somebody(contacts, error) for error in errors]

    def reply_to(position: int, contact: Contact) -> ContactReply:
        mine = made.get(position, [])
        if not mine and position in doubtful:
            return FITS_SEVERAL
        pairs = zip(errors, of_all, strict=True)
        said = words([error.value for error, concerns_all in pairs if concerns_all or error.names(contact)])
        return _read(contact, mine, said) if mine or said else UNMENTIONED

    return [reply_to(position, contact) for position, contact in enumerate(contacts)]


def _matched(contacts: Sequence[Contact], requests: Sequence[Any]) -> tuple[Mapping[int, list[Any]], set[int]]:
    """Return the requests of each contact, by its position, and the positions of those whom some fit with others."""
    positions: dict[str, set[int]] = defaultdict(set)
    for position, contact in enumerate(contacts):
        positions[contact.persons[0].identity].add(position)
    made: dict[int, list[Any]] = defaultdict(list)
    doubtful: set[int] = set()
    for request in requests:
        fitting = {position for name in _names(request) for position in positions.get(name, ())}
        if len(fitting) == 1:
            made[fitting.pop()].append(request)
        else:
            doubtful |= fitting
    return made, doubtful


def is_sent_to(request: Any, campaign_id: str, email: str) -> bool:
    """Whether a request is one of a campaign, to an e-mail address."""
    given = mapping(request)
    address = _mailbox(mapping(given.get("contact")).get("email"))
    return given.get("campaignId") in (None, campaign_id) and address == _mailbox(email)


def _read(contact: Contact, requests: Sequence[Any], errors: str) -> ContactReply:
    """
    Return what became of one contact, given the requests made for it and the errors that concern it.

    Errors beside a request that was made (it has an id) are kept as its message: what they refuse is not the request.
    """
    if len(requests) > 1:
        return MENTIONED_TWICE
    request = mapping(requests[0]) if requests else {}
    vendor_id = text(request.get("_id"))
    if request.get("status") == "error":
        return refused(contact, errors or "sending failed", vendor_id=vendor_id)
    if vendor_id:
        message = masked(errors, contact) or None
        return ContactReply("accepted", vendor_id=vendor_id, url=text(request.get("portalUrl")), message=message)
    return refused(contact, errors) if errors else UNREADABLE


def _mailbox(email: object) -> str:
    """Return what all spellings of an e-mail address share, empty when it is none."""
    try:
        return read_email(email).identity
    except UnreadableError:
        return ""


def _names(request: Any) -> set[str]:
    """Return the identities that a request's contact may have: of its e-mail, and its id."""
    contact = mapping(request).get("contact")
    named = mapping(contact)
    return {text(contact) or "", _mailbox(named.get("email")), text(named.get("_id")) or ""} - {""}


class _Error:
    """
    An error of a reply to many contacts, whose form is not published.

    :param value: as it stands in the reply.
    """

    def __init__(self, value: object) -> None:
        self.value = value
        self.said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        self._folded = self.said.casefold()

    def names(self, contact: Contact) -> bool:
        """Whether it names the contact, wherever: its whole key, not as part of a longer address or word."""
        # The search that takes longer is seldom needed.
        if contact.key.casefold() not in self._folded:
            return False
        name = re.escape(contact.key)
        return bool(re.search(rf"(?<![\w.+-]){name}(?![\w-]|\.\w)", self.said, re.IGNORECASE))


def _names_somebody(contacts: Sequence[Contact], error: _Error) -> bool:
    """Whether an error names one of the contacts, or somebody else."""
    fields = mapping(error.value)
    return (
        any(map(error.names, contacts))
        or any(fields.get(name) for name in ("contact", "contactId", "email"))
        or bool(_ADDRESS.search(error.said))
    )
