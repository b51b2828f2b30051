"""Twenty deliveries of five vendors, in every state, and two tasks that wait."""

from __future__ import annotations

from collections.abc import Sequence

from tests.browser.restricted import HIDDEN
from tests.overview.metadata import NOW, Noted, progress, receipt

RUNNING, UNKNOWN = "evening_calls", "delivery_feedback"
CAMPAIGNS = {
    "welcome_survey": ("xebo", "Welcome survey"),
    UNKNOWN: ("collect", "How was your delivery?"),
    "autumn_offers": ("xtremepush", "Autumn offers"),
    RUNNING: ("ozonetel", "Evening calls"),
    "flu_clinic": ("exotel", "Flu clinic reminder"),
}
FIRST_UNKNOWN = "manual__2026-11-27T09:00:00+00:00"
WHY = {
    "accepted": None,
    "rejected": "the number is barred",
    "invalid": "no phone number",
    "unknown": "no reply in 30 s",
}


def outcomes() -> list[dict[str, object]]:
    """Return the outcomes of a delivery that has an unknown contact."""
    statuses = ["accepted"] * 6 + ["rejected", "invalid", "accepted", "unknown"]
    return [
        {
            "row": row,
            "key": f"+1555010{row:04}",
            "status": status,
            "reason": WHY[status],
            "vendor_id": f"request-{row}" if status == "accepted" else None,
            "url": None,
            "message": None,
        }
        for row, status in enumerate(statuses, 1)
    ]


def noted(done: int = 4_000) -> Sequence[Noted]:
    """
    Return the deliveries.

    :param done: contacts that the running one has reached.
    """
    rate = {"per_second": 20.0 + done / 1_000, "minutes_left": (12_000 - done) / 1_200, "updated": NOW.isoformat()}
    running = progress("ozonetel", "Evening calls", 12_000, accepted=done, rejected=done // 20, **rate)
    return [
        Noted(
            RUNNING,
            "scheduled__2026-11-28T17:00:00+00:00",
            state="running",
            progress=running,
            minutes=None,
            minutes_ago=4,
        ),
        Noted(
            UNKNOWN,
            FIRST_UNKNOWN,
            state="failed",
            minutes_ago=150,
            xcoms={
                "receipt": receipt("collect", "How was your delivery?", accepted=7, rejected=1, invalid=1, unknown=1),
                "outcomes": outcomes(),
                "_link_CampaignLink": "https://app.example.com/campaigns/feedback",
            },
        ),
        *_ended(),
        Noted(
            "flu_clinic",
            "scheduled__2026-11-28T16:00:00+00:00",
            "wait_for_calls",
            state="deferred",
            minutes=None,
            minutes_ago=40,
            progress={
                "waits_for": "exotel",
                "status": "InProgress",
                "facts": {"completed": 431, "failed": 12, "in-progress": 8},
                "updated": NOW.isoformat(),
            },
        ),
        Noted(
            HIDDEN, "hidden", xcoms={"receipt": receipt("xebo", "Payroll", accepted=3, unknown=1)}, minutes_ago=10_000
        ),
    ]


def _ended() -> Sequence[Noted]:
    counts: list[dict[str, int]] = [
        {"accepted": 4_870, "duplicate": 31, "invalid": 12},
        {"accepted": 2_210, "rejected": 64, "invalid": 420},
        {"accepted": 990, "capped": 210, "rejected": 4},
        {"accepted": 1_200, "unsent": 800},
    ]
    deliveries = [
        Noted(
            dag_id,
            f"scheduled__2026-11-{27 - number:02}T{9 + place:02}:00:00+00:00",
            state="failed" if "unsent" in counts[(number + place) % 4] else "success",
            minutes_ago=60 * (2 + place + 24 * number),
            minutes=4.0 + place,
            xcoms={"receipt": receipt(vendor, campaign, **counts[(number + place) % 4])},
        )
        for number in range(4)
        for place, (dag_id, (vendor, campaign)) in enumerate(CAMPAIGNS.items())
    ]
    # With the running one and the one with an unknown contact, there are twenty.
    return [one for one in deliveries[:20] if one not in (deliveries[1], deliveries[3])]
