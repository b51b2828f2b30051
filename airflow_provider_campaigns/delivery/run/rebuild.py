"""
Outcomes that are in no part, made of what the ledger knows.

It holds the last ones of a try in object storage. Of those whose part is gone it knows how each ended, unless rows that
ended in different ways alternate too often.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from airflow_provider_campaigns.delivery.plan.reading import Entry, Reading, always_invalid
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, outcome
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.record.status_rows import StatusRows
from airflow_provider_campaigns.delivery.run.resume import EarlierTries
from airflow_provider_campaigns.delivery.run.write_buffer import MOST_UNSTORED
from airflow_provider_campaigns.exceptions import DeliveryError

log = logging.getLogger(__name__)

REBUILT = "its outcome was lost; this is what the ledger has"


def rebuild(outcomes: Outcomes, reading: Reading, source: Source, ledger: Ledger, earlier: EarlierTries) -> None:
    """
    Write outcomes that the ledger holds, and those again that are gone, as far as the ledger knows them.

    ``earlier.missing`` keeps the rows of which the ledger does not know it.
    """
    if not earlier.missing:
        return
    gone = earlier.missing.copy()
    gone.discard(Rows(row, row) for row in earlier.held)
    if gone:
        log.warning("%s has no outcomes of rows %s that earlier tries sent", outcomes.place, gone)
    lines: list[Outcome] = []
    for line in _known(reading, source, ledger, earlier):
        lines.append(line)
        if len(lines) == MOST_UNSTORED:
            _write(lines, outcomes, earlier)
            lines = []
    if lines:
        _write(lines, outcomes, earlier)


def check_complete(outcomes: Outcomes, ledger: Ledger, missing: RowSet, there: int, rows: int) -> None:
    """
    Refuse to call a delivery complete of which not every row has an outcome.

    :param missing: settled rows whose outcomes are gone.
    :param there: how many outcomes there are.
    :param rows: of the source.
    :raises DeliveryError: outcomes are missing.
    """
    if not missing and there == rows and outcomes.complete():
        return
    known = ", ".join(f"{ledger.counts[status]} {status}" for status in STATUSES if ledger.counts[status])
    raise DeliveryError(
        f"All contacts were dealt with, but {outcomes.place} has outcomes of {there} of {rows} rows"
        f"{f', not of rows {missing}' if missing else ''}. The ledger has {known}. Restore what is gone (on several "
        f"machines the folder must be shared), and clear the task: nothing is sent again",
        final=True,
    )


def _known(reading: Reading, source: Source, ledger: Ledger, earlier: EarlierTries) -> Iterator[Outcome]:
    """Yield the outcomes of missing rows that the ledger knows."""
    missing = earlier.missing.copy()
    ended, others_left_out = ledger.ended, ledger.others_left_out
    for entry in reading.entries(source.read()):
        if entry[0] in missing:
            line = _held(entry, earlier) or _line(entry, ended, others_left_out=others_left_out)
            if line:
                yield line


def _held(entry: Entry, earlier: EarlierTries) -> Outcome | None:
    """Return the outcome that the ledger holds, None when it does not."""
    row, contact = entry
    line = earlier.held.get(row)
    key = contact["key"] if isinstance(contact, dict) else contact.key
    return {**line, "key": key} if line else None


def _line(entry: Entry, ended: StatusRows, *, others_left_out: bool) -> Outcome | None:
    """
    Return the outcome of a lost row, None when it is not known.

    :param ended: how settled rows ended.
    :param others_left_out: opt-outs were others then.
    """
    row, contact = entry
    if isinstance(contact, dict) and (always_invalid(contact) or not others_left_out):
        # Not sent then, as it would not be now.
        return contact
    key = contact["key"] if isinstance(contact, dict) else contact.key
    status = ended.status_of(row)
    return outcome(row, key, status, REBUILT) if status else None


def _write(lines: list[Outcome], outcomes: Outcomes, earlier: EarlierTries) -> None:
    """Store outcomes again, and take their rows off the missing ones."""
    earlier.tally.add(lines)
    for line in lines:
        earlier.missing.remove(Rows(line["row"], line["row"]))
    outcomes.write(lines)
