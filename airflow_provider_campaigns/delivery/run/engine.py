"""
Sends every contact once: intents ahead, requests in flight, outcomes stored, ranges settled.

======================================  =================================================================
a crash …                               a later try …
======================================  =================================================================
before the intent is stored             sends the range
between intent and the stored outcomes  resends if that is safe, else the contacts are ``unknown``
between outcomes and settlement         settles from the stored outcomes
after the settlement                    skips the range
======================================  =================================================================

Everything here runs in one thread, which alone talks to Airflow and which alone signals reach; ``senders`` is another
one, and ``lookahead`` a third, which reads what comes next. Each round stores what was answered, settles it and stores
the next intents in one write, and only then hands those on to be sent: so no request waits for the ledger as long as
others are under way.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from airflow_provider_campaigns.delivery.plan.batches import Batch, Reading, masked
from airflow_provider_campaigns.delivery.plan.preflight import PreflightResult, check
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import count, replied
from airflow_provider_campaigns.delivery.record.outcomes import Outcomes
from airflow_provider_campaigns.delivery.record.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.run.interpreter import gc_frozen
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.lookahead import Lookahead
from airflow_provider_campaigns.delivery.run.replies import StopConditions, outcomes_of, replies_of
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.senders import Answer, Senders, Ticket
from airflow_provider_campaigns.delivery.run.signals import DeferredSignals
from airflow_provider_campaigns.delivery.run.write_buffer import WriteBuffer
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    DeliveryError,
    InputError,
    LedgerError,
    OutcomeUnknownError,
    RequestRejectedError,
    SendWindowClosedError,
    UnknownOutcomesError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import Concludes, ContactReply, Send

log = logging.getLogger(__name__)

# Airflow kills a task 5 seconds after it told it to end; requests in flight get this long.
STOP_GRACE = 4.0

# Intents that may be unsettled at a time, as a multiple of the requests in flight.
AHEAD = 2
# Answers are stored together: this share of the requests in flight, or what comes in so many seconds.
SHARE_OF_ROUND = 0.75
LINGER = 0.05
# And what comes within a moment, this share of the time a request takes: those that left together are answered
# together, and the requests that take their places should leave before this thread is at work again.
GATHER_SHARE = 0.05
# Outcomes that are kept in memory before they are stored, beside those of the requests that are answered.
MOST_LINES = 10_000

# Errors that tell that a request surely did not arrive: refused, never connected, stopped, not even made.
NOT_ARRIVED = (CallRefusedError, VendorUnavailableError, StoppedError, InputError)


@dataclass
class Delivery:
    """
    One try of one delivery.

    :param send: the vendor's send.
    :param reading: how rows become contacts.
    :param source: the contacts.
    :param ledger: the record of this and earlier tries.
    :param outcomes: where the outcomes go.
    :param senders: what sends the batches.
    :param batch_size: contacts per request.
    :param max_concurrency: requests in flight; more unknown ones in a row, and the vendor counts as ill.
    :param limits: what makes a failure of a delivery.
    :param progress: told the counts after every round.
    :param closes_in: seconds from now after which no request may leave.
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
    progress: Callable[[Mapping[str, int]], None] = lambda counts: None
    closes_in: Callable[[], float] = lambda: math.inf
    conclude: Callable[[], str | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _in_flight: int = 0
    _answered: bool = False
    _exhausted: bool = False
    _open: int = 0
    _left_open: int = 0
    _error: BaseException | None = None
    _told_to_end: float | None = None
    _storing: float = 0.0
    _request: float = 0.0
    _earlier: EarlierTries = field(init=False)
    _record: WriteBuffer = field(init=False)
    begun: bool = False

    def __post_init__(self) -> None:
        self._stop_conditions = StopConditions(self.send.vendor, self.max_concurrency, self.limits)

    @property
    def first_rejection(self) -> str:
        """The vendor's words on the first contact it rejected in this try, for a message; empty: it rejected none."""
        return self._stop_conditions.first_rejection

    # --- the delivery as a whole

    def deliver(self, header: Mapping[str, Any]) -> Receipt:
        """
        Send what earlier tries did not, and return the receipt of all tries.

        ``begun`` tells that the checks are over: from then on ``leave`` can say what a failure left.

        :param header: what must be the same on every try.
        :raises LedgerError: this try would deliver something else than an earlier one, or a later one has begun.
        :raises InputError: outcomes cannot be written.
        :raises CampaignError: it stopped early, and why.
        """
        self._check_fingerprint()
        self.ledger.start(header, self.reading.left_out())
        self.outcomes.begin()
        self._earlier = EarlierTries(self.send, self.ledger, self.outcomes, resend=self.limits.on_unknown == "resend")
        self._record = WriteBuffer(self.ledger, self.outcomes, self._earlier)
        if isinstance(self.send, Concludes) and self._earlier.may_have_sent:
            self.send.resume()
        self.begun = True
        self._check_anybody()
        with DeferredSignals(self.end) as signals, self.senders, gc_frozen():
            self._send_all()
        signals.act()
        if isinstance(self._error, SendWindowClosedError) and next(self._batches(), None) is None:
            # It closed when all was sent.
            self._error = None
        if self._error:
            raise self._error
        receipt = self._receipt(count(self.outcomes.read()) if self.ledger.began else self._record.counts)
        _warn(receipt, self.conclude())
        self.outcomes.forget_unsent()
        self.ledger.finish(receipt)
        return receipt

    def leave(self) -> Receipt:
        """Write down what a try that ended early leaves unsent, and return the receipt of all tries so far."""
        try:
            self.outcomes.write_unsent(self._earlier.unfinished(self._batches()))
        except InputError as error:
            log.warning("The receipt and the outcomes do not tell who is left unsent: %s", error)
        receipt = self._receipt(count(self.outcomes.read()))
        _warn(receipt, self.send.interrupted() if isinstance(self.send, Concludes) else None)
        return receipt

    def end(self, why: str) -> None:
        """
        Let no further request leave, and end when those in flight have; may be called from a signal handler.

        :param why: for the log and the error.
        """
        if self._told_to_end is None:
            self._told_to_end = self.clock()
            self._error = self._error or DeliveryError(f"the delivery was told to end ({why}); a retry goes on with it")
            self.senders.stop()

    @cached_property
    def checked(self) -> PreflightResult:
        """What one pass over the source found; raises ``InputError`` when it must not be sent."""
        row, _ = self.ledger.checkpoint or (0, "")
        return check(self.reading, self.source, row)

    def _check_fingerprint(self) -> None:
        row, fingerprint = self.ledger.checkpoint or (0, "")
        if fingerprint != self.checked.fingerprint:
            raise LedgerError(
                f"{self.source.name}: the first {row} rows are not those an earlier try of this task began to send; "
                f"nobody can tell who was contacted. Restore them (new contacts may only be added at the end), or "
                f"clear the task with on_cleared='resend' to send to everybody again"
            )

    def _check_anybody(self) -> None:
        """Refuse contacts of which not one can be sent, unless they are left out on purpose."""
        if nobody := self.checked.nobody:
            raise DeliveryError(f"{self.source.name}: no contact can be sent; the first one: {nobody}", final=True)

    def _batches(self) -> Iterator[Batch]:
        past = self._earlier
        return self.reading.batches(self.source, self.batch_size, past.settled.copy(), past.unresolved.copy())

    def _receipt(self, counts: Mapping[str, int]) -> Receipt:
        return make_receipt(
            self.send.vendor,
            self.send.campaign,
            counts,
            self.ledger.requests,
            self.outcomes.path,
            normalised=self.reading.tally.normalised,
        )

    # --- rounds

    def _send_all(self) -> None:
        with Lookahead(self._batches()) as batches:
            self._send_each(batches)
        if self._left_open and not self._error:
            self._error = UnknownOutcomesError(
                f"{self._left_open} contacts may have been sent. A retry of the task sends to them again, which is "
                f"safe: {self.send.safe_to_resend}"
            )

    def _send_each(self, batches: Lookahead[Batch]) -> None:
        tickets: list[Ticket] = []
        try:
            while True:
                if self._until_closing() == 0:
                    self._stop(SendWindowClosedError("the send window has closed; the rest was not sent"))
                tickets = self._ahead(batches)
                self._store(tickets, batches)
                self._submit(*tickets)
                tickets = []
                if self._in_flight:
                    self._collect()
                elif self._exhausted or self._error:
                    break
        except Exception as error:
            self._rescue(error, tickets)
            raise

    def _ahead(self, batches: Iterator[Batch]) -> list[Ticket]:
        """Return the next batches to intend, as many as may be open; settle those that need no request."""
        tickets: list[Ticket] = []
        # The first request goes alone: a wrong campaign or password is refused once, not once per request in flight.
        most = AHEAD * self.max_concurrency if self._answered else 1
        while self._open < most and len(self._record.lines) < MOST_LINES and not self._error:
            batch = next(batches, None)
            if batch is None:
                self._exhausted = True
                break
            ticket = self._earlier.ticket(batch)
            if ticket.contacts:
                tickets.append(ticket)
                self._open += 1
            else:
                self._record.settle(batch.rows, ticket.others)
        return tickets

    def _store(self, tickets: Sequence[Ticket], batches: Lookahead[Batch]) -> None:
        """Store what was answered, then what comes next; meanwhile the batches after that are read."""
        began = self.clock()
        self._record.store(tickets, meanwhile=lambda: self._read_on(batches))
        self._storing = self.clock() - began
        self.progress(self._record.counts)

    def _read_on(self, batches: Lookahead[Batch]) -> None:
        # Told to end before anything was read, the source must not be opened in another thread.
        if not self._error:
            batches.fetch(AHEAD * self.max_concurrency)

    def _submit(self, *tickets: Ticket) -> None:
        self.senders.submit(*tickets)
        self._in_flight += len(tickets)

    def _collect(self) -> None:
        """Wait for answers and take them in; a delivery that was told to end gives them only so long."""
        answers = self._gather()
        if self._told_to_end is not None and not answers and self._patience() == 0:
            self.senders.abandon()
            answers = self.senders.collect(None)
        for answer in answers:
            self._take(answer)
        if reason := self._stop_conditions.reason_to_stop(self._record.counts):
            self._stop(reason)

    def _until_closing(self) -> float:
        """Return the seconds until no request may leave, infinity when that is of no matter (any more)."""
        return math.inf if self._error else max(0.0, self.closes_in())

    def _patience(self) -> float:
        """Return the seconds that may be spent on waiting for answers."""
        if self._told_to_end is not None:
            return max(0.0, self._told_to_end + STOP_GRACE - self.clock())
        return self._until_closing()

    def _gather(self) -> list[Answer]:
        """
        Return answers worth a round: enough that those sent meanwhile last, or what comes soon. An error is worth one
        by itself. If all are answered sooner than a round is stored, nothing would last, so all of them.
        """
        answers = self._wait(self._patience())
        all_at_once = AHEAD * self._request < self._storing
        enough = math.ceil(SHARE_OF_ROUND * self.max_concurrency)
        self._await_others(answers, self._in_flight if all_at_once else min(enough, self._in_flight), LINGER)
        self._await_others(answers, self._in_flight, min(GATHER_SHARE * self._request, LINGER))
        self._request = next((answer.seconds for answer in reversed(answers) if not answer.error), self._request)
        return answers

    def _await_others(self, answers: list[Answer], most: int, seconds: float) -> None:
        """Add to ``answers`` until there are ``most``, one of them is an error, or so many seconds have passed."""
        until = self.clock() + seconds
        while answers and len(answers) < most and not any(answer.error for answer in answers):
            left = min(until - self.clock(), self._patience())
            if left <= 0:
                break
            answers += self._wait(left, most - len(answers))

    def _wait(self, seconds: float, least: int = 1) -> list[Answer]:
        return self.senders.collect(None if seconds == math.inf else seconds, least)

    def _rescue(self, error: Exception, tickets: Sequence[Ticket]) -> None:
        """
        Something cannot be read or stored: send nothing more, and try to store what becomes of the requests in flight.

        :param error: what happened.
        :param tickets: perhaps intended, but not submitted.
        """
        self._stop(error)
        while self._in_flight:
            self._collect()
        self._record.rescue(tickets)

    # --- answers

    def _take(self, answer: Answer) -> None:
        """Take in what became of one ticket."""
        self._in_flight -= 1
        self._answered = True
        ticket, error = answer.ticket, answer.error
        if error and (not answer.left or isinstance(error, NOT_ARRIVED)):
            self._return(ticket)
            if not isinstance(error, StoppedError):
                self._stop(error)
            return
        if ticket.looks_up_since is None:
            self._record.request()
        if isinstance(error, OutcomeUnknownError):
            if ticket.resends and not self._error and self._told_to_end is None:
                ticket.resends, ticket.resent = ticket.resends - 1, True
                self._submit(ticket)
                return
            if self.send.safe_to_resend:
                self._leave_open(ticket)
                self._stop_conditions.record_unknown(masked(str(error), (contact for _, contact in ticket.contacts)))
                return
        replies = replies_of(answer)
        if again := self._not_found(ticket, replies):
            self._submit(again)
            return
        self._open -= 1
        self._record.settle(ticket.batch.rows, outcomes_of(answer, replies))
        self._stop_conditions.record_reply(replies)
        if error and not isinstance(error, (RequestRejectedError, OutcomeUnknownError)):
            self._stop(error)

    def _not_found(self, ticket: Ticket, replies: Sequence[ContactReply]) -> Ticket | None:
        """Return what sends to those whom a look-up did not find, if they are to be sent to again; else None."""
        if ticket.looks_up_since is None or not ticket.resends or self._error:
            return None
        pairs = list(zip(ticket.contacts, replies, strict=True))
        missing = [one for one, reply in pairs if reply.status == "unknown"]
        found = [replied(row, contact.key, reply) for (row, contact), reply in pairs if reply.status != "unknown"]
        if not missing:
            return None
        return replace(ticket, contacts=missing, others=[*ticket.others, *found], looks_up_since=None)

    def _return(self, ticket: Ticket) -> None:
        """Give back a ticket whose request surely did not arrive; one before it may have."""
        if ticket.resent:
            self._leave_open(ticket)
        else:
            self._open -= 1
            self._record.release(ticket.batch.rows)

    def _leave_open(self, ticket: Ticket) -> None:
        """Leave an intent unresolved, for a later try to resolve."""
        self._open -= 1
        self._left_open += len(ticket.contacts)
        self._earlier.unresolved.add(ticket.batch.rows)

    # --- when to stop

    def _stop(self, error: BaseException) -> None:
        """Send nothing more, for this reason."""
        if self._error is None:
            self._error = error
            self.senders.stop()


def _warn(receipt: Receipt, warning: str | None) -> None:
    if warning:
        log.warning("%s", warning)
        receipt["warning"] = warning
