"""Vendors that refuse, and tries that end early."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.record.outcome import Outcome
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.protocol.messages import Response
from tests.delivery.world import Plan, Reaction, World, new_try


def refuse(status: int, message: str = "sorry") -> Response:
    return Response(status, json.dumps({"message": message}).encode())


def statuses(*words: str) -> Response:
    return Response(200, json.dumps(words).encode())


def answers(world: World, **special: Response | Exception) -> Reaction:
    """Accept every request but those named ``r<number>``."""
    return lambda number, keys: special.get(f"r{number}") or world.accept(keys)


def fail_try(world: World, plan: Plan, kind: type[Exception], number: int = 1) -> tuple[Any, Receipt, list[Outcome]]:
    """Run one try that ends early, and return its error, its receipt and all outcomes."""
    world.start_process()
    delivery = new_try(world, plan)
    with pytest.raises(kind) as caught:
        delivery.deliver(plan.header)
    assert delivery.begun
    receipt = delivery.report_unsent()
    outcomes = list(delivery.outcomes.read())
    assert [line["row"] for line in outcomes] == list(range(1, receipt["contacts"] + 1))
    return caught.value, receipt, outcomes


def ends(outcomes: list[Outcome]) -> list[str]:
    return [line["status"] for line in outcomes]
