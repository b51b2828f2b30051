"""Stores outcomes, one JSON line per row of the source, in part files or in the ledger's store."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from airflow_provider_campaigns.delivery.record.fetched import FetchedFiles
from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome, Status
from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes, PartReader, is_outcome
from airflow_provider_campaigns.delivery.storage import LocalPath, as_text, is_path, locate, open_text, write_whole
from airflow_provider_campaigns.delivery.xcoms import OUTCOMES, pull
from airflow_provider_campaigns.exceptions import InputError, LedgerError

if TYPE_CHECKING:
    import os

    from airflow_provider_campaigns.protocol.store import Store

__all__ = ["CONTACTS", "DESCRIPTION", "OutcomeFolder", "OutcomeRecords", "Outcomes", "read_outcomes"]

# The folder below the outcomes that holds the copy of a query's result.
CONTACTS = "contacts"
# The file beside the parts that says what is delivered where.
DESCRIPTION = "delivery.json"

_PART = re.compile(r"part-(\d+)-(\d+|unsent)\.jsonl$")


def read_outcomes(path: str | os.PathLike[str] | Mapping[str, Any], status: Status | None = None) -> Iterator[Outcome]:
    """
    Yield the outcomes a delivery wrote, also while it runs, in the order of the source (nearly, if requests took long).

    :param path: a receipt, or its ``outcomes_path``: a folder, local or in object storage. With a receipt that has no
        folder, the outcomes are read from the XCom of the task that sent, which only a task of Airflow can.
    :param status: only outcomes with this status; default all.
    :raises InputError: there are no outcomes: the folder is none, or one of other folders, or the XCom is gone; or
        ``status`` is not one of the seven.
    :raises LedgerError: the outcomes are damaged; raised while they are read.
    """
    if status is not None and status not in STATUSES:
        raise InputError("status", f"one of {', '.join(STATUSES)}", status)
    lines = _outcomes_of(path)
    return (line for line in lines if status is None or line["status"] == status)


def _outcomes_of(path: Any) -> Iterable[Outcome]:
    """Return the outcomes that a receipt or a path leads to."""
    if isinstance(path, Mapping):
        if not path.get("outcomes_path"):
            return _outcomes_in_xcom(path)
        path = path["outcomes_path"]
    if not is_path(path):
        expected = "a receipt (inside a task: not the XComArg of one), or its outcomes_path"
        raise InputError("path", expected, type(path).__name__)
    outcomes = OutcomeFolder(locate(path))
    if not outcomes.folder.is_dir() or outcomes.is_above():
        raise InputError("path", "a receipt, or a folder of outcomes (the receipt's outcomes_path)", path)
    return outcomes.read()


def _outcomes_in_xcom(receipt: Mapping[str, Any]) -> Iterable[Outcome]:
    task = receipt.get("outcomes_xcom")
    if task is None:
        raise InputError("receipt", "one with outcomes_path or outcomes_xcom", f"fields {', '.join(map(str, receipt))}")
    lines = pull(task, OUTCOMES)
    if lines is None:
        raise InputError("receipt", f"a task that has the XCom {OUTCOMES!r}", f"none of task {task.get('task_id')!r}")
    if not isinstance(lines, list) or not all(map(is_outcome, lines)):
        raise LedgerError(f"the XCom {OUTCOMES!r} of task {task.get('task_id')!r} is damaged")
    return lines


class OutcomeFolder(Outcomes):
    """
    Part files ``part-<try>-<number>.jsonl`` in a folder, and ``part-<try>-unsent.jsonl`` of a try that ended early.

    Beside them, ``delivery.json`` says what is delivered where.

    :param folder: a path object from ``storage.locate``.
    """

    def __init__(self, folder: Any, try_number: int = 0) -> None:
        super().__init__(try_number)
        self.folder = folder

    @property
    def holds(self) -> bool:
        """In object storage: there each part is a request."""
        return not isinstance(self.folder, LocalPath)

    @property
    def path(self) -> str | None:
        """The folder."""
        return str(self.folder)

    @property
    def place(self) -> str:
        """The folder."""
        return f"the folder of outcomes {self.folder}"

    def is_above(self) -> bool:
        """Whether there are no outcomes, but other folders, of tasks, which may have some."""
        if self._parts() or (self.folder / DESCRIPTION).exists():
            return False
        return any(path.name != CONTACTS and path.is_dir() for path in self.folder.iterdir())

    def is_taken(self, tries: Collection[int]) -> bool:
        """
        Whether there are outcomes already.

        :param tries: may have stored here which rows they did not send, without having stored any outcome.
        """
        return any(number != "unsent" or number_of_try not in tries for number_of_try, number in self._parts())

    def last_try(self) -> int:
        """Return the number of the last try that wrote anything here, 0 when none did."""
        return max((number_of_try for number_of_try, _ in self._parts()), default=0)

    def ended_early(self) -> bool:
        """Whether the last try that wrote here came to an orderly end, and stored which rows it did not send."""
        return (self.last_try(), "unsent") in self._parts()

    def description(self) -> dict[str, Any] | None:
        """
        Return what is delivered where, None when no try said so.

        :raises LedgerError: the file is damaged.
        """
        file = self.folder / DESCRIPTION
        try:
            text = file.read_bytes() if file.exists() else None
        except OSError as error:
            raise LedgerError(f"{file}: it cannot be read ({type(error).__name__})") from error
        try:
            found = json.loads(text) if text is not None else None
        except (ValueError, RecursionError) as error:
            raise LedgerError(f"{file}: it is damaged ({type(error).__name__})") from error
        if found is not None and not isinstance(found, dict):
            raise LedgerError(f"{file}: it is damaged ({type(found).__name__})")
        return found

    def begin(self, description: Mapping[str, Any]) -> None:
        """
        Write the description, which shows that the folder can be written to.

        :raises InputError: it cannot.
        """
        try:
            before: Mapping[str, Any] = {}
            with suppress(LedgerError):
                before = self.description() or {}
            ahead = [value for value in (before.get("ahead"), description.get("ahead")) if isinstance(value, int)]
            write_whole(
                self.folder / DESCRIPTION, [json.dumps({**description, "ahead": max(ahead, default=0)}).encode()]
            )
        except (ImportError, OSError, ValueError) as error:
            raise InputError("outcomes_path", "a folder, path or URL, that can be written to", error) from error

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Write the file of rows that this try did not send, and remove earlier tries'."""
        write_whole(self._file(self._try, "unsent"), map(_line, outcomes))
        for number_of_try in self._tries_with_unsent():
            if number_of_try != self._try:
                self._file(number_of_try, "unsent").unlink(missing_ok=True)

    def forget_earlier(self) -> None:
        """Remove the files of rows that were not sent, and the parts of tries that do not count."""
        for number_of_try, number in self._parts():
            if number == "unsent" or number_of_try < self.since:
                self._file(number_of_try, number).unlink(missing_ok=True)

    def _all_numbers(self) -> dict[int, list[int]]:
        numbers: dict[int, list[int]] = {}
        for number_of_try, number in self._parts():
            if number != "unsent":
                numbers.setdefault(number_of_try, []).append(int(number))
        return {number_of_try: sorted(found) for number_of_try, found in numbers.items()}

    def _load(self, number_of_try: int, number: int) -> Iterator[Outcome]:
        return _lines(self._part(number_of_try, number))

    def _reader(self) -> PartReader:
        if not self.holds:
            return super()._reader()
        fetched = FetchedFiles()

        def read(numbers: Sequence[tuple[int, int]], again: bool) -> Iterator[Outcome]:
            for file, content in fetched.read([self._part(*number) for number in numbers], keep=again):
                yield from _parsed(as_text(content), file)

        return read

    def _part(self, number_of_try: int, number: int) -> Any:
        return self._file(number_of_try, f"{number:06}")

    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        write_whole(self._part(self._try, number), map(_line, outcomes))

    def unsent(self) -> Iterator[Outcome]:
        """Return the rows in the latest file of those that were not sent."""
        tries = [one for one in self._tries_with_unsent() if one >= self.since]
        return _lines(self._file(max(tries), "unsent")) if tries else iter(())

    def unsent_by(self) -> int:
        """Return the number of the last try that came to an orderly end and did not send to all; 0: there is none."""
        return max((one for one in self._tries_with_unsent() if one >= self.since), default=0)

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
        self._known: dict[str, Any] = {}
        self._not_sent: list[Outcome] = []

    @property
    def path(self) -> str | None:
        """No folder."""
        return None

    @property
    def place(self) -> str:
        """The ledger's store."""
        return "the task's state"

    def begin(self, description: Mapping[str, Any]) -> None:
        """Nothing to do: the ledger makes sure that its store can be written to."""

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Keep the rows that this try did not send, for its XCom."""
        self._not_sent = list(outcomes)

    def forget_earlier(self) -> None:
        """Nothing to do: rows that were not sent are not stored."""

    def complete(self) -> bool:
        """Whether every part that this try wrote is still in the store."""
        keys = (self._key(self._try, number) for number in range(1, self._last + 1))
        return all(self._store.get(key) is not None for key in keys)

    def _all_numbers(self) -> dict[int, list[int]]:
        numbers: dict[int, list[int]] = {}
        for number_of_try in self._try_numbers:
            while self._part(self._key(number_of_try, len(numbers.get(number_of_try, ())) + 1)) is not None:
                numbers.setdefault(number_of_try, []).append(len(numbers.get(number_of_try, ())) + 1)
        return numbers

    def _part(self, key: str) -> Any:
        """Return a part, None when there is none; each read is a request, and what is stored once does not change."""
        if self._known.get(key) is None:
            self._known[key] = self._store.get(key)
        return self._known[key]

    def _load(self, number_of_try: int, number: int) -> list[Outcome]:
        key = self._key(number_of_try, number)
        part = self._part(key)
        if not isinstance(part, list) or not all(map(is_outcome, part)):
            raise LedgerError(f"{key} of {self.place} is damaged")
        return part

    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        key, part = self._key(self._try, number), list(outcomes)
        self._store.set(key, part)
        self._known[key] = part

    def unsent(self) -> list[Outcome]:
        """Return the rows that this try did not send."""
        return self._not_sent

    @staticmethod
    def _key(number_of_try: int, number: int) -> str:
        return f"outcomes-{number_of_try}-{number}"


def _line(value: Outcome) -> bytes:
    try:
        return to_json(value) + b"\n"
    except ValueError:
        # A lone surrogate: what was sent is written all the same.
        return json.dumps(value).encode() + b"\n"


def _lines(path: Any) -> Iterator[Outcome]:
    """
    Yield the outcomes in a file.

    :raises LedgerError: it holds something else.
    """
    with open_text(path) as text:
        yield from _parsed(text, path)


def _parsed(text: Iterable[str], path: Any) -> Iterator[Outcome]:
    number = 0
    try:
        for number, line in enumerate(text, 1):
            value = json.loads(line)
            if not line.endswith("\n") or not is_outcome(value):
                raise LedgerError(f"{path}: line {number} is no outcome: the file is damaged")
            yield value
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"{path}: line {number + 1} cannot be read ({error}): the file is damaged") from error
