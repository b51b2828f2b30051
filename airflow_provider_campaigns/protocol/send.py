"""What a delivery needs to know of one send: how a row becomes a contact, and contacts become a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from airflow_provider_campaigns.identity import Kind, Person
from airflow_provider_campaigns.protocol.messages import Conversation

ReplyStatus = Literal["accepted", "duplicate", "rejected", "unknown"]


class Contact(NamedTuple):
    """
    One recipient, checked and ready for the vendor.

    :param key: what names the contact at the vendor, as it is sent; goes into the outcome.
    :param body: the contact as the vendor's call wants it.
    :param addresses: phone numbers and e-mail addresses in it, wherever, for masking.
    :param identity: the same for two spellings of one contact (``Person.key``); default ``key``.
    :param recipients: whom the vendor contacts, for ``exclude`` and ``only_recipients``; default the key as an id.
    :param normalised: an address was cleaned: it is not sent as it stands in the source.
    """

    key: str
    body: Mapping[str, Any]
    addresses: tuple[str, ...] = ()
    identity: str = ""
    recipients: tuple[Person, ...] = ()
    normalised: bool = False

    @property
    def persons(self) -> tuple[Person, ...]:
        """Whom the vendor contacts."""
        return self.recipients or (Person("id", self.key, self.key),)

    def __repr__(self) -> str:
        return "Contact()"


@dataclass(frozen=True, slots=True)
class ContactReply:
    """
    What became of one contact.

    :param status: ``accepted``, ``duplicate`` (the vendor has it already), ``rejected``, or ``unknown``.
    :param reason: a short cause in our words, None for accepted contacts.
    :param vendor_id: the vendor's id for it.
    :param url: e.g. a survey link or a request portal.
    :param message: the vendor's words.
    """

    status: ReplyStatus
    reason: str | None = None
    vendor_id: str | None = None
    url: str | None = None
    message: str | None = None


class Send(ABC):
    """
    One send to one campaign: each vendor has a subclass, and the delivery engine drives it.

    What is the same for every object of a subclass is a plain class attribute there; what depends on its parameters is
    a property.
    """

    vendor: ClassVar[str]
    """The vendor's name."""
    requests_per_minute: ClassVar[float | None] = None
    """How many such calls the vendor's page allows an account in a minute; None when no page says."""
    region: str | None = None
    """Country of phone numbers without ``+``, see ``identity.known_region``."""

    @property
    @abstractmethod
    def campaign(self) -> str:
        """The campaign, collector or list the contacts go to, for the receipt."""

    @property
    @abstractmethod
    def required(self) -> Sequence[Sequence[str]]:
        """Groups of fields of which a source must have at least one each."""

    @property
    def recipient_fields(self) -> Mapping[str, Kind]:
        """
        The fields that name whom the vendor contacts, and what they hold: rows of ``exclude`` have one of them.

        Default: those that are required, as ids.
        """
        return {name: "id" for group in self.required for name in group}

    @property
    def key_fields(self) -> Sequence[str]:
        """
        The fields that hold a contact's key: the first of them that a row has.

        Default: those that name whom the vendor contacts.
        """
        return [*self.recipient_fields]

    @property
    def channel(self) -> str:
        """
        By what people are contacted (``sms``, ``call`` …), for caps; empty: nobody is contacted.

        Default: the vendor, whose campaign says it.
        """
        return self.vendor

    @property
    def own_fields(self) -> Sequence[str]:
        """
        The vendor's fields that a source may spell with other case, blanks and underscores.

        Default: those that name whom the vendor contacts.
        """
        return [*self.recipient_fields]

    @property
    def identity(self) -> Mapping[str, str]:
        """What must be the same on a later try of the same delivery (campaign, medium …); default: the campaign."""
        return {"campaign": self.campaign}

    @property
    def batch_limit(self) -> int:
        """How many contacts one call takes at the most; default one."""
        return 1

    @property
    def safe_to_resend(self) -> str:
        """Why the call may be repeated after an unknown outcome; empty, the default: it may not."""
        return ""

    @abstractmethod
    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row.

        :raises InvalidContactError: the row cannot be sent.
        """

    @abstractmethod
    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """
        Send one batch (1 to ``batch_limit`` contacts) and return a reply per contact, in order.

        :param resent: an earlier request may have taken these contacts already.
        :raises RequestRejectedError: the vendor refused the whole batch for what it holds.
        :raises VendorError: otherwise as ``retry.exchange``.
        """


@runtime_checkable
class Concludes(Protocol):
    """A send with something to do at the vendor beside the contacts, once in a delivery: a campaign to start."""

    def resume(self) -> None:
        """Take note, before the first request, that an earlier try of the delivery may have done it."""

    def conclude(self) -> Conversation[str | None]:
        """
        Do what is left of it once every contact was sent, and return a warning for the receipt, None when all is well.

        :raises VendorError: it could not be done; a later try does it again.
        """

    def interrupted(self) -> str | None:
        """Return the warning for the receipt of a try that ended early, None for none."""


@runtime_checkable
class LooksUp(Protocol):
    """A send whose vendor can be asked afterwards what became of a batch."""

    def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
        """
        Look up contacts that may have been sent, and return a reply per contact: ``accepted`` or ``unknown``.

        Not finding one is no proof that it was not sent: it is never a reason to send.

        :param since: when the first request with them was about to be sent, seconds since the epoch.
        """
