"""Xtremepush's contacts: what a row becomes, and how many of them become one execution of a campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from airflow_provider_campaigns.exceptions import InvalidContactError
from airflow_provider_campaigns.identity import Kind
from airflow_provider_campaigns.parameters import parse_datetime
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.send import Contact, ContactReply, Send
from airflow_provider_campaigns.vendors.common.addresses import addresses, read_recipients
from airflow_provider_campaigns.vendors.common.reply_values import words
from airflow_provider_campaigns.vendors.common.row_model import given, json_safe
from airflow_provider_campaigns.vendors.xtremepush.checks import (
    check_campaign_id,
    check_overrides,
    check_send_at,
    check_target_by,
    check_template_params,
)
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush

BATCH_LIMIT = 1000  # ours: how many targets one call takes is not published

QUEUED = ContactReply("accepted", message="accepted for sending; not delivered yet")
"""What success means: "all validations have passed", not that the message was delivered (campaign-execute)."""
UNCONFIRMED = ContactReply("unknown", reason="the reply does not confirm the call")
TWICE = ContactReply("duplicate", reason="the target is in this call already, which takes each once")


@dataclass(frozen=True)
class ExecuteCampaign(Send):
    """
    One API-triggered campaign, executed for each contact.

    :param dialect: the project.
    :param campaign_id: the template's id; it must be live.
    :param target_by: what the targets are, and the column that holds them: ``user_id``, ``external_id``, ``email``,
        ``token`` (push token) or ``id`` (device id, which the vendor would take by default). Always sent.
    :param template_params: template variables, the same for all targets.
    :param send_at: a date and time with a time zone, to the minute; None: now.
    :param overrides: any other fields of the campaign model, e.g. ``messages``, ``retry_for``, ``payload_add``.
    :raises InputError: no campaign or target; a time without a time zone; an override of what the other parameters
        set; something in place of an object.
    """

    dialect: Xtremepush
    campaign_id: str | int
    target_by: str = "user_id"
    template_params: Mapping[str, Any] | None = field(default=None, repr=False)
    send_at: datetime | str | None = None
    overrides: Mapping[str, Any] | None = field(default=None, repr=False)

    vendor = Xtremepush.vendor
    batch_limit = BATCH_LIMIT

    def __post_init__(self) -> None:
        check_send_at(self.send_at)
        check_campaign_id(self.campaign_id)
        check_target_by(self.target_by)
        check_template_params(self.template_params)
        check_overrides(self.overrides)

    @property
    def campaign(self) -> str:
        """The campaign."""
        return str(self.campaign_id)

    @property
    def identity(self) -> Mapping[str, str]:
        """The campaign, and what its targets are."""
        return {"campaign": self.campaign, "target_by": self.target_by}

    @property
    def recipient_fields(self) -> Mapping[str, Kind]:
        """The target: an e-mail address, or an id of Xtremepush's or the app's."""
        return self._kinds

    @property
    def required(self) -> Sequence[Sequence[str]]:
        """The column that ``target_by`` names."""
        return ((self.target_by,),)

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row: the target, and every other column as a template variable of its own.

        The key is the target as text.

        :raises InvalidContactError: no target, or none that the vendor could take.
        """
        row, persons, normalised = read_recipients(given(fields), self._kinds, self._expected)
        if self.target_by not in persons:
            raise InvalidContactError(self.target_by, self._expected[self.target_by], "nothing")
        person = persons[self.target_by]
        # As the source has it: a number stays one.
        target = fields[self.target_by] if isinstance(fields[self.target_by], int) else person.text
        variables = {name: value for name, value in row.items() if name != self.target_by}
        body = {"target": target, "params": json_safe(variables)}
        return Contact(person.text, body, addresses(row), person.key, (person,), normalised)

    def request(self, contacts: Sequence[Contact], *, resent: bool = False) -> Conversation[Sequence[ContactReply]]:
        """
        Execute the campaign for one batch, resent or not: the vendor has no words for "already there".

        Of contacts with the same key only the first is sent: ``target_with_params`` holds each target once.
        Raises what ``retry.exchange`` raises.
        """
        first: dict[str, Contact] = {}
        for contact in contacts:
            first.setdefault(contact.identity or contact.key, contact)
        reply = yield from self.dialect.execute_campaign(self._body(list(first.values())))
        confirmed = reply.get("success") is True and not words(reply.get("errors"))
        end = QUEUED if confirmed else UNCONFIRMED
        return [end if contact is first[contact.identity or contact.key] else TWICE for contact in contacts]

    @cached_property
    def _kinds(self) -> Mapping[str, Kind]:
        return {self.target_by: "email" if self.target_by == "email" else "id"}

    @cached_property
    def _expected(self) -> Mapping[str, str]:
        return {self.target_by: "an e-mail address" if self.target_by == "email" else "text or a whole number"}

    def _body(self, contacts: Sequence[Contact]) -> dict[str, Any]:
        """Return the call's body, in the order of the page's samples."""
        body: dict[str, Any] = {"id": self.campaign_id}
        if any(contact.body["params"] for contact in contacts):
            body["target_with_params"] = {str(contact.body["target"]): contact.body["params"] for contact in contacts}
        else:
            body["target"] = [contact.body["target"] for contact in contacts]
        body["target_by"] = self.target_by
        if self.template_params:
            body["params"] = dict(self.template_params)
        if self.send_at:
            body["time"] = _time(self.send_at)
        return {**body, **(self.overrides or {})}


def _time(send_at: datetime | str | None) -> str | None:
    """Return a time as in the page's sample, ``2021-01-01 12:00 UTC``; None for none."""
    return f"{parse_datetime('send_at', send_at).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if send_at else None
