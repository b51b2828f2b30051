"""Reads the parts of a vendor's reply, whatever their type, and puts into words what became of a contact."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.exceptions import LONGEST_MESSAGE
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.protocol.send import Contact, ContactReply

# An access token is in a header of each request, and Airflow looks for it in each line of its logs.
_TOKEN = re.compile(r"[!-~]{1,16000}")

# More digits are none of a count or a status.
_WHOLE = re.compile(r"-?[0-9]{1,18}")

REFUSED = "refused by the vendor"
UNMENTIONED = ContactReply("unknown", reason="not in the reply")
FITS_SEVERAL = ContactReply("unknown", reason="the reply names it in a way that fits several contacts")
MENTIONED_TWICE = ContactReply("unknown", reason="more than once in the reply")


def refused(contact: Contact, words: str | None = None, *, vendor_id: str | None = None) -> ContactReply:
    """
    Return the reply for a contact the vendor refused.

    :param words: the vendor's; the contact's addresses in them are hidden.
    """
    return ContactReply("rejected", reason=REFUSED, vendor_id=vendor_id, message=words and masked(words, contact))


def masked(words: str, contact: Contact) -> str:
    """Return a vendor's words without a contact's addresses; of a long text no more than is shown in the end."""
    return mask(words[: 8 * LONGEST_MESSAGE], contact.addresses)


def text(value: object) -> str | None:
    """Return a reply's text or id as text; None for anything else, and for nothing."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def access_token(value: object) -> str | None:
    """Return an access token of a reply; None for anything else, also for what can be no header of a request."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def whole_number(value: object) -> int | None:
    """Return a whole number of a reply, also one that is text there; None for anything else."""
    written = text(value)
    return int(written) if written and _WHOLE.fullmatch(written) else None


def mapping(value: object) -> Mapping[str, Any]:
    """Return an object of a reply; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """Return a list of a reply; an empty one for anything else."""
    return value if isinstance(value, list) else []


def words(errors: object) -> str:
    """Return errors of unknown form (a text, an object with a message, a list of them) as one line; empty when none."""
    if isinstance(errors, list):
        # An empty error in a list is an error all the same.
        return "; ".join(_words(error) or json.dumps(error) for error in errors)
    return _words(errors)


def _words(error: object) -> str:
    if not error or isinstance(error, str):
        return str(error or "")
    said = mapping(error)
    named = next(filter(None, (text(said.get(name)) for name in ("message", "reason", "error"))), None)
    return named or json.dumps(error)
