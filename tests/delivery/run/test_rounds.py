"""How many answers make a round: few rounds, and yet no request that waits for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.run.senders import Answer
from tests.delivery.world import Plan, World, WorldSenders, new_try, phones

HEADER = Plan(()).header


class Trickle(WorldSenders):
    """Gives one answer at a time, and remembers how many were asked for, and for how long."""

    def __init__(self, world: World, send: Any, seconds: float) -> None:
        super().__init__(world, send, concurrency=1)
        self.asked: list[tuple[float | None, int]] = []
        self._seconds = seconds

    def collect(self, timeout: float | None, least: int = 1) -> list[Answer]:
        self.asked.append((timeout, least))
        return [replace(answer, seconds=self._seconds) for answer in super().collect(timeout, least)]


def asked(seconds: float, contacts: int = 13) -> list[tuple[float | None, int]]:
    """Deliver with four requests in flight that take ``seconds`` each, and return what was asked of the senders."""
    world = World()
    delivery = new_try(world, Plan(phones(contacts), batch_size=1, max_concurrency=4))
    delivery.senders = senders = Trickle(world, delivery.send, seconds)
    assert delivery.deliver(HEADER)["accepted"] == contacts
    return senders.asked


def test_a_round_is_worth_three_quarters_of_what_is_in_flight() -> None:
    first_alone, *one_by_one = asked(seconds=0.0, contacts=9)

    assert first_alone == (None, 1)
    assert one_by_one[:3] == [(None, 1), (0.05, 2), (0.05, 1)]


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [pytest.param(0.4, 0.02, id="a share of what a request takes"), pytest.param(30.0, 0.05, id="not for long")],
)
def test_then_a_moment_is_waited_for_those_that_come_together(seconds: float, moment: float) -> None:
    _, *one_by_one = asked(seconds)

    assert one_by_one[:4] == [(None, 1), (0.05, 2), (0.05, 1), (pytest.approx(moment), 5)]
