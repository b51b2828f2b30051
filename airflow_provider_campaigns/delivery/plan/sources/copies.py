"""
The copy of a query's result, or of what a function returns, that all tries of a delivery read.

A database gives the same rows in another order, or other rows, when it is asked again. So the try that is the first to
send copies the result, one line of JSON per row, and notes the copy in the ledger before its first intent: a copy that
is not noted there was perhaps never finished, and nobody was contacted from it.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, count, islice, takewhile
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_campaigns.delivery.plan.sources.files import ContactsFile
from airflow_provider_campaigns.delivery.plan.sources.notes import Notes
from airflow_provider_campaigns.delivery.plan.sources.rows import Row, Source
from airflow_provider_campaigns.delivery.record.outcomes import CONTACTS
from airflow_provider_campaigns.delivery.storage import write_whole
from airflow_provider_campaigns.exceptions import RESEND_ALL, InputError, LedgerError

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.protocol.store import Store

log = logging.getLogger(__name__)

# Rows that a value in the ledger's store holds: Airflow 3.3 wants values below 64 KB.
ROWS_IN_VALUE = 50
# In the last value of a copy: how many rows it has.
ROWS = "rows"

RESTORE_COPY = "Restore it, or clear the task with on_cleared='resend' to send to everybody again"


class Copied(Protocol):
    """
    What gives its rows once, so that they are copied: a query, or a function.

    ``what`` it is, and a ``digest`` that is different for another one.
    """

    @property
    def name(self) -> str:
        """The parameter's name, for messages."""

    @property
    def what(self) -> str:
        """The query, or the function; for messages."""

    @property
    def digest(self) -> str:
        """A digest that is different for another one."""

    def lines(self) -> Iterator[bytes]:
        """Yield a line of JSON per row: an object, or a text that says why the row cannot be read."""


class _LinesWithError:
    """Lines of which is known whether what went wrong came from them."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._lines
        except Exception as error:
            self.error = error
            raise


class Copies(ABC):
    """Where copies are kept; each has the number of the try that made it."""

    @abstractmethod
    def write(self, number: int, lines: Iterable[bytes]) -> None:
        """
        Store a copy.

        :raises InputError: it cannot be stored here.
        """

    @abstractmethod
    def has(self, number: int) -> bool:
        """Whether the copy is there."""

    @abstractmethod
    def read(self, number: int) -> Iterator[Row]:
        """Yield the rows of a copy."""

    def make(self, copied: Copied, number: int = 1) -> Source:
        """Run the query or the function, and return the copy of its result."""
        self.write(number, copied.lines())
        return Source(copied.name, partial(self.read, number))


class CopyFolder(Copies):
    """
    Copies in files ``contacts/contacts-<try>.jsonl``.

    :param folder: the folder of outcomes, a path object from ``storage.locate``.
    """

    def __init__(self, folder: Any) -> None:
        self._folder = folder / CONTACTS

    def write(self, number: int, lines: Iterable[bytes]) -> None:
        """Store a copy, and remove those of earlier tries, which nothing was sent from; raises what ``lines`` do."""
        watched = _LinesWithError(lines)
        try:
            write_whole(self._file(number), watched)
            for earlier in range(1, number):
                self._file(earlier).unlink(missing_ok=True)
        except InputError:
            raise
        except (ImportError, OSError, ValueError) as error:
            if error is watched.error:
                raise
            raise InputError("outcomes_path", "a folder, path or URL, that can be written to", error) from error

    def has(self, number: int) -> bool:
        """Whether the file is there."""
        return bool(self._file(number).exists())

    def read(self, number: int) -> Iterator[Row]:
        """Yield the rows of a file."""
        file = self._file(number)
        with ContactsFile(str(file), f"the copied contacts ({file})").text(Notes()) as text:
            yield from map(_row, count(1), map(json.loads, text))

    def _file(self, number: int) -> Any:
        return self._folder / f"contacts-{number:03}.jsonl"


class CopyRecords(Copies):
    """
    Copies of small results, kept in the ledger's store.

    :param most: rows of the largest copy.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most

    def write(self, number: int, lines: Iterable[bytes]) -> None:
        """Store a copy, in values of a size that Airflow takes; the last one says how many rows they have."""
        rows = list(map(json.loads, islice(lines, self._most + 1)))
        if len(rows) > self._most:
            raise InputError("outcomes_path", f"a folder for more than {self._most} contacts", "more rows than that")
        parts: list[Any] = [rows[first : first + ROWS_IN_VALUE] for first in range(0, len(rows), ROWS_IN_VALUE)]
        for part, value in enumerate([*parts, {ROWS: len(rows)}]):
            self._store.set(self._key(number, part), value)

    def has(self, number: int) -> bool:
        """Whether there is a first value."""
        return self._store.get(self._key(number, 0)) is not None

    def read(self, number: int) -> Iterator[Row]:
        """
        Yield the rows of all values, which are all read at once: the other rows may be wanted by another thread.

        :raises LedgerError: values are missing.
        """
        values = (self._store.get(self._key(number, part)) for part in count())
        parts = list(takewhile(bool, values))
        rows = list(chain.from_iterable(part for part in parts if isinstance(part, list)))
        if not parts or parts[-1] != {ROWS: len(rows)}:
            raise LedgerError(
                f"the copy of the contacts that this task keeps in its state is damaged: "
                f"{self._key(number, len(parts))} is missing, or what it has is no copy. {RESTORE_COPY}",
                remedy=RESEND_ALL,
            )
        yield from map(_row, count(1), rows)

    @staticmethod
    def _key(number: int, part: int) -> str:
        return f"contacts-{number}-{part}"


def copied(ledger: Ledger, copies: Copies, query: Copied) -> Source:
    """
    Return the contacts that the query (or function) gave the first try that sent; run it if there was none.

    :raises LedgerError: contacts were sent from a copy that is gone.
    :raises InputError: the query cannot be run, or its result cannot be kept.
    """
    copy = ledger.copy
    there = copy is not None and copies.has(copy.number)
    if copy and ledger.may_have_reached and not there:
        raise LedgerError(
            "the copy of the contacts that an earlier try of this task began to send is gone; it is not known who was "
            f"contacted. {RESTORE_COPY}",
            remedy=RESEND_ALL,
        )
    if copy and there and (ledger.may_have_reached or copy.query == query.digest):
        log.info("The contacts are those that %s returned in try %s; it is not run again", query.what, copy.number)
        if copy.query != query.digest:
            log.warning(
                "%s is another one now; on_cleared='resend' sends to the contacts that it returns",
                query.what.capitalize(),
            )
        return Source(query.name, partial(copies.read, copy.number))
    source = copies.make(query, ledger.try_number)
    ledger.record_copy(query.digest)
    return source


def _row(number: int, value: Any) -> Row:
    # A query and a function write text in place of a row that cannot be read.
    return Row(number, {}, value) if isinstance(value, str) else Row(number, value)
