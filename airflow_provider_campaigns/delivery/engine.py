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

Everything here runs in one thread, which alone talks to Airflow and which alone signals reach; ``senders`` is the
other one. Each round stores what was answered, settles it and stores the next intents in one write, and only then
hands those on to be sent: so no request waits for the ledger as long as others are under way.
"""

from __future__ import annotations

import gc
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any

from airflow_provider_campaigns.delivery.answers import Watch, outcomes_of, replies_of
from airflow_provider_campaigns.delivery.batches import REPEATED, Batch, Reading
from airflow_provider_campaigns.delivery.checking import Checked, check
from airflow_provider_campaigns.delivery.ledger import Ledger
from airflow_provider_campaigns.delivery.outcomes import STATUSES, Outcome, Outcomes, Status, count, outcome
from airflow_provider_campaigns.delivery.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.receipt import Receipt, make_receipt
from airflow_provider_campaigns.delivery.senders import Answer, Senders, Ticket
from airflow_provider_campaigns.delivery.signals import DeferredSignals
from airflow_provider_campaigns.delivery.sources import Source
from airflow_provider_campaigns.delivery.verdicts import Limits
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
from airflow_provider_campaigns.protocol.sending import LooksUp, Send

# How often ``on_unknown="resend"`` sends a batch again within one try.
RESENDS = 3
# Airflow kills a task 5 seconds after it told it to end; requests in flight get this long.
GRACE = 4.0

# Intents that may be unsettled at a time, as a multiple of the requests in flight.
AHEAD = 2
# Answers are stored together: this share of the requests in flight, or what comes in so many seconds.
SHARE_OF_ROUND = 0.75
LINGER = 0.05
# Outcomes that are kept in memory before they are stored, beside those of the requests that are answered.
MOST_LINES = 10_000

# Errors that tell that a request surely did not arrive: refused, never connected, stopped, not even made.
NOT_ARRIVED = (CallRefusedError, VendorUnavailableError, StoppedError, InputError)

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
    :param senders: what sends the batches.
    :param batch_size: contacts per request.
    :param max_concurrency: requests in flight; more unknown ones in a row, and the vendor counts as ill.
    :param limits: what makes a failure of a delivery.
    :param progress: told the counts after every round.
    :param closes_in: seconds from now after which no request may leave.
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
    clock: Callable[[], float] = time.monotonic
    _counts: Counter[str] = field(default_factory=Counter)
    _settled: RowSet = field(default_factory=RowSet)
    _unresolved: RowSet = field(default_factory=RowSet)
    _stored: dict[int, Outcome] = field(default_factory=dict)
    _lines: list[Outcome] = field(default_factory=list)
    _lines_stored: bool = False
    _done: list[Rows] = field(default_factory=list)
    _released: list[Rows] = field(default_factory=list)
    _in_flight: int = 0
    _answered: bool = False
    _exhausted: bool = False
    _open: int = 0
    _left_open: int = 0
    _requests: int = 0
    _error: BaseException | None = None
    _told_to_end: float | None = None
    _storing: float = 0.0
    _prepared: deque[Batch] = field(default_factory=deque)
    begun: bool = False

    def __post_init__(self) -> None:
        self._watch = Watch(self.send.vendor, self.max_concurrency, self.limits)

    @property
    def first_rejection(self) -> str:
        """The vendor's words on the first contact it rejected in this try, for a message; empty: it rejected none."""
        return self._watch.first_rejection

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
        self.ledger.start(header)
        self.outcomes.begin()
        self._recall()
        self.begun = True
        self._check_anybody()
        with DeferredSignals(self.end) as signals, self.senders, _unburdened():
            self._send_all()
        signals.act()
        if isinstance(self._error, SendWindowClosedError) and next(self._batches(), None) is None:
            # It closed when all was sent.
            self._error = None
        if self._error:
            raise self._error
        receipt = self._receipt(count(self.outcomes.read()) if self.ledger.began else self._counts)
        self.outcomes.forget_unsent()
        self.ledger.finish(receipt)
        return receipt

    def leave(self) -> Receipt:
        """Write down what a try that ended early leaves unsent, and return the receipt of all tries so far."""
        self.outcomes.write_unsent(self._left())
        return self._receipt(count(self.outcomes.read()))

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
    def checked(self) -> Checked:
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

    def _recall(self) -> None:
        """Take over what earlier tries settled, and what they left open."""
        self._settled, self._unresolved = self.ledger.rows()
        if self._unresolved:
            last = self.outcomes.last_parts()
            self._stored = {line["row"]: line for line in last if line["row"] in self._unresolved}
        self._counts.update({status: self.ledger.counts[status] for status in STATUSES})
        if self.limits.on_unknown == "resend" and self.ledger.began:
            unknown = RowSet((line["row"], line["row"]) for line in self.outcomes.read() if line["status"] == "unknown")
            self._settled.discard(unknown)
            self._unresolved.update(unknown)
            self._counts["unknown"] = 0

    def _check_anybody(self) -> None:
        """Refuse contacts of which not one can be sent, unless they are left out on purpose."""
        if nobody := self.checked.nobody:
            raise DeliveryError(f"{self.source.name}: no contact can be sent; the first one: {nobody}", final=True)

    def _batches(self) -> Iterator[Batch]:
        return self.reading.batches(self.source, self.batch_size, self._settled.copy(), self._unresolved.copy())

    def _receipt(self, counts: Mapping[str, int]) -> Receipt:
        return make_receipt(self.send.vendor, self.send.campaign, counts, self.ledger.requests, self.outcomes.path)

    def _left(self) -> Iterator[Outcome]:
        """Yield the outcomes of the rows that no part holds."""
        for batch in self._batches():
            status, reason = UNRESOLVED if batch.earlier else UNSENT
            lines = [outcome(row, contact.key, status, reason) for row, contact in batch.contacts]
            yield from sorted([*batch.outcomes, *lines], key=itemgetter("row"))

    # --- rounds

    def _send_all(self) -> None:
        batches = self._batches()
        tickets: list[Ticket] = []
        try:
            while True:
                if self._until_closing() == 0:
                    self._stop(SendWindowClosedError("the send window has closed; the rest was not sent"))
                tickets = self._ahead(batches)
                self._store(tickets)
                self._submit(*tickets)
                tickets = []
                if self._in_flight:
                    self._prepare(batches)
                    self._collect()
                elif self._exhausted or self._error:
                    break
        except Exception:
            self._rescue(tickets)
            raise
        if self._left_open and not self._error:
            self._error = UnknownOutcomesError(
                f"{self._left_open} contacts may have been sent. A retry of the task sends to them again, which is "
                f"safe: {self.send.safe_to_resend}"
            )

    def _prepare(self, batches: Iterator[Batch]) -> None:
        """Read the next batches while requests are under way, so that no request waits for them."""
        missing = self.max_concurrency - len(self._prepared)
        if self._answered:
            self._prepared.extend(islice(batches, missing))

    def _ahead(self, batches: Iterator[Batch]) -> list[Ticket]:
        """Return the next batches to intend, as many as may be open; settle those that need no request."""
        tickets: list[Ticket] = []
        # The first request goes alone: a wrong campaign or password is refused once, not once per request in flight.
        most = AHEAD * self.max_concurrency if self._answered else 1
        while self._open < most and len(self._lines) < MOST_LINES and not self._error:
            batch = self._prepared.popleft() if self._prepared else next(batches, None)
            if batch is None:
                self._exhausted = True
                break
            ticket = self._ticket(batch)
            if ticket:
                tickets.append(ticket)
                self._open += 1
        return tickets

    def _ticket(self, batch: Batch) -> Ticket | None:
        """Return how a batch is to be dealt with; None when it is dealt with."""
        resend = self.limits.on_unknown == "resend"
        known = [line for line in self._stored_of(batch) if not (resend and line["status"] == "unknown")]
        rows = {line["row"] for line in known}
        contacts = [one for one in batch.contacts if one[0] not in rows] if rows else batch.contacts
        others = [*known, *(line for line in batch.outcomes if line["row"] not in rows)]
        if not contacts:
            self._settle(batch.rows, others)
            return None
        if batch.earlier and not (resend or self.send.safe_to_resend):
            if not isinstance(self.send, LooksUp):
                unknown = [outcome(row, contact.key, *UNRESOLVED) for row, contact in contacts]
                self._settle(batch.rows, [*others, *unknown])
                return None
            return Ticket(batch, contacts, others, resent=True, looks_up_since=self.ledger.began_at)
        return Ticket(batch, contacts, others, resent=batch.earlier, resends=RESENDS if resend else 0)

    def _stored_of(self, batch: Batch) -> list[Outcome]:
        """Return the outcomes of a batch that an earlier try stored, and did not settle."""
        rows = range(batch.rows.first, batch.rows.last + 1) if batch.earlier else ()
        return [self._stored[row] for row in rows if row in self._stored]

    def _store(self, tickets: Sequence[Ticket]) -> None:
        """Store what was answered, then what comes next: outcomes, then settlements and intents in one write."""
        began = self.clock()
        self._write()
        if self._done or self._released or self._requests or tickets:
            counts = count(self._lines)
            self._counts.update(counts)
            counts["requests"] = self._requests
            counts["repeated"] = sum(line["reason"] == REPEATED for line in self._lines)
            checkpoint = (tickets[-1].batch.rows.last, tickets[-1].batch.fingerprint) if tickets else None
            intended = [ticket.batch.rows for ticket in tickets]
            self.ledger.record(self._done, counts, intended, self._released, checkpoint)
        self._lines, self._done, self._released, self._requests = [], [], [], 0
        self._lines_stored = False
        self._storing = self.clock() - began
        self.progress(self._counts)

    def _write(self) -> None:
        """Store the outcomes since the last settlement, in one part."""
        if self._lines:
            self.outcomes.write(self._lines, again=self._lines_stored)
            self._lines_stored = True
            self._settled.update(self._done)

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
        if verdict := self._watch.verdict(self._counts + count(self._lines)):
            self._stop(verdict)

    def _until_closing(self) -> float:
        """Return the seconds until no request may leave, infinity when that is of no matter (any more)."""
        return math.inf if self._error else max(0.0, self.closes_in())

    def _patience(self) -> float:
        """Return the seconds that may be spent on waiting for answers."""
        if self._told_to_end is not None:
            return max(0.0, self._told_to_end + GRACE - self.clock())
        return self._until_closing()

    def _gather(self) -> list[Answer]:
        """
        Return answers worth a round: all of them, if they come within the time that storing them takes, else enough
        that those sent meanwhile last, or what comes within a moment. An error is worth one by itself.
        """
        began = self.clock()
        answers = self._wait(self._patience())
        enough = int(SHARE_OF_ROUND * self.max_concurrency)
        for most, until in (self._in_flight, began + min(self._storing, LINGER)), (enough, self.clock() + LINGER):
            while answers and (missing := min(most, self._in_flight) - len(answers)) > 0:
                left = min(until - self.clock(), self._patience())
                if left <= 0 or any(answer.error for answer in answers):
                    break
                answers += self._wait(left, missing)
        return answers

    def _wait(self, seconds: float, least: int = 1) -> list[Answer]:
        return self.senders.collect(None if seconds == math.inf else seconds, least)

    def _rescue(self, tickets: Sequence[Ticket]) -> None:
        """
        Something cannot be stored: send nothing more, and try to store what becomes of the requests in flight.

        :param tickets: perhaps intended, but not submitted.
        """
        self.senders.stop()
        self._told_to_end = self._told_to_end or self.clock()
        while self._in_flight:
            self._collect()
        # Unless it can be stored, nobody will know what became of them.
        self._unresolved.update(self._done)
        try:
            self._write()
        finally:
            with suppress(Exception):
                self.ledger.record(released=[*self._released, *(ticket.batch.rows for ticket in tickets)])

    # --- answers

    def _take(self, answer: Answer) -> None:
        """Take in what became of one ticket."""
        self._in_flight -= 1
        self._answered = True
        ticket, error = answer.ticket, answer.error
        if isinstance(error, NOT_ARRIVED):
            self._return(ticket)
            if not isinstance(error, StoppedError):
                self._stop(error)
            return
        self._requests += ticket.looks_up_since is None
        if isinstance(error, OutcomeUnknownError):
            if ticket.resends and not self._error and self._told_to_end is None:
                ticket.resends, ticket.resent = ticket.resends - 1, True
                self._submit(ticket)
                return
            if self.send.safe_to_resend:
                self._leave_open(ticket)
                self._watch.saw_nothing(str(error))
                return
        replies = replies_of(answer)
        self._open -= 1
        self._settle(ticket.batch.rows, outcomes_of(answer, replies))
        self._watch.saw(replies)
        if error and not isinstance(error, (RequestRejectedError, OutcomeUnknownError)):
            self._stop(error)

    def _settle(self, rows: Rows, lines: Sequence[Outcome]) -> None:
        self._lines += lines
        self._done.append(rows)

    def _return(self, ticket: Ticket) -> None:
        """Give back a ticket whose request surely did not arrive; one before it may have."""
        if ticket.resent:
            self._leave_open(ticket)
        else:
            self._open -= 1
            self._released.append(ticket.batch.rows)

    def _leave_open(self, ticket: Ticket) -> None:
        """Leave an intent unresolved, for a later try to resolve."""
        self._open -= 1
        self._left_open += len(ticket.contacts)
        self._unresolved.add(ticket.batch.rows)

    # --- when to stop

    def _stop(self, error: BaseException) -> None:
        """Send nothing more, for this reason."""
        if self._error is None:
            self._error = error
            self.senders.stop()


@contextmanager
def _unburdened() -> Iterator[None]:
    """
    Spare the garbage collector what was there before.

    A task of Airflow holds a million objects; to look through them takes a quarter of a second, in which nothing is
    sent, and millions of contacts make it look often.
    """
    frozen = gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
