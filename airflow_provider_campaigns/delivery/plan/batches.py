"""Cuts the contacts of a source into batches, and takes their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from airflow_provider_campaigns.delivery.plan.reading import Reading, always_invalid
from airflow_provider_campaigns.delivery.plan.sources import Source
from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.record.try_record import Checkpoint
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.protocol.send import Contact

# Rows that are not sent are settled with the batch around them; this many close a batch by themselves.
MOST_ROWS = 5_000


def key_to_compare(contact: Contact | Outcome) -> str | None:
    """
    Return the key by which a later try finds the same contact in a row.

    None for a row that cannot be sent: what it holds is of no matter as long as it stays so.
    """
    if not isinstance(contact, dict):
        return contact.key
    return None if always_invalid(contact) else contact["key"]


class Fingerprint:
    """
    A digest of the contacts that were added so far, different for any other sequence.

    :param known: a row, and the digest of the contacts up to it as they were checked; None: any will do.
    :param source: the name of the contacts, for the error.
    """

    def __init__(self, known: Checkpoint | None = None, source: str = "contacts") -> None:
        self._hash = hashlib.sha256()
        self._known = known or Checkpoint(0, "")
        self._source = source
        self.row = 0
        """The last row that was added."""
        self.same = known is None
        """Whether the known row was added, and the contacts up to it are the known ones."""

    def add(self, row: int, contact: Contact | Outcome) -> None:
        """Take in the next row."""
        self.row = row
        self._hash.update(f"{row}\0{key_to_compare(contact)}\n".encode())
        if row == self._known.row:
            self.same = self.hexdigest() == self._known.fingerprint

    def after_check(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """
        Yield batches of contacts that are added here, once those up to the known row are the known ones.

        Few are kept until then: those of earlier tries that are not settled.

        :raises InputError: they are others.
        """
        waiting: list[Batch] = []
        for batch in batches:
            waiting.append(batch)
            if self.row >= self._known.row:
                self._check()
                yield from waiting
                waiting = []
        self._check()
        yield from waiting

    def _check(self) -> None:
        if not self.same:
            got = f"others in the first {self._known.row} rows than when they were checked"
            raise InputError(self._source, "the same contacts whenever they are read", got)

    def hexdigest(self) -> str:
        """Return it as text."""
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Rows that are settled together.

    :param rows: the range of the source they fill.
    :param contacts: those to be sent, each with its row number.
    :param outcomes: the ends of the rows that are not sent.
    :param fingerprint: of all contacts up to the last of these rows.
    :param earlier: an earlier try may have sent these rows.
    """

    rows: Rows
    contacts: Sequence[tuple[int, Contact]] = field(repr=False)
    outcomes: Sequence[Outcome] = field(repr=False)
    fingerprint: str
    earlier: bool = False


class _RowState(Enum):
    """What earlier tries did with a row."""

    NEW = "new"
    SETTLED = "settled"
    UNRESOLVED = "unresolved"


class _OpenBatch:
    """
    The batch that rows are put into.

    :param size: contacts it takes at the most.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._contacts: list[tuple[int, Contact]] = []
        self._outcomes: list[Outcome] = []
        self._first = self._last = 0
        self._state = _RowState.NEW

    def __bool__(self) -> bool:
        return self._first > 0

    def takes(self, state: _RowState, contact: Contact | Outcome) -> bool:
        """Whether the next row belongs to it."""
        if not self._first:
            return True
        if state is not self._state or len(self._contacts) + len(self._outcomes) == MOST_ROWS:
            return False
        return isinstance(contact, dict) or len(self._contacts) < self._size

    def add(self, row: int, contact: Contact | Outcome, state: _RowState) -> None:
        """Add the next row."""
        self._first, self._last, self._state = self._first or row, row, state
        if isinstance(contact, dict):
            self._outcomes.append(contact)
        else:
            self._contacts.append((row, contact))

    def close(self, fingerprint: Fingerprint) -> Batch:
        """Return it, and begin another."""
        earlier = self._state is _RowState.UNRESOLVED
        rows = Rows(self._first, self._last)
        batch = Batch(rows, self._contacts, self._outcomes, fingerprint.hexdigest(), earlier)
        self._contacts, self._outcomes, self._first = [], [], 0
        return batch


def cut_batches(
    reading: Reading,
    source: Source,
    size: int,
    settled: RowSet | None = None,
    unresolved: RowSet | None = None,
    *,
    fingerprint: Fingerprint | None = None,
) -> Iterator[Batch]:
    """
    Yield the batches that are still to be dealt with, in the order of the source.

    :param reading: how rows become contacts.
    :param source: all contacts, from the first row.
    :param size: contacts a batch takes at the most; ``MOST_ROWS`` rows close one, too.
    :param settled: rows that are done; none by default.
    :param unresolved: rows that come in batches of their own, marked ``earlier``.
    :param fingerprint: gets all rows, as they are read; new by default.
    """
    fingerprint = fingerprint or Fingerprint()
    batch = _OpenBatch(size)
    for row, contact in reading.entries(source.read()):
        state = _state(row, settled, unresolved)
        if not batch.takes(state, contact):
            yield batch.close(fingerprint)
        fingerprint.add(row, contact)
        if state is not _RowState.SETTLED:
            batch.add(row, contact, state)
    if batch:
        yield batch.close(fingerprint)


def _state(row: int, settled: RowSet | None, unresolved: RowSet | None) -> _RowState:
    if settled and row in settled:
        return _RowState.SETTLED
    return _RowState.UNRESOLVED if unresolved and row in unresolved else _RowState.NEW
