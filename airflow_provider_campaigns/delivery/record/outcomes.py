"""What became of each contact: one JSON line per row of the source, in part files or in the ledger's store."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from heapq import heappop, heappush, merge
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, Status
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.storage import locate, open_text, write_whole
from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    import os

    from airflow_provider_campaigns.protocol.store import Store

# How far behind its place in the source an outcome may have been stored, and still be read in its place.
MOST_DISPLACED = 10_000

# The folder below the outcomes that holds the copy of a query's result.
CONTACTS = "contacts"

_PART = re.compile(r"part-(\d+)-(\d+|unsent)\.jsonl$")


def read_outcomes(path: str | os.PathLike[str], status: Status | None = None) -> Iterator[Outcome]:
    """
    Yield the outcomes a delivery wrote, also while it runs, in the order of the source (nearly, if requests took long).

    :param path: the ``outcomes_path`` of a receipt: a folder, local or in object storage.
    :param status: only outcomes with this status; default all.
    :raises InputError: ``path`` is no folder, or one of other folders, or ``status`` is not one of the six.
    """
    if status is not None and status not in STATUSES:
        raise InputError("status", f"one of {', '.join(STATUSES)}", status)
    outcomes = OutcomeFolder(locate(path))
    if not outcomes.folder.is_dir() or outcomes.is_above():
        raise InputError("path", "a folder of outcomes (the receipt's outcomes_path)", path)
    return (line for line in outcomes.read() if status is None or line["status"] == status)


class Outcomes(ABC):
    """
    Where a delivery keeps its outcomes: parts, each stored whole, numbered per try.

    A row that a later try told again (it was unsent, or unknown and sent again) counts as the later try told it.

    :param try_number: number of the running try.
    """

    def __init__(self, try_number: int) -> None:
        self._try = try_number
        self._last = 0

    @property
    @abstractmethod
    def path(self) -> str | None:
        """The folder they are in, None when they are in no folder."""

    @abstractmethod
    def begin(self) -> None:
        """
        Get ready to write.

        :raises InputError: outcomes cannot be written here.
        """

    @abstractmethod
    def _numbers(self) -> dict[int, list[int]]:
        """Return the numbers of the parts, in order, by try."""

    @abstractmethod
    def _load(self, number_of_try: int, number: int) -> Iterable[Outcome]:
        """Return one part."""

    @abstractmethod
    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        """Store a part of the running try."""

    @abstractmethod
    def _unsent(self) -> Iterable[Outcome]:
        """Return what the last try that ended early left unsent."""

    @abstractmethod
    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Store the rows that this try leaves unsent, in place of an earlier try's."""

    @abstractmethod
    def forget_unsent(self) -> None:
        """Remove what earlier tries left unsent: it has been sent."""

    def write(self, outcomes: Iterable[Outcome], *, again: bool = False) -> None:
        """
        Store the next part of this try.

        :param again: in place of the last one, whose outcomes are among them.
        """
        number = self._last if again else self._last + 1
        self._save(number, sorted(outcomes, key=itemgetter("row")))
        self._last = number

    def last_parts(self) -> Iterator[Outcome]:
        """Yield the last part of each earlier try: the only ones that a crash can have left unsettled."""
        for number_of_try, numbers in self._numbers().items():
            if number_of_try < self._try:
                yield from self._load(number_of_try, numbers[-1])

    def read(self) -> Iterator[Outcome]:
        """Yield every outcome once."""
        parts = self._numbers()
        unsent = iter(self._unsent())
        first_unsent = next(unsent, None)
        told = RowSet()
        streams: list[Iterator[Outcome]] = []
        for number_of_try in sorted(parts, reverse=True):
            streams.append(_in_order(_others(self._told_by(number_of_try, parts[number_of_try]), told.copy())))
            # Which rows these are costs reading them once more; only an older stream needs to know.
            if first_unsent or number_of_try != min(parts):
                rows = (line["row"] for line in self._told_by(number_of_try, parts[number_of_try]))
                told.update(Rows(row, row) for row in rows)
        if first_unsent:
            streams.append(_others(chain([first_unsent], unsent), told))
        yield from merge(*streams, key=itemgetter("row"))

    def _told_by(self, number_of_try: int, numbers: Iterable[int]) -> Iterator[Outcome]:
        for number in numbers:
            yield from self._load(number_of_try, number)


class OutcomeFolder(Outcomes):
    """
    Part files ``part-<try>-<number>.jsonl`` in a folder, and ``part-<try>-unsent.jsonl`` of a try that ended early.

    :param folder: a path object from ``storage.locate``.
    """

    def __init__(self, folder: Any, try_number: int = 0) -> None:
        super().__init__(try_number)
        self.folder = folder

    @property
    def path(self) -> str | None:
        """The folder."""
        return str(self.folder)

    def is_above(self) -> bool:
        """Whether there are no outcomes, but other folders, of tasks, which may have some."""
        return not self._parts() and any(path.name != CONTACTS and path.is_dir() for path in self.folder.iterdir())

    def is_taken(self, tries: Collection[int]) -> bool:
        """
        Whether there are outcomes already.

        :param tries: may have left rows unsent here without having stored any outcome.
        """
        return any(number != "unsent" or number_of_try not in tries for number_of_try, number in self._parts())

    def begin(self) -> None:
        """
        Make sure that the folder can be written to.

        :raises InputError: it cannot.
        """
        try:
            self.write_unsent(())
        except (ImportError, OSError, ValueError) as error:
            raise InputError("outcomes_path", "a folder, path or URL, that can be written to", error) from error

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Write the file of what this try leaves unsent, and remove earlier tries'."""
        write_whole(self._file(self._try, "unsent"), map(_line, outcomes))
        for number_of_try in self._tries_with_unsent():
            if number_of_try < self._try:
                self._file(number_of_try, "unsent").unlink(missing_ok=True)

    def forget_unsent(self) -> None:
        """Remove the files of what was left unsent."""
        for number_of_try in self._tries_with_unsent():
            self._file(number_of_try, "unsent").unlink(missing_ok=True)

    def _numbers(self) -> dict[int, list[int]]:
        numbers: dict[int, list[int]] = {}
        for number_of_try, number in self._parts():
            if number != "unsent":
                numbers.setdefault(number_of_try, []).append(int(number))
        return {number_of_try: sorted(numbers[number_of_try]) for number_of_try in sorted(numbers)}

    def _load(self, number_of_try: int, number: int) -> Iterator[Outcome]:
        return _lines(self._file(number_of_try, f"{number:06}"))

    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        write_whole(self._file(self._try, f"{number:06}"), map(_line, outcomes))

    def _unsent(self) -> Iterator[Outcome]:
        tries = self._tries_with_unsent()
        return _lines(self._file(max(tries), "unsent")) if tries else iter(())

    def _tries_with_unsent(self) -> list[int]:
        return [number_of_try for number_of_try, number in self._parts() if number == "unsent"]

    def _file(self, number_of_try: int, name: str) -> Any:
        return self.folder / f"part-{number_of_try:03}-{name}.jsonl"

    def _parts(self) -> list[tuple[int, str]]:
        names = (path.name for path in self.folder.iterdir()) if self.folder.exists() else ()
        return [(int(match[1]), match[2]) for match in map(_PART.match, names) if match]


class OutcomeRecords(Outcomes):
    """
    Outcomes of a small delivery, kept in the ledger's store, one key per part.

    :param store: the ledger's.
    :param try_number: number of the running try.
    :param try_numbers: numbers of all tries with a record in the ledger, in order.
    """

    def __init__(self, store: Store, try_number: int, try_numbers: Collection[int]) -> None:
        super().__init__(try_number)
        self._store = store
        self._try_numbers = try_numbers
        self._left: list[Outcome] = []

    @property
    def path(self) -> str | None:
        """No folder."""
        return None

    def begin(self) -> None:
        """Nothing to do: the ledger makes sure that its store can be written to."""

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what this try leaves unsent, for its XCom."""
        self._left = list(outcomes)

    def forget_unsent(self) -> None:
        """Nothing to do: what was left unsent is not stored."""

    def _numbers(self) -> dict[int, list[int]]:
        numbers: dict[int, list[int]] = {}
        for number_of_try in self._try_numbers:
            while self._store.get(self._key(number_of_try, len(numbers.get(number_of_try, ())) + 1)) is not None:
                numbers.setdefault(number_of_try, []).append(len(numbers.get(number_of_try, ())) + 1)
        return numbers

    def _load(self, number_of_try: int, number: int) -> list[Outcome]:
        part: list[Outcome] = self._store.get(self._key(number_of_try, number)) or []
        return part

    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        self._store.set(self._key(self._try, number), list(outcomes))

    def _unsent(self) -> list[Outcome]:
        return self._left

    @staticmethod
    def _key(number_of_try: int, number: int) -> str:
        return f"outcomes-{number_of_try}-{number}"


def _others(lines: Iterable[Outcome], told: RowSet) -> Iterator[Outcome]:
    """Yield the lines whose rows are not in ``told``."""
    return (line for line in lines if line["row"] not in told)


def _in_order(lines: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield nearly ordered lines in order; flat in memory."""
    waiting: list[tuple[int, int, Outcome]] = []
    for place, line in enumerate(lines):
        heappush(waiting, (line["row"], place, line))
        if len(waiting) > MOST_DISPLACED:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def _line(value: Outcome) -> bytes:
    try:
        return to_json(value) + b"\n"
    except ValueError:
        # Half of a character: what was sent is told all the same.
        return json.dumps(value).encode() + b"\n"


def _lines(path: Any) -> Iterator[Outcome]:
    with open_text(path) as text:
        yield from map(json.loads, text)
