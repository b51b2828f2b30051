"""
One try of a delivery: compared with earlier tries, sent in ``rounds``, and every row accounted for in the receipt.

======================================  =================================================================
a crash …                               a later try …
======================================  =================================================================
before the intent is stored             sends the range
between intent and the stored outcomes  resends if that is safe, else the contacts are ``unknown``
between outcomes and settlement         settles from the stored outcomes
after the settlement                    skips the range
======================================  =================================================================
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_provider_campaigns.delivery.plan.batches import Batch, Fingerprint, cut_batches
from airflow_provider_campaigns.delivery.plan.preflight import PreflightResult, check
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.held import MOST_HELD
from airflow_provider_campaigns.delivery.record.ledger import Checkpoint, Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.process import DeferredSignals, gc_frozen
from airflow_provider_campaigns.delivery.run.rebuild import check_complete, rebuild
from airflow_provider_campaigns.delivery.run.recovery import Description, recovered
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.rounds import AHEAD, Rounds
from airflow_provider_campaigns.delivery.run.senders import Senders
from airflow_provider_campaigns.delivery.run.stopping import Stopping
from airflow_provider_campaigns.delivery.run.write_buffer import WriteBuffer
from airflow_provider_campaigns.exceptions import (
    RESEND_ALL,
    DeliveryError,
    InputError,
    LedgerError,
    SendWindowClosedError,
)
from airflow_provider_campaigns.protocol.history import ContactHistory, NoHistory
from airflow_provider_campaigns.protocol.send import Concludes, Send

log = logging.getLogger(__name__)

# Contacts that are checked before the first request, in any case: most lists are known to their end then.
MOST_CHECKED = 10_000


@dataclass
class Delivery:
    """
    One try of one delivery: ``is_complete`` compares it with earlier tries, ``deliver`` sends what they did not.

    :param send: the vendor's send.
    :param reading: how rows become contacts.
    :param source: the contacts.
    :param ledger: the record of this and earlier tries.
    :param outcomes: where the outcomes go.
    :param senders: what sends the batches.
    :param batch_size: contacts per request.
    :param max_concurrency: requests in flight; more unknown ones in a row, and the vendor counts as failing.
    :param limits: what makes a failure of a delivery.
    :param history: of all deliveries: whom this one may not contact; default none.
    :param whole: check all contacts before the first request, however many there are.
    :param progress: given the counts after every round.
    :param closes_in: seconds from now after which no request may be sent.
    :param conclude: does what is left once every contact was sent, and returns a warning for the receipt.
    """

    send: Send
    reading: Reading
    source: Source
    ledger: Ledger
    outcomes: Outcomes
    senders: Senders
    batch_size: int
    max_concurrency: int
    limits: Limits
    history: ContactHistory = field(default_factory=NoHistory)
    whole: bool = False
    progress: Callable[[Mapping[str, int]], None] = lambda counts: None
    closes_in: Callable[[], float] = lambda: math.inf
    conclude: Callable[[], str | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    begun: bool = field(default=False, init=False)
    _earlier: EarlierTries = field(init=False)
    _record: WriteBuffer = field(init=False)
    _before: Counter[str] = field(default_factory=Counter, init=False)

    def __post_init__(self) -> None:
        self._stopping = Stopping(self.send.vendor, self.max_concurrency, self.limits, self._stop_senders)

    @property
    def is_to_end(self) -> bool:
        """Whether the try was asked to end."""
        return self._stopping.asked_at is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within ``with``, no request is begun, and those in flight continue."""
        self.senders.hold(True)
        try:
            yield
        finally:
            self.senders.hold(False)

    @property
    def first_rejection(self) -> str:
        """The vendor's words on the first contact it rejected in this try, for a message; empty: it rejected none."""
        return self._stopping.first_rejection

    @cached_property
    def checked(self) -> PreflightResult:
        """What one pass over the source found; raises ``InputError`` when it must not be sent."""
        reached = self._reached
        least = math.inf if self.whole else MOST_CHECKED
        return check(self.reading, self.source, reached.row if reached else 0, least=least)

    def is_complete(self, header: Mapping[str, Any]) -> bool:
        """
        Return whether earlier tries delivered the same contacts to their end, so that nothing is left to be sent.

        If they delivered something else and reached nobody, they are ignored.

        :param header: what must be the same on every try.
        :raises LedgerError: they delivered something else, and may have reached contacts.
        :raises InputError: the contacts cannot be read.
        """
        if self.ledger.recovers:
            self.ledger.adopt(recovered(self.ledger.recovers, self.outcomes, self.reading, self.source))
        if difference := self.ledger.difference(header) or self._other_contacts():
            if self.ledger.may_have_reached:
                raise LedgerError(
                    f"{difference}; it cannot be known which contacts were sent to. Restore it, or clear "
                    f"the task with on_cleared='resend' to send to everybody again",
                    remedy=RESEND_ALL,
                )
            log.info("%s. No contact was reached then, so this try starts from the first row", difference)
            self.ledger.start_over()
            self.outcomes.since = self.ledger.generation
        receipt, end = self.ledger.receipt, self.ledger.end
        if receipt is None or end is None or end.row != self.checked.rows:
            return False
        return not (receipt["unknown"] and self.limits.on_unknown == "resend")

    def deliver(self, header: Mapping[str, Any]) -> Receipt:
        """
        Send what earlier tries did not, and return the receipt of all tries.

        Once ``begun``, the checks are over, and ``report_unsent`` can say what a failure did not send.

        :param header: what must be the same on every try.
        :raises LedgerError: this try would deliver something else than an earlier one, or a later one has begun.
        :raises InputError: outcomes cannot be written.
        :raises CampaignError: it stopped early, and why.
        """
        complete = self.is_complete(header)
        self.ledger.start(header, self.reading.left_out())
        self._earlier = EarlierTries(self.send, self.ledger, self.outcomes, self.limits, self.history)
        self.outcomes.begin(self._description(header).as_json())
        self._record = WriteBuffer(self.ledger, self.outcomes, self._earlier, self.history, self.clock)
        self._before = self._totals()
        self.begun = True
        if complete and self.ledger.receipt:
            self._rebuild()
            self._check_sum(self.checked.rows)
            return self.ledger.receipt
        if isinstance(self.send, Concludes) and self._earlier.may_have_sent:
            self.send.resume()
        self._check_contacts()
        self._rebuild()
        read = self._send_rest()
        self._check_sum(read.row)
        receipt = self._receipt(self._record.counts)
        _warn(receipt, self.conclude())
        self.outcomes.forget_earlier()
        self.ledger.finish(receipt, (read.row, read.hexdigest()))
        return receipt

    def _send_rest(self) -> Fingerprint:
        """Send what earlier tries did not, and return the fingerprint of all contacts; raise why it stopped early."""
        rounds = Rounds(
            send=self.send,
            senders=self.senders,
            earlier=self._earlier,
            record=self._record,
            stopping=self._stopping,
            max_concurrency=self.max_concurrency,
            rows=self.checked.rows,
            progress=self.progress,
            closes_in=self.closes_in,
            clock=self.clock,
        )
        # Not only when they were checked: a file may have been replaced since.
        read = Fingerprint(self._reached, self.source.name)
        with DeferredSignals(self.end) as signals, self.senders, gc_frozen():
            rounds.send_all(read.after_check(self._batches(read)))
        signals.act()
        error = self._stopping.error
        if isinstance(error, SendWindowClosedError):
            read = Fingerprint()
            if next(self._batches(read), None) is None:
                # It closed when all was sent.
                return read
        if error:
            raise error
        return read

    def report_unsent(self) -> Receipt:
        """Store what a try that ended early did not send, and return the receipt of all tries so far."""
        not_sent: Counter[str] = Counter()

        def counted() -> Iterator[Outcome]:
            for line in self._earlier.unfinished(self._batches()):
                not_sent[line["status"]] += 1
                yield line

        try:
            self.outcomes.write_unsent(counted())
        except InputError as error:
            log.warning("The receipt and the outcomes do not say who is unsent: %s", error)
        receipt = self._receipt(self._record.counts + not_sent)
        _warn(receipt, self.send.interrupted() if isinstance(self.send, Concludes) else None)
        return receipt

    def end(self, why: str) -> None:
        """
        Send no further request, and end when those in flight have; may be called from a signal handler.

        :param why: for the log and the error.
        """
        self._stopping.end(why, self.clock())

    def _stop_senders(self) -> None:
        self.senders.stop()

    @property
    def counts(self) -> Counter[str]:
        """Contacts by status, of all tries, and ``repeated`` and ``left_out``."""
        return self._record.counts

    def new_counts(self) -> Counter[str]:
        """Return the contacts by status, and ``requests``, that this try added to those of earlier tries."""
        return self._totals() - self._before if self.begun else Counter()

    def _totals(self) -> Counter[str]:
        return Counter({**self.counts, "requests": self.ledger.requests})

    def reasons(self) -> list[str]:
        """Return why contacts were not accepted, a sentence per status, for people."""
        return list(self._record.tally.explanations()) if self.begun else []

    @property
    def _reached(self) -> Checkpoint | None:
        """The row up to which contacts must be those of earlier tries, with its fingerprint; None: any will do."""
        return self.ledger.end if self.ledger.receipt else self.ledger.checkpoint

    def _other_contacts(self) -> str:
        """Return in what the contacts differ from those of earlier tries, empty when they do not."""
        reached = self._reached
        if reached is None or reached.fingerprint == self.checked.fingerprint:
            return ""
        return (
            f"{self.source.name}: the first {reached.row} rows are not those of an earlier try of this task (contacts "
            f"may only be added at the end)"
        )

    def _check_contacts(self) -> None:
        """Refuse contacts of which not one can be sent, unless they are left out on purpose, or too few can."""
        checked = self.checked
        if checked.nobody:
            raise DeliveryError(
                f"{self.source.name}: no contact can be sent; the first one: {checked.nobody}", final=True
            )
        if checked.invalid and (error := self.limits.too_many_invalid(checked.invalid, checked.rows)):
            raise error

    def _rebuild(self) -> None:
        """Write outcomes again that are gone, as far as the ledger knows them."""
        rebuild(self.outcomes, self.reading, self.source, self.ledger, self._earlier)

    def _check_sum(self, rows: int) -> None:
        """Refuse to call a delivery complete of which not every row of the source has an outcome."""
        check_complete(self.outcomes, self.ledger, self._earlier.missing, self._receipt(self.counts)["contacts"], rows)

    def _description(self, header: Mapping[str, Any]) -> Description:
        """Return what a try needs to resume from the outcomes when the ledger is gone."""
        return Description(
            number=self.ledger.try_number,
            began=self.ledger.began_at,
            header=header,
            left_out=self.reading.left_out(),
            ahead=AHEAD * self.max_concurrency * self.batch_size + (MOST_HELD if self.outcomes.holds else 0),
            copy=self.ledger.copy,
            consumed=self.ledger.all_consumed,
            contacts=Checkpoint(self.checked.rows, self.checked.whole) if self.checked.whole else None,
        )

    def _batches(self, read: Fingerprint | None = None) -> Iterator[Batch]:
        settled, unresolved = self._earlier.settled.copy(), self._earlier.unresolved.copy()
        return cut_batches(self.reading, self.source, self.batch_size, settled, unresolved, fingerprint=read)

    def _receipt(self, counts: Mapping[str, int]) -> Receipt:
        return make_receipt(
            self.send.vendor,
            self.send.campaign,
            counts,
            self.ledger.requests,
            self.outcomes.path,
            normalised=self.reading.tally.normalised,
        )


def _warn(receipt: Receipt, warning: str | None) -> None:
    if warning:
        log.warning("%s", warning)
        receipt["warning"] = warning
