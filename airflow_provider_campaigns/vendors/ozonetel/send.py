"""
Leads for an Ozonetel campaign: what a lead may hold, and the two calls that add them, one by one or 500 at a time.

Sources: docs.ozonetel.com/reference, "Add Campaign Data (Token authentication)" and "Add Campaign Bulk Data V4".
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    InvalidContactError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.identity import Kind
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response, Sleep
from airflow_provider_campaigns.protocol.retry import FIRST_BACKOFF, exchange
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, Send
from airflow_provider_campaigns.vendors.common.addresses import addresses, read_recipients
from airflow_provider_campaigns.vendors.common.reply_values import UNMENTIONED, refused
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, expectations, given
from airflow_provider_campaigns.vendors.ozonetel.action import CampaignAction
from airflow_provider_campaigns.vendors.ozonetel.checks import (
    A_PRIORITY,
    AN_EXPIRY,
    PRIORITY,
    check_campaign_name,
    check_expiry_date,
    check_lead_action,
    check_priority,
    expiry_text,
)
from airflow_provider_campaigns.vendors.ozonetel.dialect import (
    ADD_PATH,
    BULK_PATH,
    Ozonetel,
    message_of,
    reply_object,
    succeeded,
)
from airflow_provider_campaigns.vendors.ozonetel.replies import lead_reply, row_replies

# "Add Campaign Data": the answer to a wrong phone number names 3 to 16 digits and the prefix +.
PHONE = r"^\+?[0-9]{3,16}$"
# "Add Campaign Data": priority is 1 to 99.

# "Add Campaign Data": requests a minute. Its page for token authentication says nothing else.
LEADS_A_MINUTE = 100
# "Add Campaign Bulk Data V4": requests a minute, rows of one request, characters of one row, characters of a name.
BULKS_A_MINUTE = 5
BULK_ROWS = 500
BULK_ROW_LENGTH = 2_000
BULK_NAME = re.compile(r"[\w ().+$%:-]*")
# "Add Campaign Bulk Data V4": the names of its columns, in the order of the sample.
BULK_COLUMNS = {
    "phoneNumber": "PhoneNumber",
    "Name": "Name",
    "priority": "Priority",
    "expiryDate": "ExpiryDate",
    "agentId": "AgentId",
    "skill": "skill",
}
# "Add Campaign Data": the priority of a lead without one. An empty one is refused, and bulk rows cannot leave it out.
DEFAULT_PRIORITY = 1

# What the call holds beside the lead, set by the operator: a column of that name must not start a campaign.
RESERVED = frozenset({"campaignname", "action", "checkduplicate", "username", "apikey"})
# "Add Campaign Data": the order of the sample body.
BODY = (
    "campaignName",
    "phoneNumber",
    "Name",
    "action",
    "skill",
    "priority",
    "agentId",
    "expiryDate",
    "checkDuplicate",
    "userName",
)

DUPLICATE_CHECK = "the vendor's duplicate check: a number the campaign has is not added again"
QUEUED = "queued by the vendor, which adds the leads later"


class Routing(BaseModel):
    """How a lead is dialled: what a row may say for itself, and the operator for all rows."""

    skill: Text = Field(default="", description="the name of a skill (Skillwise campaigns)")
    priority: Annotated[Text, Field(pattern=PRIORITY)] = Field(default="", description=A_PRIORITY)
    agentId: Text = Field(default="", description="an agent's id (Agentwise campaigns)")  # noqa: N815
    expiryDate: Annotated[str, BeforeValidator(expiry_text)] = Field(  # noqa: N815
        default="", description=AN_EXPIRY
    )


class Lead(Routing):
    """One lead; other columns, mapped in the campaign, go along as they are."""

    model_config = ConfigDict(extra="allow")

    phoneNumber: Annotated[Text, Field(pattern=PHONE)] = Field(  # noqa: N815
        description="3 to 16 digits as text, with or without a leading +"
    )
    Name: Text = Field(default="", description="a name as text")


EXPECTED = expectations(Lead)
_KINDS: Mapping[str, Kind] = {"phoneNumber": "phone"}


@dataclass(frozen=True)
class _Leads(Send):
    """
    Adds leads to one campaign.

    :param dialect: the account.
    :param campaign_name: an outbound campaign.
    :param action: None only adds; ``START`` also starts the campaign, ``STOP`` also stops it, once in the delivery.
    :param check_duplicate: leave out numbers the campaign has; makes the call safe to resend.
    :param skill: for rows without one; likewise ``priority`` (1 to 99), ``agent_id`` and ``expiry_date`` (a date, or
        text as the vendor wants it; the vendor's time zone).
    :param region: country of phone numbers without ``+``, to know who is the same person.
    :raises InputError: one of these cannot be used.
    """

    dialect: Ozonetel
    campaign_name: str
    action: str | None = None
    check_duplicate: bool = True
    skill: str | None = None
    priority: int | str | None = None
    agent_id: str | int | None = None
    expiry_date: str | date | None = None
    region: str | None = None

    vendor = Ozonetel.vendor
    required = (("phoneNumber",),)
    recipient_fields = _KINDS
    channel = "call"
    own_fields = ("phoneNumber", "Name", "skill", "priority", "agentId", "expiryDate")

    def __post_init__(self) -> None:
        check_campaign_name(self.campaign_name)
        check_lead_action(self.action)
        check_priority(self.priority)
        check_expiry_date(self.expiry_date)
        checked(Routing, self._routing, InputError)

    @property
    def campaign(self) -> str:
        """The campaign's name."""
        return self.campaign_name

    @property
    def identity(self) -> Mapping[str, str]:
        """Campaign and account."""
        return {"campaign": self.campaign_name, "account": self.dialect.user_name}

    @property
    def safe_to_resend(self) -> str:
        """The duplicate check, if it is asked for."""
        return DUPLICATE_CHECK if self.check_duplicate else ""

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the lead made of one row; its key is the number as it is sent.

        :raises InvalidContactError: a field is wrong, or a column has the name of something the operator sets.
        """
        fields = given(fields)
        for name in fields:
            if name.casefold() in RESERVED:
                raise InvalidContactError(name, "no such column, the operator sets it (leave it out of columns)", "one")
        fields, persons, normalised = read_recipients(fields, self.recipient_fields, EXPECTED, self.region)
        lead = checked(Lead, {**self._routing, **fields})
        phone = lead["phoneNumber"]
        others = addresses({name: value for name, value in lead.items() if name not in BODY})
        person = persons["phoneNumber"]
        return Contact(phone, lead, tuple(dict.fromkeys((phone, *others))), person.key, (person,), normalised)

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """
        Send one batch; leads of which the reply says nothing are sent once more, if that is safe.

        :raises OutcomeUnknownError: also when the reply to leads that are safe to resend says nothing of any of them.
        """
        replies = yield from self._call(contacts, resent=resent)
        unclear = [position for position, reply in enumerate(replies) if reply.status == "unknown"]
        if not self.safe_to_resend or not unclear:
            return replies
        yield Sleep(FIRST_BACKOFF, f"ozonetel: the reply does not say what became of {len(unclear)} leads")
        replies = list(replies)
        try:
            again = yield from self._call([contacts[position] for position in unclear], resent=True)
        except VendorError as error:
            if len(unclear) == len(contacts):
                raise OutcomeUnknownError(error.vendor, error.message, status=error.status) from error
            return replies
        for position, reply in zip(unclear, again, strict=True):
            replies[position] = reply
        if all(reply.status == "unknown" for reply in replies):
            raise OutcomeUnknownError(self.vendor, str(replies[0].reason))
        return replies

    def resume(self) -> None:
        """Take note that an earlier try may have carried out the action; see ``protocol.send.Concludes``."""
        self._action.resume()

    def conclude(self) -> Conversation[str | None]:
        """Carry out what is left of the action; see ``protocol.send.Concludes``."""
        return (yield from self._action.conclude())

    def interrupted(self) -> str | None:
        """Return what the receipt of a try that ended early has to say of the action."""
        return self._action.interrupted()

    def _call(self, contacts: Sequence[Contact], *, resent: bool) -> Conversation[Sequence[ContactReply]]:
        """Make one call and return a reply per contact."""
        action = yield from self._action.take()
        try:
            replies, repeated = yield from self._send(contacts, action, resent=resent)
        except RequestRejectedError as refusal:
            self._action.refused(action)
            if self.batch_limit > 1:
                raise
            return [refused(contacts[0], refusal.message)]
        except (CallRefusedError, VendorUnavailableError):
            self._action.refused(action)
            raise
        self._action.replied(action, replies, repeated=repeated)
        return replies

    @cached_property
    def _routing(self) -> dict[str, Any]:
        return given(
            {
                "skill": self.skill,
                "priority": self.priority,
                "agentId": self.agent_id,
                "expiryDate": self.expiry_date,
            }
        )

    @cached_property
    def _action(self) -> CampaignAction:
        return CampaignAction(self.dialect, self.campaign_name, self.action)

    def _frame(self, action: str | None) -> dict[str, Any]:
        """Return what every call holds beside its leads."""
        return given(
            {
                "campaignName": self.campaign_name,
                "action": action,
                "checkDuplicate": "TRUE" if self.check_duplicate else "FALSE",
                "userName": self.dialect.user_name,
            }
        )

    @abstractmethod
    def _send(
        self, contacts: Sequence[Contact], action: str | None, *, resent: bool
    ) -> Conversation[tuple[Sequence[ContactReply], bool]]:
        """
        Make one call; return a reply per contact, and whether an earlier request may have taken them.

        :param action: what the call carries, None for nothing.
        """

    def _post(self, path: str, body: dict[str, Any]) -> Conversation[Response]:
        request = Request("POST", path, "write", json=body, safe_to_resend=self.safe_to_resend)
        return exchange(self.dialect, request)


@dataclass(frozen=True)
class AddCampaignLead(_Leads):
    """Adds one lead per call (reference "Add Campaign Data")."""

    requests_per_minute = LEADS_A_MINUTE

    def _send(
        self, contacts: Sequence[Contact], action: str | None, *, resent: bool
    ) -> Conversation[tuple[Sequence[ContactReply], bool]]:
        (contact,) = contacts
        fields = {**self._frame(action), **contact.body}
        ordered = {name: fields.pop(name) for name in BODY if name in fields}
        response = yield from self._post(ADD_PATH, {**ordered, **fields})
        reply = reply_object(response)
        resent = resent or response.repeated
        return [lead_reply(contact, message_of(reply), done=succeeded(reply), resent=resent)], resent


@dataclass(frozen=True)
class AddCampaignBulkData(_Leads):
    """
    Adds up to 500 leads per call (reference "Add Campaign Bulk Data V4").

    The vendor queues them: ``accepted`` is not yet a lead. Not documented and so assumed: that the body is JSON, and
    that success reads as elsewhere; results per number, as other calls give them, are read too.
    """

    batch_limit = BULK_ROWS
    requests_per_minute = BULKS_A_MINUTE

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the lead made of one row.

        :raises InvalidContactError: also for a row or a name that the bulk call would refuse.
        """
        contact = super().contact(fields)
        name = contact.body.get("Name", "")
        if not BULK_NAME.fullmatch(name):
            raise InvalidContactError("Name", "letters, digits, blanks and _ ( ) . + $ % - :", name)
        # The columns of a table are headers of the call, also those that only other rows fill.
        length = _row_length(_table([contact], (name for name in fields if name.casefold() not in RESERVED)))
        if length > BULK_ROW_LENGTH:
            limit = f"at most {BULK_ROW_LENGTH:,} characters, headers included"
            raise InvalidContactError("row", limit, f"{length:,}")
        return contact

    def _send(
        self, contacts: Sequence[Contact], action: str | None, *, resent: bool
    ) -> Conversation[tuple[Sequence[ContactReply], bool]]:
        response = yield from self._post(BULK_PATH, {**self._frame(action), "bulkData": _table(contacts)})
        reply = reply_object(response)
        resent = resent or response.repeated
        rows = reply.get("message")
        if isinstance(rows, list):
            return row_replies(contacts, rows, resent=resent), resent
        if succeeded(reply):
            queued = ContactReply("accepted", reason=QUEUED, message=message_of(reply) or None)
            return [queued] * len(contacts), resent
        return [UNMENTIONED] * len(contacts), resent

    def conclude(self) -> Conversation[str | None]:
        """As for single leads; of leads that are still queued the vendor gives no account."""
        warning = yield from super().conclude()
        return warning or (self._action.queued() if self.action else None)


def _table(contacts: Sequence[Contact], others: Iterable[str] = ()) -> dict[str, list[Any]]:
    """
    Return leads as a call takes them.

    :param others: columns beside those that the leads fill.
    """
    used = dict.fromkeys(chain((name for contact in contacts for name in contact.body), others))
    columns = [name for name in BULK_COLUMNS if name in used] + [name for name in used if name not in BULK_COLUMNS]
    return {
        "map": [BULK_COLUMNS.get(name, name) for name in columns],
        "data": [[_cell(contact, name) for name in columns] for contact in contacts],
    }


def _row_length(table: Mapping[str, list[Any]]) -> int:
    """Return the characters of the longest row of a table, "including all headers"."""
    headers = len(json.dumps(table["map"], ensure_ascii=False))
    return headers + max(len(json.dumps(row, ensure_ascii=False)) for row in table["data"])


def _cell(contact: Contact, name: str) -> Any:
    if name == "priority":
        return int(contact.body.get(name, DEFAULT_PRIORITY))
    return contact.body.get(name, "")
