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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_campaigns.delivery.batches import Batch, Reading, fingerprint_at, masked
from airflow_provider_campaigns.delivery.ledger import Ledger
from airflow_provider_campaigns.delivery.outcomes import STATUSES, Outcome, Outcomes, count, outcome, replied
from airflow_provider_campaigns.delivery.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.sources import Source
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
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

INTERRUPTED = "an earlier try ended while it was being sent"


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
    _counts: Counter[str] = field(default_factory=Counter)
    _settled: RowSet = field(default_factory=RowSet)
    _unresolved: list[Rows] = field(default_factory=list)
    _unknown_in_a_row: int = 0
    first_rejection: str = ""

    def deliver(self, header: Mapping[str, Any]) -> Receipt:
        """
        Send what earlier tries did not, and return the receipt of all tries.

        :param header: what must be the same on every try.
        :raises LedgerError: this try would deliver something else than an earlier one.
        """
        self._check_fingerprint()
        self.ledger.start(header)
        self._settled = self.ledger.settled()
        self._unresolved = self.ledger.unresolved()
        if self.on_unknown == "resend":
            self._unresolved += self._parts_to_resend()
        for batch in self._batches():
            self._deal_with(batch)
        receipt = self._receipt(count(self.outcomes.read()) if self.ledger.began else self._counts)
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

    def _parts_to_resend(self) -> list[Rows]:
        return [
            rows
            for rows in self.outcomes.parts()
            if any(line["status"] == "unknown" for line in self.outcomes.part(rows) or ())
        ]

    def _batches(self) -> Iterator[Batch]:
        return self.reading.batches(self.source, self.batch_size, self._settled, self._unresolved)

    def _deal_with(self, batch: Batch) -> None:
        """Settle one batch: from stored outcomes, as unknown, or by sending it."""
        stored = (self.outcomes.part(batch.rows) or []) if batch.earlier else []
        resend = self.on_unknown == "resend"
        known = [line for line in stored if not (resend and line["status"] == "unknown")]
        rows = {line["row"] for line in known}
        contacts = [(row, contact) for row, contact in batch.contacts if row not in rows]
        others = [line for line in batch.outcomes if line["row"] not in rows]
        if batch.earlier and not (resend or self.send.safe_to_resend):
            unknown = [outcome(row, contact.key, "unknown", INTERRUPTED) for row, contact in contacts]
            self._settle(batch, [*known, *others, *unknown])
        elif contacts:
            self._send(batch, contacts, [*known, *others])
        else:
            self._settle(batch, [*known, *others])

    def _send(self, batch: Batch, contacts: Sequence[tuple[int, Contact]], others: Sequence[Outcome]) -> None:
        self.ledger.intend(batch.rows, (batch.rows.last, batch.fingerprint))
        try:
            replies = self._request([contact for _, contact in contacts], resent=batch.earlier)
        except (CallRefusedError, VendorUnavailableError):
            # Refused or never connected: it surely did not arrive, unless an earlier try's request did.
            if not batch.earlier:
                self.ledger.release(batch.rows)
            raise
        except BaseException as error:
            replies = [ContactReply("unknown", f"interrupted by {type(error).__name__}")] * len(contacts)
            self._settle(batch, [*others, *_outcomes(contacts, replies)], requests=1)
            raise
        self._settle(batch, [*others, *_outcomes(contacts, replies)], requests=1)
        self._watch(replies)

    def _request(self, contacts: Sequence[Contact], *, resent: bool) -> Sequence[ContactReply]:
        """Return a reply per contact, also when the request as a whole failed."""
        resends = RESENDS if self.on_unknown == "resend" else 0
        while True:
            try:
                replies = self.run(self.send.request(contacts, resent=resent))
            except RequestRejectedError as error:
                message = masked(error.message, contacts)
                return [ContactReply("rejected", "the vendor refused the request", message=message)] * len(contacts)
            except OutcomeUnknownError as error:
                if resends:
                    resends, resent = resends - 1, True
                    continue
                return [ContactReply("unknown", masked(str(error), contacts))] * len(contacts)
            except (CallRefusedError, VendorUnavailableError) as error:
                if resends < RESENDS and self.on_unknown == "resend":
                    # This request did not arrive, but the one before it may have.
                    return [ContactReply("unknown", masked(str(error), contacts))] * len(contacts)
                raise
            if len(replies) != len(contacts):
                return [ContactReply("unknown", "the reply was not understood")] * len(contacts)
            return replies

    def _settle(self, batch: Batch, lines: list[Outcome], requests: int = 0) -> None:
        lines.sort(key=lambda line: line["row"])
        self.outcomes.write(batch.rows, lines)
        counts = count(lines)
        self.ledger.settle(batch.rows, counts + Counter(requests=requests))
        self._settled.add(batch.rows)
        self._unresolved = [rows for rows in self._unresolved if rows != batch.rows]
        self._counts.update(counts)

    def _watch(self, replies: Sequence[ContactReply]) -> None:
        """Stop when the vendor is ill, or refuses more contacts than allowed."""
        unknown = all(reply.status == "unknown" for reply in replies)
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if unknown else 0
        if self._unknown_in_a_row > self.max_concurrency:
            raise VendorFailingError(
                f"{self.send.vendor} left {self._unknown_in_a_row} requests in a row unanswered, the last one: "
                f"{replies[-1].reason}. The rest was not sent; a retry sends it"
            )
        for reply in replies:
            if reply.status == "rejected" and not self.first_rejection:
                self.first_rejection = f"; the first one: {reply.reason}: {reply.message}"
        small = isinstance(self.max_rejected, float) and _sent(self._counts) < FEWEST_FOR_RATIO
        if not small and (error := _too_many_rejected(self._counts, self.max_rejected, self.first_rejection)):
            raise error

    def _left(self) -> Iterator[Outcome]:
        for batch in self._batches():
            stored = {line["row"]: line for line in (self.outcomes.part(batch.rows) or [] if batch.earlier else [])}
            status, reason = ("unknown", INTERRUPTED) if batch.earlier else ("unsent", "the run ended first")
            lines = [outcome(row, contact.key, status, reason) for row, contact in batch.contacts]  # type: ignore[arg-type]
            for line in sorted([*batch.outcomes, *lines], key=lambda line: line["row"]):
                if line["row"] not in stored:
                    yield line


def failure(
    receipt: Receipt, on_unknown: OnUnknown, max_rejected: float | None = None, first_rejection: str = ""
) -> DeliveryError | None:
    """Return why a delivery that came to its end is a failure all the same, None when it is not."""
    if receipt["unknown"] and on_unknown != "skip":
        return UnknownOutcomesError(
            f"{receipt['unknown']} contacts may have been sent; nobody knows, so they are not sent again. The outcomes "
            f"list them with status 'unknown'. To send to them again, clear the task with on_unknown='resend'; to "
            f"leave them, with on_unknown='skip'",
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
