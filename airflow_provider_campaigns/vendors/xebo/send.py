"""Xebo's contacts: what a row becomes, and what a reply of the links or the send call says of each contact."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.parameters import check_id, check_text
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.addresses import EMAIL, addresses
from airflow_provider_campaigns.vendors.common.reply_values import (
    MENTIONED_TWICE,
    REFUSED,
    UNMENTIONED,
    items,
    mapping,
    refused,
    text,
    words,
)
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, given
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo

Medium = Literal["sms", "email", "whatsapp"]

MEDIA: Mapping[str, int] = {"sms": 1, "email": 2, "whatsapp": 3}  # https://developer-api.xebo.ai/send-surveys
BATCH_LIMIT = 500  # links per call (https://apidocs.survey2connect.com, the older pages); unknown for the send call

# What names a contact in a reply, the surest first.
_NAMES = ("extUniqueId", "email", "mobile")
_NAMED_BY: Mapping[str | None, tuple[str, ...]] = {
    None: _NAMES,
    "email": ("email",),
    "sms": ("mobile",),
    # The page says nothing of WhatsApp; that it needs the number is assumed.
    "whatsapp": ("mobile",),
}
_URL = re.compile(r"https?://[^\s<>\"']+")

NO_LINK = "no link in the reply"
CONTRADICTED = "the reply's counts contradict its list"


class XeboContact(BaseModel):
    """
    One row; every other column goes along as the respondent's custom data.

    The form of ``mobile`` is not published: 6 to 15 digits, with or without ``+``.
    """

    model_config = ConfigDict(extra="allow")

    extUniqueId: Text | None = Field(None, description="text or a whole number")  # noqa: N815 - Xebo's name
    email: Annotated[Text, StringConstraints(pattern=rf"^{EMAIL}$")] | None = Field(
        None, description="an e-mail address"
    )
    mobile: Annotated[Text, StringConstraints(pattern=r"^\+?[0-9]{6,15}$")] | None = Field(
        None, description="a phone number: digits, with or without + before them"
    )


@dataclass(frozen=True)
class TriggerSurvey:
    """
    Links (no medium) or a send by a medium, for one collector.

    :param dialect: the account.
    :param collector_id: 24-hex id of the collector.
    :param collector_token: ``collectortoken`` of the collector.
    :param medium: None generates links and contacts no one; else Xebo sends by this medium.
    :raises InputError: no collector, or an unknown medium.
    """

    dialect: Xebo
    collector_id: str
    collector_token: str = field(default="", repr=False)
    medium: Medium | None = None

    def __post_init__(self) -> None:
        check_id("collector_id", self.collector_id, "the id of a collector")
        check_text("collector_token", self.collector_token or None, "text")
        if self.medium is not None and (not isinstance(self.medium, str) or self.medium not in MEDIA):
            raise InputError("medium", "sms, email, whatsapp, or None for links", self.medium)

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.dialect.vendor

    @property
    def campaign(self) -> str:
        """The collector."""
        return self.collector_id

    @property
    def identity(self) -> Mapping[str, str]:
        """Collector and medium."""
        return {"collector": self.collector_id, "medium": self.medium or "links"}

    @property
    def batch_limit(self) -> int:
        """Contacts per call."""
        return BATCH_LIMIT

    @property
    def requests_per_minute(self) -> float | None:
        """None: no limit is published."""
        return None

    @property
    def required(self) -> Sequence[Sequence[str]]:
        """The medium's address; for links any name of the contact."""
        return (_NAMED_BY[self.medium],)

    @property
    def safe_to_resend(self) -> str:
        """Links contact no one; a send is not safe."""
        return "" if self.medium else "generating links contacts no one"

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row.

        Its key is ``extUniqueId``, else the medium's address (two spellings of an e-mail are one person).

        :raises InvalidContactError: a bad address, or not the one that the medium needs.
        """
        body = checked(XeboContact, given(fields))
        wanted = _NAMED_BY[self.medium]
        if not any(name in body for name in wanted):
            raise InvalidContactError(wanted[0], " or ".join(wanted), "none of them" if wanted[1:] else "nothing")
        name = next(name for name in ("extUniqueId", *wanted) if name in body)
        identity = body[name].casefold() if name == "email" else ""
        return Contact(body[name], body, addresses(body), identity)

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send one batch, resent or not: Xebo has no words for "already there". Raises as ``retry.exchange``."""
        bodies = [contact.body for contact in contacts]
        if self.medium:
            medium = MEDIA[self.medium]
            reply = yield from self.dialect.send(self.collector_id, self.collector_token, medium, bodies)
        else:
            reply = yield from self.dialect.links(self.collector_id, self.collector_token, bodies)
        return read_reply(contacts, reply, links=not self.medium)


def read_reply(contacts: Sequence[Contact], reply: Mapping[str, Any], *, links: bool) -> list[ContactReply]:
    """
    Return what the reply says of each contact, in order.

    ``data`` lists who was taken; ``rejected_list``, whose form is not published (texts, or objects that name the
    contact, are both read), who was not. Only a contact listed once, in one of them, has a certain end, and only when
    the counts agree:

    - ``rejected`` counts more than ``rejected_list`` names: the contacts nobody mentions are ``rejected`` if there are
      exactly that many of them, else ``unknown``.
    - ``accepted`` counts fewer than ``data`` lists: all of these are ``unknown``, but for a link in hand.
    - ``data`` is absent or empty, and ``accepted`` counts exactly the contacts that ``rejected_list`` does not name:
      these are ``accepted`` (the form of the send call's reply is not published; it may have no links to list).

    :param links: the reply is of the links call: a contact without a link is ``unknown``.
    """
    named = _Named(contacts)
    taken, turned_away = named.by(items(reply.get("data"))), named.by(items(reply.get("rejected_list")))
    accepted, rejected = _count(reply.get("accepted")), _count(reply.get("rejected"))
    unmentioned = len(contacts) - len(taken.keys() | turned_away.keys())
    others = UNMENTIONED
    if unmentioned and unmentioned == (rejected or 0) - len(turned_away):
        others = ContactReply("rejected", reason=REFUSED)
    elif not links and not reply.get("data") and (accepted, rejected) == (unmentioned, len(turned_away)):
        others = ContactReply("accepted")
    doubted = accepted is not None and accepted < len(taken)

    def reply_to(position: int, contact: Contact) -> ContactReply:
        if len(taken[position]) + len(turned_away[position]) > 1:
            return MENTIONED_TWICE
        if turned_away[position]:
            return refused(contact, _reason(turned_away[position][0]))
        return _taken(taken[position][0], links=links, doubted=doubted) if taken[position] else others

    return [reply_to(position, contact) for position, contact in enumerate(contacts)]


class _Named:
    """Finds the contacts of a batch that an item of a reply names."""

    def __init__(self, contacts: Sequence[Contact]) -> None:
        self.names = [{name: _folded(contact.body.get(name)) for name in _NAMES} for contact in contacts]
        self.positions: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in _NAMES}
        for position, names in enumerate(self.names):
            for name, value in names.items():
                if value:
                    self.positions[name][value].append(position)

    def by(self, listed: Sequence[Any]) -> dict[int, list[Any]]:
        """Return the items that name each contact, by its position in the batch."""
        found: dict[int, list[Any]] = defaultdict(list)
        for item in listed:
            for position in self._positions(item):
                found[position].append(item)
        return found

    def _positions(self, item: Any) -> list[int]:
        if not isinstance(item, Mapping):
            value = _folded(item)
            return sorted({position for name in _NAMES for position in self.positions[name].get(value, ())})
        said = {name: value for name in _NAMES if (value := _folded(item.get(name)))}
        candidates = {position for name, value in said.items() for position in self.positions[name].get(value, ())}
        return sorted(position for position in candidates if self._agrees(position, said))

    def _agrees(self, position: int, said: Mapping[str, str]) -> bool:
        """Whether the surest name that both have is the same: an address may be shared, an ``extUniqueId`` not."""
        names = self.names[position]
        return next(names[name] == said[name] for name in _NAMES if name in said and names[name])


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


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _folded(value: object) -> str:
    return (text(value) or "").casefold()
