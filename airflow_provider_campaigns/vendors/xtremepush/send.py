"""Xtremepush's contacts: what a row becomes, and how many of them become one execution of a campaign."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_campaigns.exceptions import InputError, InvalidContactError
from airflow_provider_campaigns.parameters import check_id, parse_datetime, parse_object
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.send import Contact, ContactReply
from airflow_provider_campaigns.vendors.common.addresses import EMAIL, addresses
from airflow_provider_campaigns.vendors.common.reply_values import words
from airflow_provider_campaigns.vendors.common.row_model import given, json_safe
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush

BATCH_LIMIT = 1000  # ours: how many targets one call takes is not published

QUEUED = ContactReply("accepted", message="accepted for sending; not delivered yet")
"""What success means: "all validations have passed", not that the message was delivered (campaign-execute)."""
UNCONFIRMED = ContactReply("unknown", reason="the reply does not confirm the call")
TWICE = ContactReply("duplicate", reason="the target is in this call already, which takes each once")

# What the other parameters set; also the credentials.
_NO_OVERRIDES = frozenset({"apptoken", "id", "target", "target_with_params", "target_by", "params", "time"})


@dataclass(frozen=True)
class ExecuteCampaign:
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

    def __post_init__(self) -> None:
        _time(self.send_at)
        check_id("campaign_id", self.campaign_id, "the id of a live campaign", (str, int))
        check_id("target_by", self.target_by, "user_id, external_id, email, token or id")
        parse_object("template_params", self.template_params)
        taken = sorted(_NO_OVERRIDES & parse_object("overrides", self.overrides).keys())
        if taken:
            raise InputError("overrides", "fields that no other parameter sets", ", ".join(taken))

    @property
    def vendor(self) -> str:
        """The vendor's name."""
        return self.dialect.vendor

    @property
    def campaign(self) -> str:
        """The campaign."""
        return str(self.campaign_id)

    @property
    def identity(self) -> Mapping[str, str]:
        """The campaign, and what its targets are."""
        return {"campaign": self.campaign, "target_by": self.target_by}

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
        """The column that ``target_by`` names."""
        return ((self.target_by,),)

    @property
    def safe_to_resend(self) -> str:
        """Empty: every execution sends."""
        return ""

    def contact(self, fields: Mapping[str, Any]) -> Contact:
        """
        Return the contact made of one row: the target, and every other column as a template variable of its own.

        The key is the target as text; two spellings of an e-mail are one person.

        :raises InvalidContactError: no target, or none that the vendor could take.
        """
        row = given(fields)
        target = self._target(row)
        variables = {name: value for name, value in row.items() if name != self.target_by}
        body = {"target": target, "params": json_safe(variables)}
        identity = str(target).casefold() if self.target_by == "email" else ""
        return Contact(str(target), body, addresses(row), identity)

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

    def _target(self, row: Mapping[str, Any]) -> str | int:
        target = row.get(self.target_by)
        if isinstance(target, str):
            target = target.strip()
        if isinstance(target, bool) or not isinstance(target, (str, int)):
            raise InvalidContactError(
                self.target_by, "text or a whole number", "nothing" if target is None else repr(target)
            )
        if self.target_by == "email" and not re.fullmatch(EMAIL, str(target)):
            raise InvalidContactError(self.target_by, "an e-mail address", target)
        return target

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
