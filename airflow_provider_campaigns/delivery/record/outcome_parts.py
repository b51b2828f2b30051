"""Outcomes in parts: each part is stored whole, and numbered per try; where they are stored is for subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush, merge
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from airflow_provider_campaigns.delivery.record.outcome import STATUSES, Outcome
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet

PartReader = Callable[[Sequence[tuple[int, int]], bool], Iterator[Outcome]]
"""Yields the outcomes of parts, given their tries and numbers, and whether they will be read once more."""

# How far behind its place in the source an outcome may have been stored, and still be read in its place.
MOST_DISPLACED = 10_000


class Outcomes(ABC):
    """
    Where a delivery keeps its outcomes: parts, each stored whole, numbered per try.

    A row that a later try wrote again (it was unsent, or unknown and sent again) counts as the later try wrote it.

    :param try_number: number of the running try.
    """

    def __init__(self, try_number: int) -> None:
        self._try = try_number
        self._last = 0
        self.since = 0
        """Number of the first try whose outcomes count."""

    @property
    def holds(self) -> bool:
        """Whether writing a part costs so much that the ledger holds outcomes until one is due."""
        return False

    @property
    @abstractmethod
    def path(self) -> str | None:
        """The folder they are in, None when they are in no folder."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where they are, for a message."""

    @abstractmethod
    def begin(self, description: Mapping[str, Any]) -> None:
        """
        Get ready to write.

        :param description: what is delivered where, for a try whose ledger is gone.
        :raises InputError: outcomes cannot be written here.
        """

    @abstractmethod
    def _all_numbers(self) -> dict[int, list[int]]:
        """Return the numbers of the parts, in order, by try."""

    @abstractmethod
    def _load(self, number_of_try: int, number: int) -> Iterable[Outcome]:
        """Return one part."""

    @abstractmethod
    def _save(self, number: int, outcomes: Iterable[Outcome]) -> None:
        """Store a part of the running try."""

    @abstractmethod
    def unsent(self) -> Iterable[Outcome]:
        """Return the rows that the last try which ended early did not send."""

    def unsent_by(self) -> int:
        """Return the number of the earlier try that stored ``unsent``, 0 when none did."""
        return 0

    @abstractmethod
    def write_unsent(self, outcomes: Iterable[Outcome]) -> None:
        """Store the rows that this try did not send, in place of an earlier try's."""

    @abstractmethod
    def forget_earlier(self) -> None:
        """Remove lists of rows that earlier tries did not send, for now they are sent; and parts that do not count."""

    def write(self, outcomes: Iterable[Outcome], *, again: bool = False) -> None:
        """
        Store the next part of this try.

        :param again: in place of the last one, whose outcomes are among them.
        """
        number = self._last if again else self._last + 1
        self._save(number, sorted(outcomes, key=itemgetter("row")))
        self._last = number

    def complete(self) -> bool:
        """Whether every part that this try wrote is still there."""
        return self._numbers().get(self._try, []) == list(range(1, self._last + 1))

    def written(self) -> Iterator[Outcome]:
        """Yield every outcome in the parts once."""
        return self._merged(iter(()))

    def read(self) -> Iterator[Outcome]:
        """Yield every outcome once, and the rows that were not sent."""
        return self._merged(iter(self.unsent()))

    def some(self, most: int) -> Iterator[Outcome]:
        """Read ``most`` outcomes, those of later tries first, and yield them; of a delivery of any size, no more."""
        rows: set[int] = set()
        parts = self._numbers()
        written = (self._load(one, number) for one in sorted(parts, reverse=True) for number in parts[one])
        for line in islice(chain(chain.from_iterable(written), self.unsent()), most):
            if line["row"] not in rows:
                rows.add(line["row"])
                yield line

    def _numbers(self) -> dict[int, list[int]]:
        """Return the numbers of the parts that count, in order, by try."""
        numbers = self._all_numbers()
        return {
            number_of_try: numbers[number_of_try] for number_of_try in sorted(numbers) if number_of_try >= self.since
        }

    def _merged(self, unsent: Iterator[Outcome]) -> Iterator[Outcome]:
        parts = self._numbers()
        lines_of = self._reader()
        first_unsent = next(unsent, None)
        later = RowSet()
        streams: list[Iterator[Outcome]] = []
        for number_of_try in sorted(parts, reverse=True):
            numbers = [(number_of_try, number) for number in parts[number_of_try]]
            streams.append(_in_order(_others(lines_of(numbers, False), later.copy())))
            # Which rows these are costs reading them once more; only an older stream needs to know.
            if first_unsent or number_of_try != min(parts):
                later.update(Rows(line["row"], line["row"]) for line in lines_of(numbers, True))
        if first_unsent:
            streams.append(_others(chain([first_unsent], unsent), later))
        yield from merge(*streams, key=itemgetter("row"))

    def _reader(self) -> PartReader:
        """Return what reads parts, for one pass over all of them."""
        return lambda numbers, again: chain.from_iterable(self._load(*number) for number in numbers)


def _others(lines: Iterable[Outcome], rows: RowSet) -> Iterator[Outcome]:
    """Yield the lines whose rows are not in ``rows``."""
    return (line for line in lines if line["row"] not in rows)


def _in_order(lines: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield nearly ordered lines in order; flat in memory."""
    waiting: list[tuple[int, int, Outcome]] = []
    for place, line in enumerate(lines):
        heappush(waiting, (line["row"], place, line))
        if len(waiting) > MOST_DISPLACED:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def is_outcome(value: Any) -> bool:
    """Whether a value that was stored is an outcome."""
    if not isinstance(value, dict) or value.keys() != Outcome.__annotations__.keys():
        return False
    texts = (value["key"], value["reason"], value["vendor_id"], value["url"], value["message"])
    return bool(
        type(value["row"]) is int
        and value["row"] >= 1
        and value["status"] in STATUSES
        # Only a row that cannot be read may name nobody.
        and (value["key"] or value["status"] == "invalid")
        and all(text is None or isinstance(text, str) for text in texts)
    )
