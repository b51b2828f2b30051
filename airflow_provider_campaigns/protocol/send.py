"""What a delivery needs to know of one send: how a row becomes a contact, how contacts become a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from airflow_provider_campaigns.protocol.messages import Conversation

ReplyStatus = Literal["accepted", "duplicate", "rejected", "unknown"]


class Contact(NamedTuple):
    """
    One recipient, checked and ready for the vendor.

    :param key: what names the contact at the vendor, as it is sent; goes into the outcome.
    :param body: the contact as the vendor's call wants it.
    :param addresses: phone numbers and e-mail addresses in it, for ``only_recipients`` and masking.
    :param identity: the same for two spellings of one contact (a number with and without ``+``); default ``key``.
    """

    key: str
    body: Mapping[str, Any]
    addresses: tuple[str, ...] = ()
    identity: str = ""

    def __repr__(self) -> str:
        return "Contact()"


@dataclass(frozen=True, slots=True)
class ContactReply:
    """
    What became of one contact.

    :param status: ``accepted``, ``duplicate`` (the vendor had it already), ``rejected``, or ``unknown``.
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


class Send(Protocol):
    """One send to one campaign: implemented by each vendor, driven by the delivery engine."""

    @property
    def vendor(self) -> str:
        """The vendor's name."""

    @property
    def campaign(self) -> str:
        """The campaign, collector or list the contacts go to, for the receipt."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What must be the same on a later try of the same delivery (campaign, medium …)."""

    @property
    def batch_limit(self) -> int:
        """How many contacts one call takes at the most."""

    @property
    def requests_per_minute(self) -> float | None:
        """How many such calls the vendor's page allows an account in a minute; None when no page says."""

    @property
    def required(self) -> Sequence[Sequence[str]]:
        """Groups of fields of which a source must have at least one each."""

    @property
    def safe_to_resend(self) -> str:
        """Why the call may be repeated after an unknown outcome; empty: it may not."""

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row.

        :raises InvalidContactError: the row cannot be sent.
        """

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """
        Send one batch (1 to ``batch_limit`` contacts) and return a reply per contact, in order.

        :param resent: an earlier request may have taken these contacts already; "already there" is then ``accepted``.
        :raises RequestRejectedError: the vendor refused the whole batch for what it holds.
        :raises VendorError: otherwise as ``retry.exchange``.
        """


@runtime_checkable
class LooksUp(Protocol):
    """A send whose vendor can be asked afterwards what became of a batch."""

    def look_up(self, contacts: Sequence[Contact], since: float) -> Conversation[Sequence[ContactReply]]:
        """
        Look for contacts that may have been sent, and return a reply per contact: ``accepted`` or ``unknown``.

        Not finding one is no proof that it was not sent: it is never a reason to send.

        :param since: when the delivery began, seconds since the epoch.
        """
