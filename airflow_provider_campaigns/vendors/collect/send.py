"""Collect's contacts: what a row becomes, and what a reply says of each contact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.identity import Kind
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.parameters import check_text
from airflow_provider_campaigns.protocol.messages import Conversation, Sleep
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, Send
from airflow_provider_campaigns.vendors.collect.changes import due_text
from airflow_provider_campaigns.vendors.collect.checks import (
    check_campaign_id,
    check_data,
    check_object_or_list,
    check_overrides,
    samples_in,
)
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.replies import read_replies, read_reply
from airflow_provider_campaigns.vendors.common.addresses import EMAIL, addresses, read_recipients
from airflow_provider_campaigns.vendors.common.reply_values import UNMENTIONED, refused, text
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, expectations, given

BATCH_LIMIT = 50  # "up to 50 contacts per API call (considering your account's limitation)" (-send-multiple-requests)
ID_COLUMNS = ("contact", "contactId", "_id")
_OWN = frozenset({"email", "firstName", "lastName", "company", "data"})

# A look-up takes twice the default time-out of the request it is about.
LOOKUPS = 3
BETWEEN_LOOKUPS = 30.0
FOUND = "found at the vendor after a try that ended early"
NOT_FOUND = ContactReply("unknown", reason="a try ended while it was being sent, and the vendor shows no request")
SEVERAL = ContactReply(
    "unknown",
    reason="a try ended while it was being sent, and the vendor shows several requests, perhaps of other runs",
)
NOT_FOUND_STATUS = 404

# What only the call for one contact is documented to take.
_SINGLE_ONLY = (
    "data",
    "created_by",
    "esign_docs",
    "esign_triggers",
    "send_completion_message",
    "send_rejection_message",
    "send_reopen_message",
)


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


EXPECTED = {**expectations(CollectContact), **dict.fromkeys(ID_COLUMNS, "a contact id")}
_KINDS: Mapping[str, Kind] = {"email": "email", **dict.fromkeys(ID_COLUMNS, "id")}


@dataclass(frozen=True)
class SendCollectRequest(Send):
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
    :param send_completion_message: whether a request that becomes completed sends the campaign's message; likewise
        ``send_rejection_message`` and ``send_reopen_message``. None: as the campaign says. Sends contact by contact.
    :param esign_docs: ``esignDocs`` as the vendor wants it, an object or a list; likewise ``esign_triggers``. Sends
        contact by contact.
    :param overrides: any other fields of the call, by the vendor's names.
    :raises InputError: no campaign; a due date without a time zone; several samples when contacts are sent one by one;
        something in place of a list or an object; an override of what the other parameters set.
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
    send_completion_message: bool | None = None
    send_rejection_message: bool | None = None
    send_reopen_message: bool | None = None
    esign_docs: Mapping[str, Any] | Sequence[Any] | None = field(default=None, repr=False)
    esign_triggers: Mapping[str, Any] | Sequence[Any] | None = field(default=None, repr=False)
    overrides: Mapping[str, Any] | None = field(default=None, repr=False)

    vendor = Collect.vendor
    recipient_fields = _KINDS
    # Not the ids: a column "ID" or "Contact" of a CRM is the contact's custom data.
    own_fields = ("email", "firstName", "lastName", "company")
    required = (("email", *ID_COLUMNS),)

    def __post_init__(self) -> None:
        check_campaign_id(self.campaign_id)
        due_text(self.due_date)
        if isinstance(self.items, str) or not isinstance(self.items, Sequence | None):
            raise InputError("items", "a list of ids", type(self.items).__name__)
        check_data(self.data)
        samples_in(self.samples)
        for name in ("created_by", "assigned_to"):
            check_text(name, getattr(self, name), "text")
        for name in ("esign_docs", "esign_triggers"):
            check_object_or_list(name, getattr(self, name))
        if self._one_by_one and len(self._samples) > 1:
            expected = f"one sample when {' or '.join(self._one_by_one)} is given"
            raise InputError("samples", expected, f"{len(self._samples)} samples")
        check_overrides(self.overrides)

    @property
    def channel(self) -> str:
        """The vendor, whose campaign says it; without messages nobody is contacted."""
        return self.vendor if self.send_message else ""

    @property
    def campaign(self) -> str:
        """The campaign."""
        return self.campaign_id

    @property
    def batch_limit(self) -> int:
        """Contacts per call: one when a field is given that only the call for one contact is documented to take."""
        return 1 if self._one_by_one else BATCH_LIMIT

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
        row, persons, normalised = read_recipients(row, _KINDS, EXPECTED)
        if known:
            body = checked(KnownContact, {"contact": row[known[0]]})
            person = persons[known[0]]
            return Contact(person.text, body, (), person.key, (person,), normalised)
        body = checked(CollectContact, _with_customs(row))
        person = persons["email"]
        return Contact(person.text, body, addresses(body), person.key, (person,), normalised)

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """
        Send one batch, resent or not: Collect has no words for "already there". Raises as ``retry.exchange``.

        A contact id that Collect does not know refuses the whole call with 404, as does an unknown campaign. If it is
        not the campaign, contacts with ids are sent one by one, and only those that are refused again are ``rejected``.
        """
        try:
            return (yield from self._send(contacts))
        except CallRefusedError as error:
            if error.status != NOT_FOUND_STATUS or not any(map(_is_known, contacts)):
                raise
            refusal = error
        try:
            yield from self.dialect.get_campaign(self.campaign_id)
        except CallRefusedError:
            raise refusal from None
        if len(contacts) == 1:
            return [refused(contacts[0], refusal.message)]
        return (yield from self._send_apart(contacts))

    def _send(self, contacts: Sequence[Contact]) -> Conversation[Sequence[ContactReply]]:
        """Make one call."""
        sent = [contact.body.get("contact", contact.body) for contact in contacts]
        if len(sent) == 1 and len(self._samples) <= 1:
            reply = yield from self.dialect.send_request(self.campaign_id, sent[0], self._options(single=True))
            return [read_reply(contacts[0], reply)]
        reply = yield from self.dialect.send_requests(self.campaign_id, sent, self._options(single=False))
        return read_replies(contacts, reply)

    def _send_apart(self, contacts: Sequence[Contact]) -> Conversation[Sequence[ContactReply]]:
        """
        Send contacts with an e-mail together, and those with an id one by one.

        What ends the calls is raised only as long as nobody was sent to; after that the rest is ``unknown``.
        """
        new = [position for position, contact in enumerate(contacts) if not _is_known(contact)]
        known = [[position] for position, contact in enumerate(contacts) if _is_known(contact)]
        replies: dict[int, ContactReply] = {}
        rest = UNMENTIONED
        try:
            for positions in filter(None, [new, *known]):
                ends = yield from self._send_group([contacts[position] for position in positions])
                replies.update(zip(positions, ends, strict=True))
        except (CallRefusedError, VendorUnavailableError) as error:
            if all(reply.status == "rejected" for reply in replies.values()):
                raise
            rest = ContactReply("unknown", f"not sent: {_masked(error, contacts)}")
        return [replies.get(position, rest) for position in range(len(contacts))]

    def _send_group(self, group: Sequence[Contact]) -> Conversation[Sequence[ContactReply]]:
        """Make one of several calls: contacts that are refused, or whose fate is unknown, do not end the others."""
        try:
            return (yield from self._send(group))
        except CallRefusedError as error:
            if error.status != NOT_FOUND_STATUS or not all(map(_is_known, group)):
                raise
            return [refused(contact, error.message) for contact in group]
        except RequestRejectedError as error:
            return [refused(contact, error.message) for contact in group]
        except OutcomeUnknownError as error:
            return [ContactReply("unknown", _masked(error, group))] * len(group)

    def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
        """
        Look for the campaign's requests to these contacts, three times over a minute; see ``protocol.send.LooksUp``.

        A contact given by its id alone cannot be searched for. Of two requests to one contact either may be another
        run's: the contact is ``unknown``.
        """
        began = datetime.fromtimestamp(since, UTC)
        found: dict[str, ContactReply] = {}
        for attempt in range(LOOKUPS):
            missing = [contact for contact in contacts if not _is_known(contact) and contact.key not in found]
            if missing and attempt:
                yield Sleep(BETWEEN_LOOKUPS, "collect: a request that was sent may show up a little later")
            for contact in missing:
                requests = yield from self.dialect.find_requests(self.campaign_id, contact.body["email"], began)
                if requests:
                    found[contact.key] = _found(requests)
        return [found.get(contact.key, NOT_FOUND) for contact in contacts]

    @property
    def _one_by_one(self) -> list[str]:
        """The parameters given that only -send-a-new-request has."""
        return [name for name in _SINGLE_ONLY if getattr(self, name) not in (None, "", {}, [])]

    @property
    def _samples(self) -> Sequence[Mapping[str, str]]:
        return samples_in(self.samples)

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
            "esignDocs": self.esign_docs,
            "esignTriggers": self.esign_triggers,
        }
        flags = {
            "sendMessage": None if self.send_message else False,
            "sendCompletionMessage": self.send_completion_message,
            "sendRejectionMessage": self.send_rejection_message,
            "sendReopenMessage": self.send_reopen_message,
        }
        given_options = {name: value for name, value in options.items() if value}
        given_flags = {name: value for name, value in flags.items() if value is not None}
        return {**given_options, **given_flags, **(self.overrides or {})}


def _with_customs(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the columns that Collect has no field for under ``data``."""
    customs = {name: value for name, value in row.items() if name not in _OWN}
    own = {name: value for name, value in row.items() if name in _OWN}
    if customs and isinstance(own.get("data", {}), Mapping):
        own["data"] = {**own.get("data", {}), **customs}
    return own


def _is_known(contact: Contact) -> bool:
    """Whether a contact is given by the id that Collect has for it."""
    return "contact" in contact.body


def _found(requests: Sequence[Mapping[str, Any]]) -> ContactReply:
    if len(requests) > 1:
        return SEVERAL
    (request,) = requests
    return ContactReply("accepted", FOUND, text(request.get("_id")), text(request.get("portalUrl")))


def _masked(error: Exception, contacts: Iterable[Contact]) -> str:
    return mask(str(error), (name for contact in contacts for name in (contact.key, *contact.addresses)))
