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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import cached_property
from typing import Any

from airflow_provider_campaigns.delivery.plan.batches import Batch, Fingerprint, Reading, masked
from airflow_provider_campaigns.delivery.plan.preflight import PreflightResult, check
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.held import MOST_HELD
from airflow_provider_campaigns.delivery.record.ledger import RESEND_ALL, Ledger
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, replied
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.ranges import Rows
from airflow_provider_campaigns.delivery.record.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.run.interpreter import gc_frozen
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.lookahead import Lookahead
from airflow_provider_campaigns.delivery.run.rebuild import rebuild
from airflow_provider_campaigns.delivery.run.recovery import Description, recovered
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
from airflow_provider_campaigns.protocol.send import Concludes, Send

log = logging.getLogger(__name__)

# Airflow kills a task 5 seconds after it asked it to end; requests in flight get this long.
STOP_GRACE = 4.0

# Intents that may be unsettled at a time, as a multiple of the requests in flight.
AHEAD = 2
# Answers are stored together: this share of the requests in flight, or what comes in so many seconds.
SHARE_OF_ROUND = 0.75
LINGER = 0.05
# And what comes within a moment, this share of the time a request takes: those that left together are answered
# together, and the requests that take their places should leave before this thread is at work again.
GATHER_SHARE = 0.05
# Contacts that are checked before the first request, in any case: most lists are known to their end then.
MOST_CHECKED = 10_000
# Outcomes that are kept in memory before they are stored, beside those of the requests that are answered.
MOST_LINES = 10_000

# Errors that show that a request did not arrive: refused, never connected, stopped, not even made.
NOT_ARRIVED = (CallRefusedError, VendorUnavailableError, StoppedError, InputError)


class Fate(Enum):
    """What an answer means for its ticket."""

    NOT_SENT = auto()
    SEND_AGAIN = auto()
    LEAVE_OPEN = auto()
    SEND_TO_MISSING = auto()
    SETTLED = auto()


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
    whole: bool = False
    progress: Callable[[Mapping[str, int]], None] = lambda counts: None
    closes_in: Callable[[], float] = lambda: math.inf
    conclude: Callable[[], str | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    _in_flight: int = 0
    _answered: bool = False
    _exhausted: bool = False
    _open: int = 0
    _left_open: int = 0
    _again: list[tuple[Ticket, Answer]] = field(default_factory=list)
    _error: BaseException | None = None
    _ending_since: float | None = None
    _storing: float = 0.0
    _request: float = 0.0
    _earlier: EarlierTries = field(init=False)
    _record: WriteBuffer = field(init=False)
    begun: bool = False

    def __post_init__(self) -> None:
        self._stop_conditions = StopConditions(self.send.vendor, self.max_concurrency, self.limits)
        self._read = Fingerprint()

    @property
    def first_rejection(self) -> str:
        """The vendor's words on the first contact it rejected in this try, for a message; empty: it rejected none."""
        return self._stop_conditions.first_rejection

    # --- the delivery as a whole

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
            self._recover()
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
        self._earlier = EarlierTries(self.send, self.ledger, self.outcomes, self.limits)
        self.outcomes.begin(self._description(header))
        self._record = WriteBuffer(self.ledger, self.outcomes, self._earlier, self.clock)
        self.begun = True
        if complete and self.ledger.receipt:
            self._rebuild()
            self._check_sum(self.checked.rows)
            return self.ledger.receipt
        if isinstance(self.send, Concludes) and self._earlier.may_have_sent:
            self.send.resume()
        self._check_contacts()
        self._rebuild()
        with DeferredSignals(self.end) as signals, self.senders, gc_frozen():
            self._send_all()
        signals.act()
        if isinstance(self._error, SendWindowClosedError):
            self._read = Fingerprint()
            if next(self._batches(self._read), None) is None:
                # It closed when all was sent.
                self._error = None
        if self._error:
            raise self._error
        self._check_sum(self._read.row)
        receipt = self._receipt(self._record.counts)
        _warn(receipt, self.conclude())
        self.outcomes.forget_earlier()
        self.ledger.finish(receipt, (self._read.row, self._read.hexdigest()))
        return receipt

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
        if self._ending_since is None:
            self._ending_since = self.clock()
            self._error = self._error or DeliveryError(f"the delivery was ended ({why}); a retry resumes it")
            self.senders.stop()

    @property
    def counts(self) -> Counter[str]:
        """Contacts by status, of all tries, and ``repeated`` and ``left_out``."""
        return self._record.counts

    def reasons(self) -> list[str]:
        """Return why contacts were not accepted, a sentence per status, for people."""
        return list(self._record.tally.explanations()) if self.begun else []

    def _recover(self) -> None:
        """Make the record of earlier tries of their outcomes, for the ledger is gone."""
        outcomes = self.outcomes
        description = Description.read(outcomes) if isinstance(outcomes, OutcomeFolder) else None
        if description is None or not isinstance(outcomes, OutcomeFolder):
            raise LedgerError(f"{outcomes.place} has no description any more", remedy=RESEND_ALL)
        record = recovered(self.ledger.recovers, description, outcomes, self.reading, self.source)
        log.warning("The record of earlier tries is gone; this one resumes from their outcomes in %s", outcomes.path)
        self.ledger.adopt(record)

    @property
    def _reached(self) -> Any:
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
        if not self._earlier.missing:
            return
        lost = self._earlier.missing.copy()
        lost.discard(Rows(row, row) for row in self._earlier.held)
        if lost:
            log.warning("%s has no outcomes of rows %s that earlier tries sent", self.outcomes.place, lost)
        for lines in rebuild(self.reading, self.source, self.ledger, self._earlier, MOST_LINES):
            self.outcomes.write(lines)

    def _check_sum(self, rows: int) -> None:
        """
        Refuse to call a delivery complete of which not every row has an outcome.

        :param rows: of the source.
        :raises DeliveryError: outcomes are missing.
        """
        lost, there = self._earlier.missing, self._receipt(self._record.counts)["contacts"]
        if not lost and there == rows and self.outcomes.complete():
            return
        counts = self.ledger.counts
        known = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
        raise DeliveryError(
            f"All contacts were dealt with, but {self.outcomes.place} has outcomes of {there} of {rows} rows"
            f"{f', not of rows {lost}' if lost else ''}. The ledger has {known}. Restore what is gone (on several "
            f"machines the folder must be shared), and clear the task: nothing is sent again",
            final=True,
        )

    def _description(self, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a try needs to resume from the outcomes when the ledger is gone."""
        copy = self.ledger.copy
        return {
            "try": self.ledger.try_number,
            "began": self.ledger.began_at,
            "header": dict(header),
            "left_out": self.reading.left_out(),
            "ahead": AHEAD * self.max_concurrency * self.batch_size + (MOST_HELD if self.outcomes.holds else 0),
            "copy": list(copy) if copy else None,
        }

    def _batches(self, read: Fingerprint | None = None) -> Iterator[Batch]:
        earlier = self._earlier
        return self.reading.batches(
            self.source, self.batch_size, earlier.settled.copy(), earlier.unresolved.copy(), read
        )

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
        with Lookahead(self._batches(self._read)) as batches:
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
                    self._record.flush()
                    break
        except Exception as error:
            self._rescue(error, tickets)
            raise

    def _ahead(self, batches: Iterator[Batch]) -> list[Ticket]:
        """Return what to send next, as much as may be open; settle batches that need no request."""
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
                self._record.settle(batch, ticket.others)
        return [*self._send_again(), *tickets]

    def _store(self, tickets: Sequence[Ticket], batches: Lookahead[Batch]) -> None:
        """Store what was answered, then what comes next; meanwhile the batches after that are read."""
        began = self.clock()
        self._record.store(tickets, meanwhile=lambda: self._read_on(batches))
        self._storing = self.clock() - began
        self.progress(self._record.counts)

    def _read_on(self, batches: Lookahead[Batch]) -> None:
        # Ended before anything was read, the source must not be opened in another thread.
        if not self._error:
            batches.fetch(AHEAD * self.max_concurrency)

    def _submit(self, *tickets: Ticket) -> None:
        self.senders.submit(*tickets)
        self._in_flight += len(tickets)

    def _collect(self) -> None:
        """Wait for answers and take them in; a delivery that is to end gives them only so long."""
        answers = self._gather()
        if self._ending_since is not None and not answers and self._patience() == 0:
            self.senders.abandon()
            answers = self.senders.collect(None)
        for answer in answers:
            self._take(answer)
        if reason := self._stop_conditions.reason_to_stop(self._record.counts, self.checked.rows):
            self._stop(reason)

    def _until_closing(self) -> float:
        """Return the seconds until no request may be sent, infinity when that is of no matter (any more)."""
        return math.inf if self._error else max(0.0, self.closes_in())

    def _patience(self) -> float:
        """Return the seconds that may be spent on waiting for answers."""
        if self._ending_since is not None:
            return max(0.0, self._ending_since + STOP_GRACE - self.clock())
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
        self._send_again()
        for ticket in tickets:
            if ticket.intended:
                self._leave_open(ticket)
        self._record.rescue(tickets)

    # --- answers

    def _take(self, answer: Answer) -> None:
        """Take in what became of one ticket."""
        self._in_flight -= 1
        self._answered = True
        ticket = answer.ticket
        fate = self._fate(answer)
        if fate is not Fate.NOT_SENT and ticket.looks_up_since is None:
            self._record.request()
        match fate:
            case Fate.NOT_SENT:
                self._return(ticket)
                if not isinstance(answer.error, StoppedError):
                    self._stop(answer.error)
            case Fate.SEND_AGAIN:
                self._again.append((self._sent_again(ticket), answer))
            case Fate.SEND_TO_MISSING:
                self._again.append((self._sent_to_missing(answer), answer))
            case Fate.LEAVE_OPEN:
                self._leave_open(ticket)
                self._stop_conditions.record_unknown(
                    masked(str(answer.error), (contact for _, contact in ticket.contacts))
                )
            case Fate.SETTLED:
                self._settle(answer)

    def _fate(self, answer: Answer) -> Fate:
        """Decide what an answer means for its ticket."""
        ticket, error = answer.ticket, answer.error
        if error and (not answer.left or isinstance(error, NOT_ARRIVED)):
            return Fate.NOT_SENT
        if isinstance(error, OutcomeUnknownError):
            if ticket.resends and not self._error:
                return Fate.SEND_AGAIN
            if self.send.safe_to_resend:
                return Fate.LEAVE_OPEN
        if ticket.looks_up_since is not None and not self._error and self._earlier.may_send_again(_missing(answer)):
            return Fate.SEND_TO_MISSING
        return Fate.SETTLED

    def _sent_again(self, ticket: Ticket) -> Ticket:
        """Return what sends a ticket once more, after a request whose outcome is unknown."""
        counted = not self.send.safe_to_resend
        return replace(ticket, resends=ticket.resends - 1, resent=True, intended=True, counted=counted)

    def _sent_to_missing(self, answer: Answer) -> Ticket:
        """Return what sends to those whom a look-up did not find."""
        ticket = answer.ticket
        pairs = zip(ticket.contacts, replies_of(answer), strict=True)
        found = [replied(row, contact.key, reply) for (row, contact), reply in pairs if reply.status != "unknown"]
        missing = replace(ticket, contacts=_missing(answer), others=[*ticket.others, *found])
        return replace(self._earlier.again(missing), intended=True)

    def _send_again(self) -> list[Ticket]:
        """Return what is to be sent again; if nothing may be sent any more, settle it."""
        again, self._again = self._again, []
        if not self._error:
            return [ticket for ticket, _ in again]
        for ticket, answer in again:
            if self.send.safe_to_resend:
                self._leave_open(ticket)
            else:
                self._settle(answer)
        return []

    def _settle(self, answer: Answer) -> None:
        """Take the outcomes of a ticket."""
        replies, error = replies_of(answer), answer.error
        self._open -= 1
        self._record.settle(answer.ticket.batch, outcomes_of(answer, replies))
        self._stop_conditions.record_reply(replies)
        if error and not isinstance(error, (RequestRejectedError, OutcomeUnknownError)):
            self._stop(error)

    def _return(self, ticket: Ticket) -> None:
        """Give back a ticket whose request did not arrive; one before it may have."""
        if ticket.resent:
            self._leave_open(ticket)
        else:
            self._open -= 1
            self._record.release(ticket.batch.rows)

    def _leave_open(self, ticket: Ticket) -> None:
        """Keep an intent unresolved, for a later try to resolve."""
        self._open -= 1
        self._left_open += len(ticket.contacts)
        self._earlier.unresolved.add(ticket.batch.rows)

    # --- when to stop

    def _stop(self, error: BaseException | None) -> None:
        """Send nothing more, for this reason."""
        if self._error is None:
            self._error = error
            self.senders.stop()


def _missing(answer: Answer) -> list[Any]:
    """Return the contacts that a look-up did not find, with their row numbers."""
    pairs = zip(answer.ticket.contacts, replies_of(answer), strict=True)
    return [contact for contact, reply in pairs if reply.status == "unknown"]


def _warn(receipt: Receipt, warning: str | None) -> None:
    if warning:
        log.warning("%s", warning)
        receipt["warning"] = warning
