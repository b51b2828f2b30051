"""What the tries of a delivery did, read from their records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.record.held import unpack
from airflow_provider_campaigns.delivery.record.ranges import Rows, RowSet
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.record.status_rows import StatusRows
from airflow_provider_campaigns.delivery.record.try_record import Checkpoint, TryRecord
from airflow_provider_campaigns.masking import mask

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.record.outcome import Outcome

PARAMETERS = "parameters"
"""The part of a header that is a digest of what else is sent; it does not identify contacts."""
REGION = "region"
"""The part that says of which country phone numbers without ``+`` are: by another one, a person is two."""


class Tries:
    """
    The records of the running try and of those before it.

    :param own: of the running try.
    :param loaded: of earlier tries, in order; all of them count until ``_count_from``.
    """

    def __init__(self, own: TryRecord, loaded: list[TryRecord]) -> None:
        self._own = own
        self._loaded = loaded
        self._tries = loaded

    def _count_from(self, generation: int) -> None:
        self._tries = [one for one in self._loaded if one.generation == generation]

    def _all(self) -> list[TryRecord]:
        return [*self._tries, self._own]

    @property
    def try_number(self) -> int:
        """The number of the running try."""
        return self._own.number

    @property
    def last_active(self) -> int:
        """The number of the last earlier try that intended or settled anything, 0 when there is none."""
        return max((one.number for one in self._tries if one.active), default=0)

    @property
    def found(self) -> bool:
        """Whether an earlier try stored a record, whether or not it counts."""
        return bool(self._loaded)

    @property
    def began(self) -> bool:
        """Whether earlier tries that count intended or settled anything."""
        return any(one.active for one in self._tries)

    @property
    def may_have_reached(self) -> bool:
        """Whether tries that count, this one included, reached anybody, or may have; so do those without a record."""
        return bool(self.recovers) or any(one.may_have_reached for one in self._all())

    @property
    def began_at(self) -> float:
        """When the first try that counts began, seconds since the epoch."""
        return min(one.began for one in self._all())

    def first_intended_at(self, rows: Rows) -> float:
        """Return when an earlier try first intended any of ``rows``, seconds since the epoch."""
        times = (
            at
            for one in self._tries
            for intended, at in one.intended_at.items()
            if intended.first <= rows.last and rows.first <= intended.last
        )
        return min(times, default=self.began_at)

    @property
    def generation(self) -> int:
        """Number of the first try that counts."""
        return self._own.generation

    @property
    def resend(self) -> int:
        """A number for the latest time that everybody was to be sent to again, 0 if that never was."""
        return self._own.resend

    @property
    def recovers(self) -> int:
        """Number of the last try whose outcomes take the place of a ledger that is gone, 0 when there is none."""
        return self._own.recovers

    @property
    def on_unknown(self) -> str:
        """What a person chose for unknown contacts, empty if nothing."""
        return self._own.on_unknown

    @property
    def consumed(self) -> frozenset[str]:
        """Digests of a person's choices that earlier tries applied."""
        return frozenset(self._loaded[-1].consumed if self._loaded else ())

    @property
    def all_consumed(self) -> Sequence[str]:
        """The same, with those that the running try applied."""
        return tuple(self._own.consumed)

    @property
    def try_numbers(self) -> list[int]:
        """The numbers of the tries that count, in order, the running one included."""
        return [one.number for one in self._all()]

    @property
    def outcomes_path(self) -> str | None:
        """Where the earlier tries that sent keep their outcomes, None when none did or they are in no folder."""
        return next((one.header.get("outcomes_path") for one in self._tries if one.header), None)

    @property
    def receipt(self) -> Receipt | None:
        """The receipt of a delivery that is complete, None when a later try continued (``on_unknown="resend"``)."""
        return next((one.receipt for one in reversed(self._all()) if one.active or one.receipt), None)

    @property
    def end(self) -> Checkpoint | None:
        """The last row of a delivery that is complete, and the fingerprint of all its contacts."""
        return next((one.end for one in reversed(self._all()) if one.active or one.receipt), None)

    @property
    def requests(self) -> int:
        """Calls that took contacts to the vendor, over all tries."""
        return sum(one.counts["requests"] for one in self._all())

    @property
    def counts(self) -> Counter[str]:
        """What the tries added up: settled rows by status, ``requests``, and ``repeated``."""
        counts: Counter[str] = sum((one.counts for one in self._all()), Counter())
        unknown = self.ended["unknown"]
        if unknown is not None:
            counts["unknown"] = len(unknown)
        return +counts

    @property
    def ended(self) -> StatusRows:
        """Which settled rows were not accepted; of a row that several tries settled, what the last of them has."""
        ended = StatusRows()
        for one in self._all():
            ended.overrule(one.ended, one.settled)
        return ended

    @property
    def held(self) -> dict[int, Outcome]:
        """Outcomes, without keys, that earlier tries settled, and that may be in no part; by row."""
        held: dict[int, Outcome] = {}
        for one in self._tries:
            # What a later try sent again has another outcome, or none yet.
            later = RowSet([*one.settled, *one.intended])
            held = {row: line for row, line in held.items() if row not in later}
            held.update((line["row"], line) for text in one.held for line in unpack(text))
        return held

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The furthest row that an earlier try intended or settled, and the fingerprint of the contacts up to it."""
        return max((one.checkpoint for one in self._tries if one.checkpoint and one.active), default=None)

    def rows(self) -> tuple[RowSet, RowSet]:
        """Return the rows that earlier tries settled, and those they intended of which no more is known."""
        settled, unresolved = RowSet(), RowSet()
        for one in self._tries:
            settled.update(one.settled)
            unresolved.discard(one.settled)
            unresolved.update(one.intended)
            settled.discard(one.intended)
        return settled, unresolved

    def resends(self, row: int) -> int:
        """Return how often a row was sent again after its outcome was unknown, over all tries."""
        return sum(row in level for one in self._all() for level in one.resent)

    @property
    def most_resends(self) -> int:
        """How often it was sent again to the contact that it was sent to most often, at the most."""
        return sum(len(one.resent) for one in self._all())

    def difference(self, header: Mapping[str, Any]) -> str:
        """
        Return in what ``header`` differs from that of the earlier tries, empty when it does not.

        Other ``PARAMETERS`` make a difference as long as nobody was reached: then contacts that were rejected because
        of them are sent again. A ``REGION`` where there was none makes none: who was two people may be one by it.
        """
        of_no_matter = {PARAMETERS} if self.may_have_reached else set()
        for one in self._tries:
            free = of_no_matter if one.header.get(REGION) else {*of_no_matter, REGION}
            for name in sorted({*one.header, *header} - free) if one.header and one.active else ():
                if one.header.get(name) != header.get(name):
                    before, now = mask(repr(one.header.get(name))), mask(repr(header.get(name)))
                    return f"{name}: an earlier try of this task used {before}, this one {now}"
        return ""

    @property
    def others_left_out(self) -> bool:
        """Whether an earlier try that may have sent left out others than this one does."""
        return any(one.left_out != self._own.left_out for one in self._tries if one.active)
