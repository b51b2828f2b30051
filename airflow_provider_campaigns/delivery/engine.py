"""
Sends every contact once: intent, request, outcomes, settlement, batch after batch.

======================================  =================================================================
a crash …                               a later try …
======================================  =================================================================
before the intent is stored             sends the batch
between intent and the stored outcomes  resends if that is safe, else the batch is ``unknown``
between outcomes and settlement         settles from the stored outcomes
after the settlement                    skips the batch
======================================  =================================================================
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Literal

from airflow_provider_campaigns.delivery.batches import LEFT_OUT, Batch, Reading, fingerprint_at, masked
from airflow_provider_campaigns.delivery.ledger import Ledger
from airflow_provider_campaigns.delivery.outcomes import STATUSES, Outcome, Outcomes, Status, count, outcome, replied
from airflow_provider_campaigns.delivery.ranges import Rows
from airflow_provider_campaigns.delivery.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.sources import Source
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InputError,
    LedgerError,
    OutcomeUnknownError,
    RequestRejectedError,
    TooManyRejectedError,
    UnknownOutcomesError,
    VendorFailingError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.sending import Contact, ContactReply, Send

log = logging.getLogger(__name__)

OnUnknown = Literal["fail", "skip", "resend"]

# A ratio says little about the first few contacts.
FEWEST_FOR_RATIO = 100
# How often ``on_unknown="resend"`` sends a batch again within one try.
RESENDS = 3

# Errors that tell that a request surely did not arrive: refused, never connected, not even made.
NOT_ARRIVED = (CallRefusedError, VendorUnavailableError, InputError)

# Status and reason of contacts that were not dealt with when a try ended.
UNSENT: tuple[Status, str] = ("unsent", "the run ended first")
UNRESOLVED: tuple[Status, str] = ("unknown", "a try ended while it was being sent")


@dataclass
class Delivery:
    """
    One try of one delivery.

    :param send: the vendor's send.
    :param reading: how rows become contacts.
    :param source: the contacts.
    :param ledger: the record of this and earlier tries.
    :param outcomes: where the outcomes go.
    :param run: drives a conversation to its result.
    :param batch_size: contacts per request.
    :param max_concurrency: more unknown requests in a row than this, and the vendor counts as ill.
    :param max_rejected: contacts, or a share as float, that may be rejected; None for no limit.
    :param on_unknown: what to do with contacts that may have been sent.
    """

    send: Send
    reading: Reading
    source: Source
    ledger: Ledger
    outcomes: Outcomes
    run: Callable[[Conversation[Sequence[ContactReply]]], Sequence[ContactReply]]
    batch_size: int
    max_concurrency: int
    max_rejected: float | None = None
    on_unknown: OnUnknown = "fail"
    begun: bool = field(default=False, init=False)
    first_rejection: str = field(default="", init=False)
    _counts: Counter[str] = field(default_factory=Counter, init=False)
    _requests: int = field(default=0, init=False)
    _unknown_in_a_row: int = field(default=0, init=False)

    def deliver(self, header: Mapping[str, Any]) -> Receipt:
        """
        Send what earlier tries did not, and return the receipt of all tries.

        ``begun`` tells that the checks are over: from then on ``leave`` can say what a failure left.

        :param header: what must be the same on every try.
        :raises LedgerError: this try would deliver something else than an earlier one, or a later one has begun.
        :raises InputError: outcomes cannot be written.
        :raises DeliveryError: it stopped early, and why.
        """
        self.ledger.start(header)
        self._check_fingerprint()
        self.outcomes.begin()
        self._adopt_parts()
        self.begun = True
        self._check_anybody()
        self._counts = count(self.outcomes.read())
        for batch in self._batches(self._parts_to_resend() if self.on_unknown == "resend" else ()):
            self._deal_with(batch)
        receipt = self._receipt(self._counts)
        self.ledger.finish(receipt)
        return receipt

    def leave(self) -> Receipt:
        """Write down what a try that ended early leaves unsent, and return the receipt of all tries so far."""
        self.outcomes.write_unsent(self._left())
        return self._receipt(count(self.outcomes.read()))

    def _receipt(self, counts: Mapping[str, int]) -> Receipt:
        return make_receipt(self.send.vendor, self.send.campaign, counts, self.ledger.requests, self.outcomes.path)

    def _check_fingerprint(self) -> None:
        if self.ledger.checkpoint is None:
            return
        row, fingerprint = self.ledger.checkpoint
        if fingerprint_at(self.reading, self.source, row) != fingerprint:
            raise LedgerError(
                f"{self.source.name}: the first {row} rows are not those an earlier try of this task began to send; "
                f"nobody can tell who was contacted. Restore them (new contacts may only be added at the end), or "
                f"clear the task with on_cleared='resend' to send to everybody again"
            )

    def _check_anybody(self) -> None:
        """Refuse contacts of which not one can be sent, unless they are left out on purpose."""
        broken: str | None = None
        for batch in self.reading.batches(self.source, self.batch_size):
            if batch.contacts:
                return
            broken = broken or next((line["reason"] for line in batch.outcomes if line["reason"] not in LEFT_OUT), None)
        if broken:
            raise DeliveryError(f"{self.source.name}: no contact can be sent; the first one: {broken}", final=True)

    def _adopt_parts(self) -> None:
        """Settle what an earlier try sent and stored the outcomes of, before it could say so."""
        for rows in self.ledger.unresolved():
            if (part := self.outcomes.part(rows)) is not None:
                self.ledger.settle(rows, count(part))

    def _parts_to_resend(self) -> list[Rows]:
        return [
            rows
            for rows in self.outcomes.parts()
            if any(line["status"] == "unknown" for line in self.outcomes.part(rows) or ())
        ]

    def _batches(self, resend: Iterable[Rows] = ()) -> Iterator[Batch]:
        unresolved = {*self.ledger.unresolved(), *resend}
        return self.reading.batches(self.source, self.batch_size, self.ledger.settled(), unresolved)

    def _deal_with(self, batch: Batch) -> None:
        """Settle one batch: by sending it, or as unknown."""
        resend = self.on_unknown == "resend"
        stored = (self.outcomes.part(batch.rows) or []) if batch.earlier and resend else []
        self._counts.subtract(count(stored))
        known = {line["row"]: line for line in stored if line["status"] != "unknown"}
        contacts = [(row, contact) for row, contact in batch.contacts if row not in known]
        others = [*known.values(), *(line for line in batch.outcomes if line["row"] not in known)]
        if batch.earlier and not (resend or self.send.safe_to_resend):
            unknown = [outcome(row, contact.key, *UNRESOLVED) for row, contact in contacts]
            self._settle(batch, [*others, *unknown])
        else:
            self._send(batch, contacts, others)

    def _send(self, batch: Batch, contacts: Sequence[tuple[int, Contact]], others: Sequence[Outcome]) -> None:
        # Also for rows of which nobody is sent: what is settled must stay in the same ranges on a later try.
        self.ledger.intend(batch.rows, (batch.rows.last, batch.fingerprint))
        people = [contact for _, contact in contacts]
        try:
            replies = self._replies(people, resent=batch.earlier)
        except NOT_ARRIVED:
            # Unless an earlier try's request did arrive.
            if not batch.earlier:
                self.ledger.release(batch.rows)
            raise
        except BaseException as error:
            replies = [ContactReply("unknown", f"interrupted by {type(error).__name__}")] * len(people)
            self._requests += 1
            self._settle(batch, [*others, *_outcomes(contacts, replies)])
            raise
        self._settle(batch, [*others, *_outcomes(contacts, replies)])
        self._watch(people, replies)

    def _replies(self, contacts: Sequence[Contact], *, resent: bool) -> list[ContactReply]:
        """Return a reply per contact; it takes more than one request when an earlier try made larger ones."""
        starts = range(0, len(contacts), self.batch_size)
        parts = (contacts[start : start + self.batch_size] for start in starts)
        return [reply for part in parts for reply in self._request(part, resent=resent)]

    def _request(self, contacts: Sequence[Contact], *, resent: bool) -> Sequence[ContactReply]:
        """Return a reply per contact, also when the request as a whole failed."""
        failed: OutcomeUnknownError | None = None
        for _ in range(1 + RESENDS if self.on_unknown == "resend" else 1):
            try:
                replies = self.run(self.send.request(contacts, resent=resent or failed is not None))
            except OutcomeUnknownError as error:
                self._requests += 1
                failed = error
                continue
            except NOT_ARRIVED:
                if failed is None:
                    raise
                # This request did not arrive, but the one before it may have.
                break
            except RequestRejectedError as error:
                message = masked(error.message, contacts)
                replies = [ContactReply("rejected", "the vendor refused the request", message=message)] * len(contacts)
            self._requests += 1
            if len(replies) != len(contacts):
                return [ContactReply("unknown", "the reply was not understood")] * len(contacts)
            return replies
        return [ContactReply("unknown", masked(str(failed), contacts))] * len(contacts)

    def _settle(self, batch: Batch, lines: list[Outcome]) -> None:
        lines.sort(key=itemgetter("row"))
        self.outcomes.write(batch.rows, lines)
        counts = count(lines)
        self.ledger.settle(batch.rows, counts + Counter(requests=self._requests))
        self._requests = 0
        self._counts.update(counts)

    def _watch(self, contacts: Sequence[Contact], replies: Sequence[ContactReply]) -> None:
        """Stop when the vendor is ill, or refuses more contacts than allowed."""
        if not replies:
            return
        unknown = all(reply.status == "unknown" for reply in replies)
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if unknown else 0
        if self._unknown_in_a_row > self.max_concurrency:
            raise VendorFailingError(
                f"{self.send.vendor} left {self._unknown_in_a_row} requests in a row unanswered, the last one: "
                f"{replies[-1].reason}. The rest was not sent; a retry sends it"
            )
        rejected = next((reply for reply in replies if reply.status == "rejected"), None)
        if rejected and not self.first_rejection:
            words = ": ".join(filter(None, (rejected.reason, rejected.message)))
            self.first_rejection = masked(f"; the first one: {words}", contacts)
        small = isinstance(self.max_rejected, float) and _sent(self._counts) < FEWEST_FOR_RATIO
        if not small and (error := _too_many_rejected(self._counts, self.max_rejected, self.first_rejection)):
            raise error

    def _left(self) -> Iterator[Outcome]:
        for batch in self._batches():
            status, reason = UNRESOLVED if batch.earlier else UNSENT
            lines = [outcome(row, contact.key, status, reason) for row, contact in batch.contacts]
            yield from sorted([*batch.outcomes, *lines], key=itemgetter("row"))


def failure(
    receipt: Receipt, on_unknown: OnUnknown, max_rejected: float | None = None, first_rejection: str = ""
) -> DeliveryError | None:
    """Return why a delivery that came to its end is a failure all the same, None when it is not."""
    if receipt["unknown"] and on_unknown != "skip":
        again = "a retry sends to them again" if on_unknown == "resend" else "so they are not sent again"
        return UnknownOutcomesError(
            f"{receipt['unknown']} contacts may have been sent; nobody knows, {again}. The outcomes list them with "
            f"status 'unknown'. To send to them again, clear the task with on_unknown='resend'; to leave them, with "
            f"on_unknown='skip'",
            final=on_unknown == "fail",
        )
    counts: dict[str, int] = {status: receipt[status] for status in STATUSES}
    if error := _too_many_rejected(counts, max_rejected, first_rejection):
        return error
    if counts["rejected"] and counts["rejected"] == _sent(counts):
        return TooManyRejectedError(
            f"{receipt['vendor']} rejected all {counts['rejected']} contacts{first_rejection}", final=True
        )
    return None


def _too_many_rejected(
    counts: Mapping[str, int], max_rejected: float | None, first_rejection: str
) -> TooManyRejectedError | None:
    if max_rejected is None:
        return None
    limit = max_rejected * _sent(counts) if isinstance(max_rejected, float) else max_rejected
    if counts["rejected"] <= limit:
        return None
    return TooManyRejectedError(
        f"{counts['rejected']} of {_sent(counts)} contacts were rejected, max_rejected is {max_rejected}"
        f"{first_rejection}",
        final=True,
    )


def _sent(counts: Mapping[str, int]) -> int:
    return sum(counts[status] for status in ("accepted", "duplicate", "rejected", "unknown"))


def _outcomes(contacts: Sequence[tuple[int, Contact]], replies: Sequence[ContactReply]) -> list[Outcome]:
    return [replied(row, contact.key, reply) for (row, contact), reply in zip(contacts, replies, strict=True)]
