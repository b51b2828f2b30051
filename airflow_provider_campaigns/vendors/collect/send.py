"""Collect's contacts: what a row becomes, and what a reply says of each contact."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.parameters import check_id, check_text, parse_object
from airflow_provider_campaigns.protocol.messages import Conversation, Sleep
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.collect.dialect import Collect, due_text
from airflow_provider_campaigns.vendors.common.addresses import EMAIL, addresses
from airflow_provider_campaigns.vendors.common.reply_values import (
    MENTIONED_TWICE,
    UNMENTIONED,
    items,
    mapping,
    refused,
    text,
    words,
)
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, given

BATCH_LIMIT = 50  # "up to 50 contacts per API call (considering your account's limitation)" (-send-multiple-requests)
ID_COLUMNS = ("contact", "contactId", "_id")
_OWN = frozenset({"email", "firstName", "lastName", "company", "data"})

# A look-up takes twice the default time-out of the request it is about.
LOOKUPS = 3
BETWEEN_LOOKS = 30.0
FOUND = "found at the vendor after a try that ended early"
NOT_FOUND = ContactReply("unknown", reason="a try ended while it was being sent, and the vendor shows no request")
UNREADABLE = ContactReply("unknown", reason="neither a request nor errors in the reply")


class CollectContact(BaseModel):
    """A contact as in the page's sample; ``data`` holds what the account defines beside it."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[Text, StringConstraints(pattern=rf"^{EMAIL}$")] = Field(description="an e-mail address")
    firstName: Text | None = Field(None, description="text")  # noqa: N815 - Collect's names
    lastName: Text | None = Field(None, description="text")  # noqa: N815
    company: Text | None = Field(None, description="text")
    data: dict[str, Any] | None = Field(None, description="an object")


class KnownContact(BaseModel):
    """A contact that Collect has already."""

    model_config = ConfigDict(extra="forbid")

    contact: Text = Field(description="a contact id")


@dataclass(frozen=True)
class SendCollectRequest:
    """
    Requests of one campaign, one to each contact.

    :param dialect: the account.
    :param campaign_id: the campaign.
    :param items: ids of the elements to ask for; None: all of the campaign.
    :param data: custom data of the request; sends contact by contact.
    :param samples: samples of document elements, each ``{"itemId", "url"}``; one, or a list.
    :param due_date: a day, or a date and time with a time zone; also as ISO 8601 text.
    :param created_by: id of the user who sends; sends contact by contact.
    :param assigned_to: a team member's id or e-mail.
    :param send_message: False: the campaign's messages are not sent.
    :raises InputError: no campaign; a due date without a time zone; several samples with ``data`` or ``created_by``;
        something in place of a list or an object.
    """

    dialect: Collect
    campaign_id: str
    items: Sequence[str] | None = None
    data: Mapping[str, Any] | None = field(default=None, repr=False)
    samples: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None
    due_date: date | str | None = None
    created_by: str | None = None
    assigned_to: str | None = None
    send_message: bool = True

    def __post_init__(self) -> None:
        check_id("campaign_id", self.campaign_id, "the id of a campaign")
        due_text(self.due_date)
        if isinstance(self.items, str) or not isinstance(self.items, Sequence | None):
            raise InputError("items", "a list of ids", type(self.items).__name__)
        parse_object("data", self.data)
        if isinstance(self.samples, str) or not isinstance(self.samples, Mapping | Sequence | None):
            raise InputError("samples", "an object, or a list of them", type(self.samples).__name__)
        for sample in self._samples:
            parse_object("samples", sample)
        for name in ("created_by", "assigned_to"):
            check_text(name, getattr(self, name), "text")
        if self._one_by_one and len(self._samples) > 1:
            raise InputError("samples", "one sample when data or created_by is given", f"{len(self._samples)} samples")

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.dialect.vendor

    @property
    def campaign(self) -> str:
        """The campaign."""
        return self.campaign_id

    @property
    def identity(self) -> Mapping[str, str]:
        """The campaign."""
        return {"campaign": self.campaign_id}

    @property
    def batch_limit(self) -> int:
        """Contacts per call: the call that takes many knows neither ``data`` nor ``createdBy``."""
        return 1 if self._one_by_one else BATCH_LIMIT

    @property
    def requests_per_minute(self) -> float | None:
        """None: no limit is published."""
        return None

    @property
    def required(self) -> Sequence[Sequence[str]]:
        """An e-mail, or the id of an existing contact."""
        return (("email", *ID_COLUMNS),)

    @property
    def safe_to_resend(self) -> str:
        """Empty: a request that is repeated reaches the contact twice."""
        return ""

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row: an existing one when the row is an id alone, else a new one by its e-mail.

        Columns that Collect has no field for go into the contact's ``data``. The key is the e-mail (two spellings are
        one person), or the id.

        :raises InvalidContactError: no e-mail; an id with other columns, which Collect cannot take along.
        """
        row = given(fields)
        known = [name for name in ID_COLUMNS if name in row]
        if known and len(row) > 1:
            raise InvalidContactError(known[0], "an id alone in its row, or a contact's fields without an id", "both")
        if known:
            body = checked(KnownContact, {"contact": row[known[0]]})
            return Contact(key=body["contact"], body=body)
        body = checked(CollectContact, _with_customs(row))
        return Contact(body["email"], body, addresses(body), identity=body["email"].casefold())

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send one batch, resent or not: Collect has no words for "already there". Raises as ``retry.exchange``."""
        sent = [contact.body.get("contact", contact.body) for contact in contacts]
        if len(sent) == 1 and len(self._samples) <= 1:
            reply = yield from self.dialect.send_request(self.campaign_id, sent[0], self._options(single=True))
            return [_read(contacts[0], [reply.get("request")], words(reply.get("errors")))]
        reply = yield from self.dialect.send_requests(self.campaign_id, sent, self._options(single=False))
        return read_replies(contacts, reply)

    def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
        """
        Look for the campaign's requests to these contacts, three times over a minute; see ``protocol.sending.LooksUp``.

        A contact given by its id alone cannot be searched for.
        """
        began = datetime.fromtimestamp(since, UTC)
        found: dict[str, ContactReply] = {}
        for look in range(LOOKUPS):
            missing = [contact for contact in contacts if contact.addresses and contact.key not in found]
            if missing and look:
                yield Sleep(BETWEEN_LOOKS, "collect: a request that was sent may show up a little later")
            for contact in missing:
                requests = yield from self.dialect.find_requests(self.campaign_id, contact.body["email"], began)
                if requests:
                    url = text(requests[0].get("portalUrl"))
                    found[contact.key] = ContactReply("accepted", FOUND, text(requests[0].get("_id")), url)
        return [found.get(contact.key, NOT_FOUND) for contact in contacts]

    @property
    def _one_by_one(self) -> bool:
        return bool(self.data or self.created_by)

    @property
    def _samples(self) -> Sequence[Mapping[str, str]]:
        return [self.samples] if isinstance(self.samples, Mapping) else self.samples or []

    def _options(self, *, single: bool) -> dict[str, Any]:
        """Return the campaign's part of a call's body; ``sendMessage`` only when it is not the vendor's default."""
        samples = list(self._samples)
        options = {
            "items": list(self.items or ()),
            "data": self.data,
            "sample": samples[0] if samples and single else None,
            "samples": None if single else samples,
            "dueDate": due_text(self.due_date),
            "createdBy": self.created_by,
            "assignedTo": self.assigned_to,
        }
        message = {} if self.send_message else {"sendMessage": False}
        return {name: value for name, value in options.items() if value} | message


def read_replies(contacts: Sequence[Contact], reply: Mapping[str, Any]) -> list[ContactReply]:
    """
    Return what the reply to many says of each contact, in order.

    A request is matched by its contact's e-mail or id. An error, whose form is not published, concerns the contacts
    it names; when no request was made at all, it concerns everybody.
    """
    requests = reply.get("requests")
    errors = reply.get("errors") or []
    errors = errors if isinstance(errors, list) else [errors]
    made = defaultdict(list)
    for request in items(requests):
        for name in _names(request):
            made[name].append(request)
    nobody = requests == [] or requests is None

    def reply_to(contact: Contact) -> ContactReply:
        mine = made[contact.identity or contact.key]
        said = words([error for error in errors if nobody or _is_named(contact, error)])
        return _read(contact, mine, said) if mine or said else UNMENTIONED

    return [reply_to(contact) for contact in contacts]


def _read(contact: Contact, requests: Sequence[Any], errors: str) -> ContactReply:
    """Return what became of one contact, given the requests made for it and the errors that concern it."""
    if len(requests) > 1:
        return MENTIONED_TWICE
    request = mapping(requests[0]) if requests else {}
    vendor_id = text(request.get("_id"))
    if errors:
        return refused(contact, errors, vendor_id=vendor_id)
    if request.get("status") == "error":
        return refused(contact, "sending failed", vendor_id=vendor_id)
    if not vendor_id:
        return UNREADABLE
    return ContactReply("accepted", vendor_id=vendor_id, url=text(request.get("portalUrl")))


def _with_customs(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the columns that Collect has no field for under ``data``."""
    customs = {name: value for name, value in row.items() if name not in _OWN}
    own = {name: value for name, value in row.items() if name in _OWN}
    if customs and isinstance(own.get("data", {}), Mapping):
        own["data"] = {**own.get("data", {}), **customs}
    return own


def _names(request: Any) -> set[str]:
    """Return the names of a request's contact: its e-mail in lower case, and its id."""
    contact = mapping(request).get("contact")
    named = mapping(contact)
    return {text(contact) or "", (text(named.get("email")) or "").casefold(), text(named.get("_id")) or ""} - {""}


def _is_named(contact: Contact, error: object) -> bool:
    """Whether an error names the contact, wherever: its whole key, not as part of a longer address or word."""
    name = re.escape(contact.key)
    said = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
    return bool(re.search(rf"(?<![\w.+-]){name}(?![\w-]|\.\w)", said, re.IGNORECASE))
