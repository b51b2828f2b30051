"""Which deliveries need somebody, and what to do about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_provider_campaigns.overview.delivery import DeliverySource, DeliveryView, Wanted

MOST_INVALID = 0.1
"""Share of the rows that may be invalid before somebody should know."""
MOST_NEEDS = 200
"""Deliveries that are reported, the latest ones."""
MOST_CANDIDATES = 500


@dataclass(frozen=True)
class Need:
    """
    Why a delivery needs somebody.

    :param problem: what is wrong.
    :param remedy: what to do.
    """

    delivery: DeliveryView
    kind: Literal["unknown", "incomplete", "failed", "invalid"]
    problem: str
    remedy: str


def needs(source: DeliverySource, wanted: Wanted) -> Sequence[Need]:
    """
    Return the deliveries that need somebody, the latest first.

    :param wanted: which deliveries are looked at.
    """
    found = (need_of(view) for view in source.candidates(wanted, MOST_CANDIDATES))
    return [need for need in found if need][:MOST_NEEDS]


def need_of(view: DeliveryView) -> Need | None:
    """Return why a delivery needs somebody, None when it does not."""
    if view.state == "running":
        return None
    unknown, unsent, invalid = (view.count(status) for status in ("unknown", "unsent", "invalid"))
    if unknown:
        return Need(
            view,
            "unknown",
            f"Of {_contacts(unknown)} it is unknown whether they were reached: the vendor's answer never came",
            "Ask the vendor who was contacted, choose for this task to send to them again (on_unknown='resend') or to "
            "accept that nobody knows (on_unknown='skip'), and clear it: without a choice they stay unknown. "
            "On the command line: unknown --ask, resend, skip.",
        )
    if view.state == "incomplete":
        many = f"{_contacts(unsent)} not sent to" if unsent else "not all contacts were sent to"
        return Need(
            view,
            "incomplete",
            f"It ended early: {many}",
            "See why in the task's log, then clear the task: it resumes, and nobody is contacted twice.",
        )
    if view.task_state == "failed":
        return Need(
            view,
            "failed",
            "Its task failed",
            "See why in the task's log: too many contacts were rejected or invalid, or a limit was exceeded.",
        )
    if view.contacts and invalid > MOST_INVALID * view.contacts:
        return Need(
            view,
            "invalid",
            f"{invalid:,} of {view.contacts:,} rows are invalid ({invalid / view.contacts:.0%})",
            "See the reasons, and correct the source of the contacts; a later run then reaches them.",
        )
    return None


def _contacts(number: int) -> str:
    return f"{number:,} contact{'' if number == 1 else 's'}"
