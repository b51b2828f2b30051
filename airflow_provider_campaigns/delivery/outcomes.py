"""What became of each contact: one JSON line per row of the source, in part files or in the ledger's store."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypedDict, get_args

from airflow_provider_campaigns.delivery.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.storage import locate, open_text, write_whole
from airflow_provider_campaigns.exceptions import InputError

if TYPE_CHECKING:
    import os

    from airflow_provider_campaigns.delivery.ledger import Ledger, Store
    from airflow_provider_campaigns.protocol.sending import ContactReply

Status = Literal["accepted", "duplicate", "rejected", "invalid", "unsent", "unknown"]
STATUSES: tuple[Status, ...] = get_args(Status)

UNSENT = "part-unsent.jsonl"
_PART = re.compile(r"part-(\d+)-(\d+)\.jsonl$")


class Outcome(TypedDict):
    """
    One row's end; unused fields are None.

    ``row`` counts from 1 (the header of a CSV file is not a row); ``key`` is the contact's phone number, e-mail
    address or id; ``reason`` is ours, ``message`` the vendor's (masked).
    """

    row: int
    key: str | None
    status: Status
    reason: str | None
    vendor_id: str | None
    url: str | None
    message: str | None


def outcome(row: int, key: str | None, status: Status, reason: str | None = None) -> Outcome:
    """Return the outcome of a contact of which the vendor said nothing."""
    return Outcome(row=row, key=key, status=status, reason=reason, vendor_id=None, url=None, message=None)


def replied(row: int, key: str, reply: ContactReply) -> Outcome:
    """Return the outcome of a contact the vendor answered for."""
    return Outcome(
        row=row,
        key=key,
        status=reply.status,
        reason=reply.reason,
        vendor_id=reply.vendor_id,
        url=reply.url,
        message=reply.message,
    )


def read_outcomes(path: str | os.PathLike[str], status: Status | None = None) -> Iterator[Outcome]:
    """
    Yield the outcomes a delivery wrote, in the order of the source; works while the task still runs.

    :param path: the ``outcomes_path`` of a receipt: a folder, local or in object storage.
    :param status: only outcomes with this status; default all.
    :raises InputError: ``path`` is no folder, or ``status`` is not one of the six.
    """
    if status is not None and status not in STATUSES:
        raise InputError("status", f"one of {', '.join(STATUSES)}", status)
    folder = locate(path)
    if not folder.is_dir():
        raise InputError("path", "a folder of outcomes (the receipt's outcomes_path)", path)
    return (line for line in OutcomeFolder(folder).read() if status is None or line["status"] == status)


class Outcomes(Protocol):
    """Where a delivery keeps its outcomes: one part per range of rows, written whole."""

    @property
    def path(self) -> str | None:
        """The folder they are in, None when they are in no folder."""

    def begin(self) -> None:
        """
        Forget what an earlier try left unsent: this one may send it.

        :raises InputError: outcomes cannot be written here.
        """

    def write(self, rows: Rows, outcomes: Sequence[Outcome]) -> None:
        """Store the part of ``rows``, in place of an earlier one."""

    def part(self, rows: Rows) -> list[Outcome] | None:
        """Return the part of ``rows``, None when it was never written."""

    def parts(self) -> list[Rows]:
        """Return the ranges that have a part, in order."""

    def read(self) -> Iterator[Outcome]:
        """Yield every outcome, in the order of the source."""

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Store the rows that this try leaves unsent, in place of an earlier try's."""


class OutcomeFolder:
    """
    Part files ``part-<first row>-<last row>.jsonl`` in a folder, and ``part-unsent.jsonl`` of a try that ended early.

    :param folder: a path object from ``storage.locate``.
    """

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    @property
    def path(self) -> str | None:
        """The folder."""
        return str(self.folder)

    def begin(self) -> None:
        """
        Empty ``part-unsent.jsonl``: its contacts may be sent now.

        :raises InputError: the folder cannot be written to.
        """
        try:
            self.write_unsent(())
        except (ImportError, OSError, ValueError) as error:
            raise InputError("outcomes_path", "a folder, path or URL, that can be written to", error) from error

    def write(self, rows: Rows, outcomes: Sequence[Outcome]) -> None:
        """Write the part file of ``rows``, in place of an earlier one."""
        write_whole(self._path(rows), map(_line, outcomes))

    def part(self, rows: Rows) -> list[Outcome] | None:
        """Return the part of ``rows``, None when there is no such file."""
        path = self._path(rows)
        return list(_lines(path)) if path.exists() else None

    def parts(self) -> list[Rows]:
        """Return the ranges that have a part file, in order."""
        names = (path.name for path in self.folder.iterdir()) if self.folder.exists() else ()
        return sorted(Rows(int(match[1]), int(match[2])) for match in map(_PART.match, names) if match)

    def read(self) -> Iterator[Outcome]:
        """Yield every outcome, in the order of the source; a row of a part and of ``part-unsent`` is in the part."""
        parts = self.parts()
        settled = (line for rows in parts for line in _lines(self._path(rows)))
        unsent = self.folder / UNSENT
        yield from _merged(settled, RowSet(parts), _lines(unsent) if unsent.exists() else ())

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Write ``part-unsent.jsonl``, in place of an earlier try's."""
        write_whole(self.folder / UNSENT, map(_line, outcomes))

    def _path(self, rows: Rows) -> Any:
        return self.folder / f"part-{rows.first:010}-{rows.last:010}.jsonl"


class OutcomeRecords:
    """Outcomes of a small delivery, kept in the ledger's store, one key per batch."""

    def __init__(self, store: Store, ledger: Ledger) -> None:
        self.store = store
        self.ledger = ledger
        self._unsent: list[Outcome] = []

    @property
    def path(self) -> str | None:
        """No folder."""
        return None

    def begin(self) -> None:
        """Forget what was left unsent."""
        self._unsent = []

    def write(self, rows: Rows, outcomes: Sequence[Outcome]) -> None:
        """Store the part of ``rows``."""
        self.store.set(self._key(rows), list(outcomes))

    def part(self, rows: Rows) -> list[Outcome] | None:
        """Return the part of ``rows``, None when it was never stored."""
        part: list[Outcome] | None = self.store.get(self._key(rows))
        return part

    def parts(self) -> list[Rows]:
        """Return the ranges that have a part: the ledger knows them."""
        return self.ledger.parts()

    def read(self) -> Iterator[Outcome]:
        """Yield every outcome, in the order of the source."""
        parts = self.parts()
        settled = (line for rows in parts for line in self.part(rows) or ())
        yield from _merged(settled, RowSet(parts), self._unsent)

    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what this try leaves unsent, for its XCom."""
        self._unsent = list(outcomes)

    def _key(self, rows: Rows) -> str:
        return f"outcomes-{self.ledger.generation}-{rows.first}-{rows.last}"


def count(outcomes: Iterable[Outcome]) -> Counter[str]:
    """Return how many contacts ended with each status."""
    return Counter(line["status"] for line in outcomes)


def _merged(settled: Iterable[Outcome], rows: RowSet, unsent: Iterable[Outcome]) -> Iterator[Outcome]:
    left = (line for line in unsent if line["row"] not in rows)
    return merge(settled, left, key=itemgetter("row"))


def _line(value: Outcome) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(path: Any) -> Iterator[Outcome]:
    with open_text(path) as text:
        yield from map(json.loads, text)
