"""Decides what the answer to a request means, for its ticket and for each of its contacts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto

from airflow_provider_campaigns.delivery.plan.reading import masked
from airflow_provider_campaigns.delivery.record.outcome import Outcome, outcome, replied
from airflow_provider_campaigns.delivery.run.resume import EarlierTries, Numbered
from airflow_provider_campaigns.delivery.run.senders import Answer, Ticket
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.history import HeldBack
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import ContactReply, Send

# Errors that show that a request did not arrive: refused, never connected, stopped, not even made.
NOT_ARRIVED = (CallRefusedError, VendorUnavailableError, StoppedError, InputError)


# Why a contact that may have been sent to is not sent to again.
MAYBE_SENT = "it may have been sent, and is not sent again: {}"


class Fate(Enum):
    """What an answer means for its ticket."""

    NOT_SENT = auto()
    SEND_AGAIN = auto()
    KEEP_OPEN = auto()
    SEND_TO_MISSING = auto()
    SETTLED = auto()


def was_refused(answer: Answer) -> bool:
    """Whether a request arrived, and the vendor refused the call."""
    return answer.left and isinstance(answer.error, CallRefusedError)


def fate_of(answer: Answer, send: Send, earlier: EarlierTries, *, stopping: bool) -> Fate:
    """
    Return what an answer means for its ticket.

    :param stopping: nothing may be sent any more.
    """
    ticket, error = answer.ticket, answer.error
    if error and (not answer.left or isinstance(error, NOT_ARRIVED)):
        return Fate.NOT_SENT
    if isinstance(error, OutcomeUnknownError):
        if ticket.resends and not stopping:
            return Fate.SEND_AGAIN
        if send.safe_to_resend:
            return Fate.KEEP_OPEN
    if ticket.looks_up_since is not None and not stopping and earlier.may_send_again(_missing(answer)):
        return Fate.SEND_TO_MISSING
    return Fate.SETTLED


def sent_again(ticket: Ticket, *, counted: bool) -> Ticket:
    """
    Return what sends a ticket once more, after a request whose outcome is unknown.

    :param counted: it counts as one of the resends that ``max_resends`` limits.
    """
    return replace(ticket, resends=ticket.resends - 1, resent=True, intended=True, counted=counted)


def sent_to_missing(answer: Answer, earlier: EarlierTries) -> Ticket:
    """Return what sends to those whom a look-up did not find."""
    ticket = answer.ticket
    pairs = zip(ticket.contacts, replies_of(answer), strict=True)
    found = [replied(row, contact.key, reply) for (row, contact), reply in pairs if reply.status != "unknown"]
    missing = replace(ticket, contacts=_missing(answer), others=[*ticket.others, *found])
    return replace(earlier.again(missing), intended=True)


def without(ticket: Ticket, held: Mapping[int, HeldBack]) -> Ticket:
    """Return a ticket without the contacts that history holds back; one that may have been sent to is unknown."""
    lines = [
        outcome(row, contact.key, *(("unknown", MAYBE_SENT.format(held[row].reason)) if ticket.resent else held[row]))
        for row, contact in ticket.contacts
        if row in held
    ]
    if not lines:
        return ticket
    contacts = [contact for contact in ticket.contacts if contact[0] not in held]
    return replace(ticket, contacts=contacts, others=[*ticket.others, *lines])


def replies_of(answer: Answer) -> Sequence[ContactReply]:
    """Return a reply per contact, also when the request as a whole failed."""
    contacts = [contact for _, contact in answer.ticket.contacts]
    error = answer.error
    if isinstance(error, RequestRejectedError):
        message = masked(error.message, contacts)
        return [ContactReply("rejected", "the vendor refused the request", message=message)] * len(contacts)
    if isinstance(error, asyncio.CancelledError):
        return [ContactReply("unknown", "the task was ended while it was being sent")] * len(contacts)
    if isinstance(error, OutcomeUnknownError):
        return [ContactReply("unknown", masked(str(error), contacts))] * len(contacts)
    if error:
        return [ContactReply("unknown", f"interrupted by {type(error).__name__}")] * len(contacts)
    if len(answer.replies) != len(contacts):
        return [ContactReply("unknown", "the reply was not understood")] * len(contacts)
    return answer.replies


def outcomes_of(answer: Answer, replies: Sequence[ContactReply]) -> list[Outcome]:
    """Return the outcomes of all rows of a ticket, given a reply per contact."""
    contacts = answer.ticket.contacts
    lines = [replied(row, contact.key, reply) for (row, contact), reply in zip(contacts, replies, strict=True)]
    return [*answer.ticket.others, *lines]


def _missing(answer: Answer) -> list[Numbered]:
    """Return the contacts that a look-up did not find, with their row numbers."""
    pairs = zip(answer.ticket.contacts, replies_of(answer), strict=True)
    return [contact for contact, reply in pairs if reply.status == "unknown"]
