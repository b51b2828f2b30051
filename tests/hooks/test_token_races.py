"""Many processes that share a token, in simulated time: how many tokens they make, and whom that signs out."""

from __future__ import annotations

import pytest

from airflow_provider_campaigns.exceptions import VendorUnavailableError
from tests.hooks.token_world import HOUR, Process, World

SEEDS = range(3)
# A token is used for 54 of its 60 minutes, so three hours take four.
THREE_HOURS, TOKENS_IN_THREE_HOURS = 3 * HOUR, 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lag", [0.05, 1.5])
def test_twenty_workers_make_one_token_whenever_one_ends(
    monkeypatch: pytest.MonkeyPatch, seed: int, lag: float
) -> None:
    world = World(monkeypatch, seed, lag)
    for _ in range(20):
        world.start(world.worker(pause=30))
    world.run(THREE_HOURS)
    assert len(world.vendor.minted) == TOKENS_IN_THREE_HOURS
    assert world.vendor.refused == []
    assert world.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_slower_than_the_claims_delay_costs_a_token_at_most(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    world = World(monkeypatch, seed, lag=3.5)
    for _ in range(20):
        world.start(world.worker(pause=30))
    world.run(THREE_HOURS)
    assert TOKENS_IN_THREE_HOURS <= len(world.vendor.minted) <= 2 * TOKENS_IN_THREE_HOURS
    assert world.vendor.most_in_an_hour <= 10
    assert world.errors == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_processes_that_die_at_any_point_hold_nobody_up(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    world = World(monkeypatch, seed, lag=0.2)
    for _ in range(20):
        world.start(world.worker(pause=20, dies=lambda: world.chance.random() < 0.02))
    world.run(THREE_HOURS)
    assert len(world.vendor.minted) <= 2 * TOKENS_IN_THREE_HOURS
    assert world.errors == []


@pytest.mark.slow
def test_another_program_with_the_same_key_never_drives_us_over_ten_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, seed=0, lag=0.2)

    def other_program() -> Process:
        while True:
            yield 240
            world.vendor.renew()

    for _ in range(20):
        world.start(world.worker(pause=60))
    world.start(other_program())
    world.run(THREE_HOURS)
    assert world.vendor.most_in_an_hour == 10
    messages = [str(error) for error in world.errors if isinstance(error, VendorUnavailableError)]
    assert "10 tokens were made in the last hour, the vendor gives 10; the next may be made at" in messages[0]
    assert "does another program use this API key?" in messages[0]


@pytest.mark.slow
def test_a_vendor_that_makes_tokens_and_does_not_answer_is_not_asked_over_ten_times_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, seed=0, lag=0.2)
    world.vendor.loses_replies = True
    for _ in range(20):
        world.start(world.worker(pause=60))
    world.run(5 * 60)
    assert 5 <= len(world.vendor.minted) <= 8, "a short outage must leave some of the ten"
    world.run(THREE_HOURS)
    assert world.vendor.most_in_an_hour == 10
    world.vendor.loses_replies = False
    world.run(HOUR)
    world.errors.clear()
    world.run(HOUR)
    assert world.errors == []
