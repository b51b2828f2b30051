"""
The record of earlier tries, made of their outcomes: for a try whose ledger is gone (Airflow 3.4 discards it on clear).

Rows with an outcome are settled. If the last try came to an orderly end, it stored which rows it did not send. If it
was killed, the contacts that may have been on their way are the first ones without an outcome, at most as many as a try
may have ahead: they count as intended.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_campaigns.delivery.plan.batches import Fingerprint, key_to_compare
from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.ledger import Checkpoint, Copy, TryRecord
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.run.tally import OutcomeTally
from airflow_provider_campaigns.exceptions import RESEND_ALL, LedgerError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Description:
    """
    What a try stored beside its outcomes.

    :param number: of the try.
    :param began: when the first try began, seconds since the epoch.
    :param header: what is delivered where.
    :param left_out: a digest of those who are left out.
    :param ahead: how many contacts may be on their way at a time.
    :param copy: the copy of a query's result that it sends from.
    :param consumed: digests of a person's choices that were applied.
    :param contacts: the last row, and the fingerprint of all contacts; None: they were too many to be checked before.
    """

    number: int
    began: float
    header: Mapping[str, Any]
    left_out: str
    ahead: int
    copy: Copy | None
    contacts: Checkpoint | None = None
    consumed: Sequence[str] = ()

    @classmethod
    def read(cls, outcomes: OutcomeFolder) -> Self | None:
        """
        Return what the last try in a folder stored, None when none did.

        :raises LedgerError: it is damaged.
        """
        value = outcomes.description()
        if value is None:
            return None
        try:
            return cls(
                number=max(int(value["try"]), outcomes.last_try()),
                began=float(value["began"]),
                header=dict(value["header"]),
                left_out=str(value["left_out"]),
                ahead=int(value["ahead"]),
                copy=Copy(int(value["copy"][0]), str(value["copy"][1])) if value["copy"] else None,
                contacts=Checkpoint(int(known[0]), str(known[1])) if (known := value.get("contacts")) else None,
                consumed=tuple(map(str, value.get("consumed", ()))),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise LedgerError(f"{outcomes.place}: its description is damaged ({type(error).__name__})") from error

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {
            "try": self.number,
            "began": self.began,
            "header": dict(self.header),
            "left_out": self.left_out,
            "ahead": self.ahead,
            "copy": list(self.copy) if self.copy else None,
            "contacts": list(self.contacts) if self.contacts else None,
            "consumed": list(self.consumed),
        }


def recovered(number: int, outcomes: Outcomes, reading: Reading, source: Source) -> TryRecord:
    """
    Return the record of the earlier tries of a delivery.

    :param number: under which it is stored.
    :raises LedgerError: outcomes are damaged or gone, or those of other contacts.
    """
    description = Description.read(outcomes) if isinstance(outcomes, OutcomeFolder) else None
    if description is None or not isinstance(outcomes, OutcomeFolder):
        raise LedgerError(f"{outcomes.place} has no description any more", remedy=RESEND_ALL)
    record = TryRecord(number, began=description.began, header=dict(description.header), left_out=description.left_out)
    record.copy = description.copy
    tally = OutcomeTally()
    free, last_known = _not_sent(outcomes)
    in_flight = RowSet()
    ahead = 0 if outcomes.ended_early() else description.ahead
    fingerprint = Fingerprint(description.contacts)
    lines = _Lines(outcomes.written())
    for row, contact in reading.entries(source.read()):
        fingerprint.add(row, contact)
        line = lines.take(row)
        if line is not None:
            if key_to_compare(line) != key_to_compare(contact):
                raise LedgerError(
                    f"{source.name}: row {row} is not the contact whose outcome an earlier try of this task stored. "
                    f"Restore the contacts, or clear the task with on_cleared='resend' to send to everybody again",
                    remedy=RESEND_ALL,
                )
            tally.add([line])
            record.settled.add(Rows(row, row))
            if line["status"] != "accepted":
                record.ended.add({line["status"]: [row]})
        elif row in free or isinstance(contact, dict):
            continue
        elif row <= last_known or ahead > 0:
            in_flight.add(Rows(row, row))
            ahead -= 1
        else:
            continue
        record.checkpoint = Checkpoint(row, fingerprint.hexdigest())
    if left := lines.left():
        raise LedgerError(
            f"{source.name}: there is no row {left}, of which an earlier try of this task stored an outcome. Restore "
            f"the contacts, or clear the task with on_cleared='resend' to send to everybody again",
            remedy=RESEND_ALL,
        )
    if in_flight and not fingerprint.same:
        raise LedgerError(
            f"{source.name}: the contacts are not those that an earlier try of this task was sending when it was "
            f"killed; it cannot be known who was on the way. Restore them (more may be added at the end), or clear the "
            f"task with on_cleared='resend' to send to everybody again",
            remedy=RESEND_ALL,
        )
    record.intended, record.counts = list(in_flight), tally.counts
    log.warning("The record of earlier tries is gone; this one resumes from their outcomes in %s", outcomes.path)
    return record


def _not_sent(outcomes: OutcomeFolder) -> tuple[RowSet, int]:
    """Return the rows that the last try stored as unsent, and up to which row it knew of all."""
    free, last = RowSet(), 0
    if outcomes.ended_early():
        for line in outcomes.unsent():
            last = max(last, line["row"])
            if line["status"] != "unknown":
                free.add(Rows(line["row"], line["row"]))
    return free, last


class _Lines:
    """Outcomes, taken by row; they come nearly in order."""

    def __init__(self, lines: Iterator[Outcome]) -> None:
        self._lines = lines
        self._next = next(lines, None)
        self._early: dict[int, Outcome] = {}

    def take(self, row: int) -> Outcome | None:
        """Return the outcome of a row, None when there is none."""
        while self._next is not None and self._next["row"] <= row:
            self._early[self._next["row"]] = self._next
            self._next = next(self._lines, None)
        return self._early.pop(row, None)

    def left(self) -> int | None:
        """Return the row of an outcome that was not taken, None when all were."""
        return self._next["row"] if self._next is not None else next(iter(self._early), None)
