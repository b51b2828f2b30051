"""
Outcomes that are in no part, made of what the ledger knows.

It holds the last ones of a try in object storage. Of those whose part is gone it knows which rows are settled, and how
many ended how.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from airflow_provider_campaigns.delivery.plan.batches import LEFT_OUT, Entry, Reading
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import Outcome, Status, outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.run.resume import EarlierTries

REBUILT = "its outcome was lost; this is what the ledger has"

# What can have become of a contact that was sent, and that the ledger does not have as unknown.
ANSWERED: tuple[Status, ...] = ("accepted", "duplicate", "rejected")


def rebuild(
    reading: Reading, source: Source, ledger: Ledger, earlier: EarlierTries, most: int
) -> Iterator[list[Outcome]]:
    """
    Yield outcomes to be stored in place of lost ones, some thousand at a time.

    ``earlier.missing`` keeps the rows of which the ledger does not know it: it has counts, so it knows what became of
    contacts that all ended alike.

    :param most: outcomes at a time.
    """
    missing = earlier.missing.copy()
    unknown, others_left_out = ledger.unknown, ledger.others_left_out
    status = _common_status(_entries(reading, source, missing), ledger, earlier)
    lines: list[Outcome] = []
    for entry in _entries(reading, source, missing):
        line = _held(entry, earlier) or _line(entry, unknown, status, others_left_out=others_left_out)
        if line:
            lines.append(line)
        if len(lines) == most:
            yield _counted(lines, earlier)
            lines = []
    if lines:
        yield _counted(lines, earlier)


def _entries(reading: Reading, source: Source, rows: RowSet) -> Iterator[Entry]:
    return (entry for entry in reading.entries(source.read()) if entry[0] in rows)


def _common_status(entries: Iterator[Entry], ledger: Ledger, earlier: EarlierTries) -> Status | None:
    """Return how all lost contacts that were answered ended, None when it is not known."""
    unknown, others_left_out = ledger.unknown, ledger.others_left_out
    found: Counter[str] = Counter()
    for entry in entries:
        line = _held(entry, earlier) or _line(entry, unknown, "unsent", others_left_out=others_left_out)
        found[line["status"] if line else "unsent"] += 1
    counts, stored = ledger.counts, earlier.tally.counts
    lost = {status: counts[status] - stored[status] - found[status] for status in (*ANSWERED, "invalid")}
    ended = [status for status in ANSWERED if lost[status]]
    if len(ended) == 1 and not lost["invalid"] and lost[ended[0]] == found["unsent"]:
        return ended[0]
    return None


def _held(entry: Entry, earlier: EarlierTries) -> Outcome | None:
    """Return the outcome that the ledger holds, None when it does not."""
    row, contact = entry
    line = earlier.held.get(row)
    key = contact["key"] if isinstance(contact, dict) else contact.key
    return {**line, "key": key} if line else None


def _line(entry: Entry, unknown: RowSet | None, status: Status | None, *, others_left_out: bool) -> Outcome | None:
    """
    Return the outcome of a lost row, None when it is not known.

    :param unknown: the rows that are unknown.
    :param status: of contacts that were answered, None when that is not known.
    :param others_left_out: opt-outs were others then.
    """
    row, contact = entry
    if isinstance(contact, dict) and not (others_left_out and contact["reason"] in LEFT_OUT):
        # Not sent then, as it would not be now.
        return contact
    key = contact["key"] if isinstance(contact, dict) else contact.key
    if unknown is None:
        return None
    if row in unknown:
        return outcome(row, key, "unknown", REBUILT)
    return outcome(row, key, status, REBUILT) if status else None


def _counted(lines: list[Outcome], earlier: EarlierTries) -> list[Outcome]:
    """Take outcomes that are stored again off the missing ones."""
    earlier.tally.add(lines)
    for line in lines:
        earlier.missing.remove(Rows(line["row"], line["row"]))
    return lines
