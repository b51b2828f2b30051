"""Xebo's contacts: what a row becomes, and the calls that make links or send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from airflow_provider_campaigns.exceptions import InvalidContactError
from airflow_provider_campaigns.identity import Kind, Person
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, Send
from airflow_provider_campaigns.vendors.common.addresses import EMAIL, addresses, read_recipients
from airflow_provider_campaigns.vendors.common.row_model import Text, checked, expectations, given
from airflow_provider_campaigns.vendors.xebo.checks import (
    MEDIA,
    check_collector_id,
    check_collector_token,
    check_medium,
)
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.replies import NAMES, read_reply

Medium = Literal["sms", "email", "whatsapp"]

BATCH_LIMIT = 500  # links per call (https://apidocs.survey2connect.com, the older pages); unknown for the send call

_NAMED_BY: Mapping[str | None, tuple[str, ...]] = {
    None: NAMES,
    "email": ("email",),
    "sms": ("mobile",),
    # The page says nothing of WhatsApp; that it needs the number is assumed.
    "whatsapp": ("mobile",),
}
_KINDS: Mapping[str, Kind] = {"extUniqueId": "id", "email": "email", "mobile": "phone"}


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


EXPECTED = expectations(XeboContact)


@dataclass(frozen=True)
class TriggerSurvey(Send):
    """
    Links (no medium) or a send by a medium, for one collector.

    :param dialect: the account.
    :param collector_id: 24-hex id of the collector.
    :param collector_token: ``collectortoken`` of the collector.
    :param medium: None generates links and contacts no one; else Xebo sends by this medium.
    :param region: country of phone numbers without ``+``, to know who is the same person.
    :raises InputError: no collector, or an unknown medium.
    """

    dialect: Xebo
    collector_id: str
    collector_token: str = field(default="", repr=False)
    medium: Medium | None = None
    region: str | None = None

    vendor = Xebo.vendor
    batch_limit = BATCH_LIMIT
    own_fields = ("extUniqueId", "email", "mobile")

    def __post_init__(self) -> None:
        check_collector_id(self.collector_id)
        check_collector_token(self.collector_token)
        check_medium(self.medium)

    @property
    def campaign(self) -> str:
        """The collector."""
        return self.collector_id

    @property
    def identity(self) -> Mapping[str, str]:
        """Collector and medium."""
        return {"collector": self.collector_id, "medium": self.medium or "links"}

    @property
    def channel(self) -> str:
        """The medium; links contact nobody."""
        return self.medium or ""

    @property
    def required(self) -> Sequence[Sequence[str]]:
        """The medium's address; for links any name of the contact."""
        return (_NAMED_BY[self.medium],)

    @property
    def recipient_fields(self) -> Mapping[str, Kind]:
        """The medium's address; for links every name of the contact."""
        return {name: _KINDS[name] for name in _NAMED_BY[self.medium]}

    @property
    def key_fields(self) -> Sequence[str]:
        """``extUniqueId``, else the medium's address."""
        return ("extUniqueId", *_NAMED_BY[self.medium])

    @property
    def safe_to_resend(self) -> str:
        """Links contact no one; a send is not safe."""
        return "" if self.medium else "generating links contacts no one"

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row.

        Its key is ``extUniqueId``, else the medium's address. Xebo sends to the address, so two ids with one address
        are one person; of links each id has its own. Links are answered by ``extUniqueId``, so there the key is sent as
        one when the row has none.

        :raises InvalidContactError: a bad address, or not the one that the medium needs.
        """
        fields, persons, normalised = read_recipients(given(fields), _KINDS, EXPECTED, self.region)
        body = checked(XeboContact, fields)
        wanted = _NAMED_BY[self.medium]
        if not any(name in body for name in wanted):
            raise InvalidContactError(wanted[0], " or ".join(wanted), "none of them" if wanted[1:] else "nothing")
        name = next(name for name in ("extUniqueId", *wanted) if name in body)
        recipients = self._recipients(persons)
        identity = recipients[0].key if self.medium else persons[name].key
        key = body[name]
        if not self.medium:
            body = {"extUniqueId": key, **body}
        return Contact(key, body, addresses(body), identity, recipients, normalised)

    def _recipients(self, persons: Mapping[str, Person]) -> tuple[Person, ...]:
        """Return whom Xebo contacts, or whom a link may be sent to: addresses, else the id."""
        if self.medium:
            return (persons[_NAMED_BY[self.medium][0]],)
        reached = tuple(person for person in persons.values() if person.kind != "id")
        return reached or tuple(persons.values())

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """Send one batch, resent or not: Xebo has no words for "already there". Raises as ``retry.exchange``."""
        bodies = [contact.body for contact in contacts]
        if self.medium:
            medium = MEDIA[self.medium]
            reply = yield from self.dialect.send(self.collector_id, self.collector_token, medium, bodies)
        else:
            reply = yield from self.dialect.links(self.collector_id, self.collector_token, bodies)
        return read_reply(contacts, reply, links=not self.medium)
