"""
A try that has a successor frees nobody's place under a cap: the successor may have sent to them.

Feared: it was paused, past Airflow's heartbeat, before it stored what it was about to send, or while its request was on
the way; it wakes while its successor sends, or after it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.exceptions import CallRefusedError, LedgerError
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.deliveries import DeliveryHistory, TaskKey
from airflow_provider_campaigns.history.ledger_store import LedgerStore
from airflow_provider_campaigns.protocol.messages import Response
from airflow_provider_campaigns.protocol.store import Store
from tests.delivery.tries import refuse, statuses
from tests.delivery.world import JsonStore, Plan, World, new_try, phones
from tests.history.people import PHONE, delivery, numbered

CAP = "1 per 7 days"
TASK = TaskKey("dag", "run", "send", -1)
EVERYBODY = numbered(*range(6))


class Tries:
    """The tries of one task instance, whose ledger is in the history database, or in Airflow."""

    def __init__(self, history: History, folder: Path, place: str) -> None:
        self.world = World()
        self.history = history
        self.store: Store = LedgerStore(history, TASK) if place == "history" else JsonStore()
        self.plan = Plan(phones(6), folder, safe=True, max_concurrency=1)

    def begin(self) -> Delivery:
        ledger = Ledger.open(self.store)
        ledger.begin()
        one = new_try(self.world, self.plan)
        one.ledger = ledger
        one.history = DeliveryHistory(self.history, TASK, PHONE, generation=lambda: ledger.generation)
        return one

    def free(self) -> set[int]:
        """Return whom another delivery may contact now, by row; it gives its places back."""
        other = delivery(self.history, "other", [CAP])
        held = other.reserve(EVERYBODY)
        other.release(1, len(EVERYBODY))
        return {row for row, _ in EVERYBODY} - held.keys()


@pytest.fixture(params=["history", "airflow"])
def tries(request: pytest.FixtureRequest, history: History, tmp_path: Path) -> Tries:
    return Tries(history, tmp_path, request.param)


def test_one_that_wakes_before_it_sends(tries: Tries) -> None:
    old, new = tries.begin(), tries.begin()
    free: list[set[int]] = []

    def answer(number: int, keys: list[str]) -> Response:
        if number == 1:
            with pytest.raises(LedgerError, match="a later try of this task has begun"):
                old.deliver(tries.plan.header)
            free.append(tries.free())
        return tries.world.accept(keys)

    tries.world.answer = answer

    assert new.deliver(tries.plan.header)["accepted"] == 6
    assert free == [{4, 5, 6}], "who is being sent to holds a place"
    assert tries.world.most_often == 1


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(statuses("duplicate", "duplicate", "duplicate"), id="the successor's contacts were there already"),
        pytest.param(statuses("rejected", "rejected", "rejected"), id="rejected"),
        pytest.param(Response(422, b"{}"), id="rejected as a whole"),
        pytest.param(refuse(402), id="refused"),
    ],
)
def test_one_whose_request_is_answered_late(tries: Tries, reply: Response) -> None:
    old = tries.begin()
    receipts: list[Any] = []

    def answer(number: int, keys: list[str]) -> Response:
        if number > 1:
            return tries.world.accept(keys)
        receipts.append(tries.begin().deliver(tries.plan.header))
        return reply

    tries.world.answer = answer

    with pytest.raises((LedgerError, CallRefusedError)):
        old.deliver(tries.plan.header)

    assert receipts[0]["accepted"] == 6
    assert tries.free() == set()
