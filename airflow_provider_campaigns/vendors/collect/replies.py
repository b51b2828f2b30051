"""What a reply to requests says of each contact."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_campaigns.identity import UnreadableError, read_email
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.addresses import EMAIL
from airflow_provider_campaigns.vendors.common.reply_values import (
    MENTIONED_TWICE,
    UNMENTIONED,
    items,
    mapping,
    refused,
    text,
    words,
)

UNREADABLE = ContactReply("unknown", reason="neither a request nor errors in the reply")


def read_reply(contact: Contact, reply: Mapping[str, Any]) -> ContactReply:
    """Return what the reply to a request for one contact says of it."""
    return _read(contact, [reply.get("request")], words(reply.get("errors")))


def read_replies(contacts: Sequence[Contact], reply: Mapping[str, Any]) -> list[ContactReply]:
    """
    Return what the reply to requests for many contacts says of each, in order.

    A request is matched by its contact's e-mail or id. An error, whose form is not published, concerns the contacts
    that it names. One that names nobody concerns everybody when no request was made at all; with requests beside it,
    it is unknown whom.
    """
    requests = reply.get("requests")
    errors = reply.get("errors") or []
    errors = errors if isinstance(errors, list) else [errors]
    made = defaultdict(list)
    for request in items(requests):
        for name in _names(request):
            made[name].append(request)
    none_made = requests == [] or requests is None
    of_all = [error for error in errors if none_made and not _names_somebody(contacts, error)]

    def reply_to(contact: Contact) -> ContactReply:
        mine = made[contact.persons[0].identity]
        said = words([error for error in errors if error in of_all or _is_named(contact, error)])
        return _read(contact, mine, said) if mine or said else UNMENTIONED

    return [reply_to(contact) for contact in contacts]


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
        message = mask(errors, contact.addresses) or None
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


def _is_named(contact: Contact, error: object) -> bool:
    """Whether an error names the contact, wherever: its whole key, not as part of a longer address or word."""
    name = re.escape(contact.key)
    return bool(re.search(rf"(?<![\w.+-]){name}(?![\w-]|\.\w)", _said(error), re.IGNORECASE))


def _names_somebody(contacts: Sequence[Contact], error: object) -> bool:
    """Whether an error names one of the contacts, or somebody else."""
    fields = mapping(error)
    return (
        any(_is_named(contact, error) for contact in contacts)
        or any(fields.get(name) for name in ("contact", "contactId", "email"))
        or bool(re.search(EMAIL, _said(error)))
    )


def _said(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
