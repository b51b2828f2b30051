"""Deliveries in every state, in Airflow's metadata database."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.delivery.record.outcome import Outcome, outcome
from tests.overview.metadata import Noted, progress, receipt

LINES: list[Outcome] = [
    outcome(1, "jo@example.com", "accepted"),
    outcome(2, "ada@example.com", "unknown", "no reply within 30 s"),
    outcome(3, "kim@example.com", "unknown", "no reply within 30 s"),
    outcome(4, "[bold]not markup[/bold]\x1b[2J", "rejected", "[red]refused[/red] \x1b[31m"),
]


def deliveries(dag_id: str) -> list[Noted]:
    """Return a delivery in each state, the latest first; the others are no deliveries."""

    def ended(run_id: str, minutes_ago: float, **of: Any) -> Noted:
        state, xcoms = of.pop("state", "success"), of.pop("xcoms", {})
        note = receipt(of.pop("vendor", "xebo"), of.pop("campaign", "spring"), **of)
        return Noted(dag_id, run_id, state=state, xcoms={"receipt": note, **xcoms}, minutes_ago=minutes_ago)

    runs = Noted(dag_id, "runs", state="running", progress=progress(accepted=400), minutes=None, minutes_ago=1)
    lines = {"outcomes": LINES}
    return [
        runs,
        Noted(dag_id, "waits", state="up_for_retry", progress=progress(accepted=1), minutes_ago=5),
        ended("new", 10, accepted=90, invalid=10),
        ended("unknown", 20, vendor="collect", campaign="c1", accepted=1, unknown=2, rejected=1, xcoms=lines),
        ended("early", 30, state="failed", vendor="ozonetel", campaign="Été", accepted=1, unsent=4),
        ended("refused", 40, state="failed", vendor="exotel", rejected=5),
        Noted(dag_id, "killed", state="failed", progress=progress("collect", accepted=7), minutes_ago=60),
        Noted(dag_id, "mapped", map_index=2, xcoms={"receipt": receipt(accepted=1)}, minutes_ago=70),
        ended("old", 60 * 48, vendor="xtremepush", accepted=3),
        Noted(dag_id, "sensor", state="deferred", progress={"waits_for": "exotel", "status": "InProgress"}),
    ]


STATES = {
    "runs": "running",
    "waits": "running",
    "new": "complete",
    "unknown": "complete",
    "early": "incomplete",
    "refused": "complete",
    "killed": "incomplete",
    "mapped": "complete",
    "old": "complete",
}
