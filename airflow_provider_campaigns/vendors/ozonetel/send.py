"""
Leads for an Ozonetel campaign: what a lead may hold, and the two calls that add them, one by one or 500 at a time.

Sources: docs.ozonetel.com/reference, "Add Campaign Data (Token authentication)" and "Add Campaign Bulk Data V4".
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError, RequestRejectedError
from airflow_provider_campaigns.masking import mask
from airflow_provider_campaigns.parameters import check_id
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.addresses import addresses
from airflow_provider_campaigns.vendors.common.reply_values import MENTIONED_TWICE, UNMENTIONED, mapping, refused, text
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, given
from airflow_provider_campaigns.vendors.ozonetel.dialect import (
    ADD_PATH,
    BULK_PATH,
    Ozonetel,
    message_of,
    reply_object,
    succeeded,
)

# "Add Campaign Data": the answer to a wrong phone number names 3 to 16 digits and the prefix +.
PHONE = r"^\+?[0-9]{3,16}$"
# "Add Campaign Data": priority is 1 to 99.
PRIORITY = r"^[1-9][0-9]?$"
# "Add Campaign Data" prints YYYY-MM-DD, its newer twin for Basic authentication adds a time; both are taken.
EXPIRY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2})?")

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
CONFIRMED = "confirmed by the duplicate check"
QUEUED = "queued by the vendor, which adds the leads later"


def _expiry(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and EXPIRY.fullmatch(value.strip()):
        datetime.fromisoformat(value.strip())
        return value.strip()
    raise ValueError("not a date")


class Routing(BaseModel):
    """How a lead is dialled: what a row may say for itself, and the operator for all rows."""

    skill: Text = Field(default="", description="the name of a skill (Skillwise campaigns)")
    priority: Annotated[Text, Field(pattern=PRIORITY)] = Field(default="", description="a whole number, 1 to 99")
    agentId: Text = Field(default="", description="an agent's id (Agentwise campaigns)")  # noqa: N815
    expiryDate: Annotated[str, BeforeValidator(_expiry)] = Field(  # noqa: N815
        default="", description="YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS"
    )


class Lead(Routing):
    """One lead; other columns, mapped in the campaign, go along as they are."""

    model_config = ConfigDict(extra="allow")

    phoneNumber: Annotated[Text, Field(pattern=PHONE)] = Field(  # noqa: N815
        description="3 to 16 digits as text, with or without a leading +"
    )
    Name: Text = Field(default="", description="a name as text")


@dataclass(frozen=True)
class _Leads(ABC):
    """
    Adds leads to one campaign.

    :param dialect: the account.
    :param campaign_name: an outbound campaign.
    :param action: None only adds; ``START`` also starts the campaign, ``STOP`` also stops it.
    :param check_duplicate: leave out numbers the campaign has; makes the call safe to resend.
    :param skill: for rows without one; likewise ``priority`` (1 to 99), ``agent_id`` and ``expiry_date`` (a date, or
        text as the vendor wants it; the vendor's time zone).
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

    vendor: ClassVar[str] = Ozonetel.vendor
    required: ClassVar[Sequence[Sequence[str]]] = (("phoneNumber",),)

    def __post_init__(self) -> None:
        check_id("campaign_name", self.campaign_name, "the name of an outbound campaign")
        if self.action and str(self.action).upper() not in {"START", "STOP"}:
            # The vendor would add the leads all the same and neither start nor stop.
            raise InputError("action", "START, STOP or None", self.action)
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
        Return the lead made of one row; its key is the number as it is sent, its identity that without a leading ``+``.

        :raises InvalidContactError: a field is wrong, or a column has the name of something the operator sets.
        """
        fields = given(fields)
        for name in fields:
            if name.casefold() in RESERVED:
                raise InvalidContactError(name, "no such column, the operator sets it (leave it out of columns)", "one")
        lead = checked(Lead, {**self._routing, **fields})
        phone = lead["phoneNumber"]
        others = addresses({name: value for name, value in lead.items() if name not in BODY})
        return Contact(phone, lead, tuple(dict.fromkeys((phone, *others))), identity=phone.removeprefix("+"))

    @abstractmethod
    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send one batch, see ``protocol.sending.Send``."""

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
    def _frame(self) -> dict[str, Any]:
        """What every call holds beside its leads."""
        return given(
            {
                "campaignName": self.campaign_name,
                "action": self.action,
                "checkDuplicate": "TRUE" if self.check_duplicate else "FALSE",
                "userName": self.dialect.user_name,
            }
        )

    def _add(self, path: str, body: dict[str, Any]) -> Conversation[Response]:
        request = Request("POST", path, "write", json=body, safe_to_resend=self.safe_to_resend)
        return exchange(self.dialect, request)


@dataclass(frozen=True)
class AddCampaignLead(_Leads):
    """Adds one lead per call (reference "Add Campaign Data")."""

    batch_limit: ClassVar[int] = 1
    requests_per_minute: ClassVar[float | None] = LEADS_A_MINUTE

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send one lead; a number the campaign has already is ``duplicate``, after an unanswered send ``accepted``."""
        (contact,) = contacts
        fields = {**self._frame, **contact.body}
        ordered = {name: fields.pop(name) for name in BODY if name in fields}
        try:
            response = yield from self._add(ADD_PATH, {**ordered, **fields})
        except RequestRejectedError as refusal:
            return [refused(contact, refusal.message)]
        reply = reply_object(response)
        return [_outcome(contact, message_of(reply), succeeded(reply), confirmed=resent or response.repeated)]


@dataclass(frozen=True)
class AddCampaignBulkData(_Leads):
    """
    Adds up to 500 leads per call (reference "Add Campaign Bulk Data V4").

    The vendor queues them: ``accepted`` is not yet a lead. Not documented and so assumed: that the body is JSON, and
    that success reads as elsewhere; results per number, as the call's forerunner gave them, are read too.
    """

    batch_limit: ClassVar[int] = BULK_ROWS
    requests_per_minute: ClassVar[float | None] = BULKS_A_MINUTE

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the lead made of one row.

        :raises InvalidContactError: also for a row or a name that the bulk call would refuse.
        """
        contact = super().contact(fields)
        name = contact.body.get("Name", "")
        if not BULK_NAME.fullmatch(name):
            raise InvalidContactError("Name", "letters, digits, blanks and _ ( ) . + $ % - :", name)
        length = len(json.dumps(list(contact.body.values()), ensure_ascii=False))
        if length > BULK_ROW_LENGTH:
            raise InvalidContactError("row", f"at most {BULK_ROW_LENGTH:,} characters", f"{length:,}")
        return contact

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send a batch; a reply per contact if the vendor gives one, else its one answer for all."""
        response = yield from self._add(BULK_PATH, {**self._frame, "bulkData": _table(contacts)})
        reply = reply_object(response)
        results = reply.get("message")
        if isinstance(results, list):
            return _each(contacts, results, confirmed=resent or response.repeated)
        if succeeded(reply):
            return [ContactReply("accepted", reason=QUEUED, message=message_of(reply) or None)] * len(contacts)
        return [UNMENTIONED] * len(contacts)


def _table(contacts: Sequence[Contact]) -> dict[str, list[Any]]:
    used = dict.fromkeys(name for contact in contacts for name in contact.body)
    columns = [name for name in BULK_COLUMNS if name in used] + [name for name in used if name not in BULK_COLUMNS]
    return {
        "map": [BULK_COLUMNS.get(name, name) for name in columns],
        "data": [[_cell(contact, name) for name in columns] for contact in contacts],
    }


def _cell(contact: Contact, name: str) -> Any:
    if name == "priority":
        return int(contact.body.get(name, DEFAULT_PRIORITY))
    return contact.body.get(name, "")


def _each(contacts: Sequence[Contact], results: Sequence[Any], *, confirmed: bool) -> list[ContactReply]:
    mentions: dict[str, list[str | None]] = {}
    for result in map(mapping, results):
        number = text(result.get("PhoneNumber")) or ""
        mentions.setdefault(number.strip().removeprefix("+"), []).append(text(result.get("Status")))

    def read(contact: Contact) -> ContactReply:
        said = mentions.get(contact.identity, [])
        if len(said) > 1:
            return MENTIONED_TWICE
        if not said or said[0] is None:
            return UNMENTIONED
        words = said[0]
        done = words.casefold().startswith("success")
        if not done and not _is_there(words):
            return refused(contact, words)
        return _outcome(contact, words, done, confirmed=confirmed)

    return [read(contact) for contact in contacts]


def _outcome(contact: Contact, words: str, done: bool, *, confirmed: bool) -> ContactReply:
    message = mask(words, contact.addresses) or None
    if _is_there(words):
        return ContactReply("accepted" if confirmed else "duplicate", CONFIRMED if confirmed else None, message=message)
    if done:
        return ContactReply("accepted", message=message)
    return ContactReply("unknown", reason="the reply does not say what became of it", message=message)


def _is_there(words: str) -> bool:
    # "Number Already Exist", "Number Already Existed"; "Campaign xxxxx Is Already Started" is a success.
    return "already exist" in words.casefold()
