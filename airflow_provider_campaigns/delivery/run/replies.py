"""What the answer to a request means for its contacts, and what the answers together mean for the delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from airflow_provider_campaigns.delivery.plan.batches import masked
from airflow_provider_campaigns.delivery.record.outcome import Outcome, replied
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import Answer
from airflow_provider_campaigns.exceptions import (
    DeliveryError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorFailingError,
)
from airflow_provider_campaigns.protocol.send import ContactReply


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


class StopConditions:
    """
    Knows when to stop: the vendor is failing, or refuses more contacts than allowed.

    :param vendor: its name.
    :param most_unknown: requests in a row whose outcome may be unknown.
    :param limits: how many contacts may be rejected.
    """

    def __init__(self, vendor: str, most_unknown: int, limits: Limits) -> None:
        self._vendor = vendor
        self._most_unknown = most_unknown
        self._limits = limits
        self._unknown_in_a_row = 0
        self._failing: DeliveryError | None = None
        self.first_rejection = ""

    def record_reply(self, replies: Sequence[ContactReply]) -> None:
        """Take note of the replies to one request."""
        if all(reply.status == "unknown" for reply in replies):
            self.record_unknown(str(replies[-1].reason))
            return
        self._unknown_in_a_row = 0
        if not self.first_rejection:
            rejected = (reply for reply in replies if reply.status == "rejected")
            self.first_rejection = next((f"; the first one: {one.reason}: {one.message}" for one in rejected), "")

    def record_unknown(self, reason: str) -> None:
        """Take note of a request whose outcome is unknown, and why."""
        self._unknown_in_a_row += 1
        if self._unknown_in_a_row > self._most_unknown:
            self._failing = VendorFailingError(
                f"{self._vendor} left {self._unknown_in_a_row} requests in a row unanswered, the last one: "
                f"{reason}. The rest was not sent; a retry sends it"
            )

    def reason_to_stop(self, counts: Mapping[str, int], rows: int | None = None) -> DeliveryError | None:
        """
        Return why to send nothing more, None when there is no reason.

        :param counts: contacts by status.
        :param rows: of the source.
        """
        return self._failing or self._limits.exceeded(counts, self.first_rejection, rows)
