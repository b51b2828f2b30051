"""Counts outcomes: by status, and why contacts were not accepted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from airflow_provider_campaigns.delivery.plan.reading import LEFT_OUT, REPEATED, REPEATED_PERSON
from airflow_provider_campaigns.delivery.record.outcome import Outcome, Status

# Different reasons that are kept per status; the others are only counted.
MOST_REASONS = 5
# Statuses whose reasons are logged.
EXPLAINED: tuple[Status, ...] = ("invalid", "capped", "rejected", "unknown")


class OutcomeTally:
    """
    Outcomes, counted.

    ``counts`` are by status; beside them ``repeated`` (duplicates of the source itself, of which the vendor never
    heard) and ``left_out`` (``invalid`` on purpose: opt-outs, and whoever is not in ``only_recipients``).
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {status: Counter() for status in EXPLAINED}

    def add(self, lines: Iterable[Outcome]) -> None:
        """Count outcomes."""
        for line in lines:
            status = line["status"]
            self.counts[status] += 1
            if status == "duplicate":
                self.counts["repeated"] += line["reason"] in {REPEATED, REPEATED_PERSON}
            elif status in self._reasons:
                self.counts["left_out"] += line["reason"] in LEFT_OUT
                self._explain(status, line)

    def subtract(self, other: OutcomeTally) -> None:
        """Take away the counts of another tally; the reasons stay."""
        self.counts.subtract(other.counts)

    def _explain(self, status: str, line: Outcome) -> None:
        words = (line["reason"], line["message"])
        reason = ": ".join(text for text in words if text) or "no reason given"
        reasons = self._reasons[status]
        if reason in reasons or len(reasons) < MOST_REASONS:
            reasons[reason] += 1

    def explanations(self) -> Iterator[str]:
        """Yield a sentence per status with its first reasons, for statuses that any contact has."""
        for status, reasons in self._reasons.items():
            if not (total := self.counts[status]):
                continue
            shown = [f"{number:,} x {reason}" for reason, number in reasons.items()]
            others = total - reasons.total()
            yield f"{total:,} contacts are {status}: {'; '.join([*shown, *([f'{others:,} others'] if others else [])])}"
