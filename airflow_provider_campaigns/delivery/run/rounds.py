"""
The rounds of a delivery: requests in flight, their answers stored, the next intents stored, then those sent.

This runs in the main thread, which alone talks to Airflow and which alone signals reach; ``senders`` is another one,
and ``lookahead`` a third, which reads what comes next. Each round stores what was answered, settles it and stores the
next intents in one write, and only then hands those on to be sent: so no request waits for the ledger as long as
others are under way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from airflow_provider_campaigns.delivery.plan.batches import Batch
from airflow_provider_campaigns.delivery.plan.reading import masked
from airflow_provider_campaigns.delivery.run.lookahead import Lookahead
from airflow_provider_campaigns.delivery.run.replies import (
    Fate,
    fate_of,
    outcomes_of,
    replies_of,
    sent_again,
    sent_to_missing,
    was_refused,
)
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.senders import Answer, Senders, Ticket
from airflow_provider_campaigns.delivery.run.stopping import Stopping
from airflow_provider_campaigns.delivery.run.write_buffer import MOST_UNSTORED, WriteBuffer
from airflow_provider_campaigns.exceptions import (
    OutcomeUnknownError,
    RequestRejectedError,
    SendWindowClosedError,
    UnknownOutcomesError,
)
from airflow_provider_campaigns.protocol.pace import StoppedError
from airflow_provider_campaigns.protocol.send import Send

# Airflow kills a task 5 seconds after it asked it to end; requests in flight get this long.
STOP_GRACE = 4.0

# Intents that may be unsettled at a time, as a multiple of the requests in flight.
AHEAD = 2
# Answers are stored together: this share of the requests in flight, or what comes in so many seconds.
SHARE_OF_ROUND = 0.75
LINGER = 0.05
# And what comes within a moment, this share of the time a request takes: those that were sent together are answered
# together, and the requests that take their places should be sent before this thread is at work again.
GATHER_SHARE = 0.05


class Rounds:
    """
    Sends batches until there are no more, or there is a reason to stop.

    :param send: the vendor's send.
    :param senders: what sends the batches; ready to.
    :param earlier: what earlier tries did.
    :param record: stores answers and intents.
    :param stopping: gets the reasons to stop.
    :param max_concurrency: requests in flight.
    :param rows: of the source.
    :param progress: given the counts after every round.
    :param closes_in: seconds from now after which no request may be sent.
    """

    def __init__(
        self,
        *,
        send: Send,
        senders: Senders,
        earlier: EarlierTries,
        record: WriteBuffer,
        stopping: Stopping,
        max_concurrency: int,
        rows: int,
        progress: Callable[[Mapping[str, int]], None],
        closes_in: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._senders = senders
        self._earlier = earlier
        self._record = record
        self._stopping = stopping
        self._max_concurrency = max_concurrency
        self._rows = rows
        self._progress = progress
        self._closes_in = closes_in
        self._clock = clock
        # Tickets: submitted and not answered; intended and not settled; those that only a later try resolves; and what
        # is to be sent once more, with the answer that says so.
        self._in_flight = 0
        self._open = 0
        self._kept_open = 0
        self._again: list[tuple[Ticket, Answer]] = []
        self._answered = False
        self._first = 1
        self._exhausted = False
        # Seconds that the last round took to be stored, and that the last request took.
        self._storing = 0.0
        self._request = 0.0

    def send_all(self, batches: Iterator[Batch]) -> None:
        """
        Send batches; what ends this early is the error of ``stopping``.

        :raises Exception: something cannot be read or stored.
        """
        with Lookahead(batches) as ahead:
            self._send_each(ahead)
        if self._kept_open:
            self._stopping.stop(
                UnknownOutcomesError(
                    f"{self._kept_open} contacts may have been sent. A retry of the task sends to them again, which is "
                    f"safe: {self._send.safe_to_resend}"
                )
            )

    def _send_each(self, batches: Lookahead[Batch]) -> None:
        tickets: list[Ticket] = []
        try:
            while True:
                if self._until_closing() == 0:
                    self._stopping.stop(SendWindowClosedError("the send window has closed; the rest was not sent"))
                tickets = self._next_tickets(batches)
                left = self._store(tickets, batches)
                held_back, tickets = len(left) < len(tickets), left
                self._submit(tickets)
                tickets = []
                if self._in_flight:
                    self._collect()
                elif not held_back and (self._exhausted or self._stopping.error):
                    self._record.flush()
                    break
        except Exception as error:
            self._rescue(error, tickets)
            raise

    def _next_tickets(self, batches: Iterator[Batch]) -> list[Ticket]:
        """Return what to send next, as much as may be open; settle batches that need no request."""
        tickets: list[Ticket] = []
        # The first request goes alone: a wrong campaign or password is refused once, not once per request in flight.
        most = AHEAD * self._max_concurrency if self._answered else self._first
        while self._open < most and len(self._record.lines) < MOST_UNSTORED and not self._stopping.error:
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

    def _store(self, tickets: Sequence[Ticket], batches: Lookahead[Batch]) -> list[Ticket]:
        """
        Store what was answered, then what comes next; meanwhile the batches after that are read.

        :return: what is sent of what comes next.
        """
        began = self._clock()
        left = self._record.store(tickets, meanwhile=lambda: self._read_on(batches))
        self._storing = self._clock() - began
        self._open -= len(tickets) - len(left)
        if tickets and not left:
            # Those whom history holds back must not come one by one.
            self._first = min(2 * self._first, AHEAD * self._max_concurrency)
        self._progress(self._record.counts)
        return left

    def _read_on(self, batches: Lookahead[Batch]) -> None:
        # Ended before anything was read, the source must not be opened in another thread.
        if not self._stopping.error:
            batches.fetch(AHEAD * self._max_concurrency)

    def _submit(self, tickets: Sequence[Ticket]) -> None:
        self._senders.submit(*tickets)
        self._in_flight += len(tickets)

    # --- waiting for answers

    def _collect(self) -> None:
        """Wait for answers and take them in; a delivery that is to end gives them only so long."""
        answers = self._gather()
        if self._stopping.asked_at is not None and not answers and self._patience() == 0:
            self._senders.abandon()
            answers = self._senders.collect(None)
        for answer in answers:
            self._take(answer)
        self._stopping.check(self._record.counts, self._rows)

    def _gather(self) -> list[Answer]:
        """
        Return answers worth a round: enough that those sent meanwhile last, or what comes soon. An error is worth one
        by itself. If all are answered sooner than a round is stored, nothing would last, so all of them.
        """
        answers = self._wait(self._patience())
        all_at_once = AHEAD * self._request < self._storing
        enough = math.ceil(SHARE_OF_ROUND * self._max_concurrency)
        self._await_others(answers, self._in_flight if all_at_once else min(enough, self._in_flight), LINGER)
        self._await_others(answers, self._in_flight, min(GATHER_SHARE * self._request, LINGER))
        self._request = next((answer.seconds for answer in reversed(answers) if not answer.error), self._request)
        return answers

    def _await_others(self, answers: list[Answer], most: int, seconds: float) -> None:
        """Add to ``answers`` until there are ``most``, one of them is an error, or so many seconds have passed."""
        until = self._clock() + seconds
        while answers and len(answers) < most and not any(answer.error for answer in answers):
            left = min(until - self._clock(), self._patience())
            if left <= 0:
                break
            answers += self._wait(left, most - len(answers))

    def _wait(self, seconds: float, least: int = 1) -> list[Answer]:
        return self._senders.collect(None if seconds == math.inf else seconds, least)

    def _patience(self) -> float:
        """Return the seconds that may be spent on waiting for answers."""
        if self._stopping.asked_at is not None:
            return max(0.0, self._stopping.asked_at + STOP_GRACE - self._clock())
        return self._until_closing()

    def _until_closing(self) -> float:
        """Return the seconds until no request may be sent, infinity when that is of no matter (any more)."""
        return math.inf if self._stopping.error else max(0.0, self._closes_in())

    # --- answers

    def _take(self, answer: Answer) -> None:
        """Take in what became of one ticket."""
        self._in_flight -= 1
        self._answered = True
        ticket = answer.ticket
        fate = fate_of(answer, self._send, self._earlier, stopping=self._stopping.error is not None)
        if ticket.looks_up_since is None and (fate is not Fate.NOT_SENT or was_refused(answer)):
            self._record.request()
        match fate:
            case Fate.NOT_SENT:
                self._return(ticket)
                if not isinstance(answer.error, StoppedError):
                    self._stopping.stop(answer.error)
            case Fate.SEND_AGAIN:
                self._again.append((sent_again(ticket, counted=not self._send.safe_to_resend), answer))
            case Fate.SEND_TO_MISSING:
                self._again.append((sent_to_missing(answer, self._earlier), answer))
            case Fate.KEEP_OPEN:
                self._keep_open(ticket)
                self._stopping.record_unknown(masked(str(answer.error), (contact for _, contact in ticket.contacts)))
            case Fate.SETTLED:
                self._settle(answer)

    def _send_again(self) -> list[Ticket]:
        """Return what is to be sent again; if nothing may be sent any more, settle it."""
        again, self._again = self._again, []
        if not self._stopping.error:
            return [ticket for ticket, _ in again]
        for ticket, answer in again:
            if self._send.safe_to_resend:
                self._keep_open(ticket)
            else:
                self._settle(answer)
        return []

    def _settle(self, answer: Answer) -> None:
        """Take the outcomes of a ticket."""
        replies, error = replies_of(answer), answer.error
        self._open -= 1
        self._record.settle(answer.ticket.batch, outcomes_of(answer, replies))
        self._stopping.record_reply(replies)
        if error and not isinstance(error, (RequestRejectedError, OutcomeUnknownError)):
            self._stopping.stop(error)

    def _return(self, ticket: Ticket) -> None:
        """Give back a ticket whose request did not arrive; one before it may have."""
        if ticket.resent:
            self._keep_open(ticket)
        else:
            self._open -= 1
            self._record.release(ticket.batch.rows)

    def _keep_open(self, ticket: Ticket) -> None:
        """Keep an intent unresolved, for a later try to resolve."""
        self._open -= 1
        self._kept_open += len(ticket.contacts)
        self._earlier.unresolved.add(ticket.batch.rows)

    def _rescue(self, error: Exception, tickets: Sequence[Ticket]) -> None:
        """
        Something cannot be read or stored: send nothing more, and try to store what becomes of the requests in flight.

        :param error: what happened.
        :param tickets: perhaps intended, but not submitted.
        """
        self._stopping.stop(error)
        while self._in_flight:
            self._collect()
        self._send_again()
        for ticket in tickets:
            if ticket.intended:
                self._keep_open(ticket)
        self._record.rescue(tickets)
