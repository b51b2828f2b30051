"""Deliveries count their contacts in Airflow's metrics, each contact once, whatever tries it takes."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_campaigns import compat
from airflow_provider_campaigns.exceptions import CallRefusedError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import connect
from tests.delivery.world import World
from tests.operators.base.acme import PEOPLE, MakeAcme, refuse_after
from tests.operators.contexts import MakeContext
from tests.operators.exotel.campaigns import create


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What was added to counters, by their names, those with tags behind the tag."""
    counts: Counter[str] = Counter()

    def incr(stat: str, count: int = 1, rate: float = 1, *, tags: dict[str, Any] | None = None) -> None:
        counts[f"{stat}[{tags['vendor']}]" if tags else stat] += count

    monkeypatch.setitem(vars(compat), "Stats", SimpleNamespace(incr=incr))
    return counts


def expected(vendor: str, **counts: int) -> dict[str, int]:
    names = {f"campaigns.{name}[{vendor}]": number for name, number in counts.items()}
    return {**names, **{f"campaigns.{name}.{vendor}": number for name, number in counts.items()}}


def test_a_delivery(world: World, acme: MakeAcme, make_context: MakeContext, counted: Counter[str]) -> None:
    contacts = [*PEOPLE, PEOPLE[0], {"phone": "", "name": "Jo"}]
    acme(contacts=contacts).execute(make_context())
    assert counted == expected("acme", accepted=5, duplicate=1, invalid=1, requests=2)


def test_each_try_counts_what_it_added(
    world: World, acme: MakeAcme, make_context: MakeContext, counted: Counter[str]
) -> None:
    state: dict[str, str] = {}
    refuse_after(world, 1)
    with pytest.raises(CallRefusedError):
        acme(max_concurrency=1).execute(make_context(state=state))
    first = dict(counted)
    assert first["campaigns.accepted[acme]"] == 3
    assert not any("unsent" in name for name in first)

    world.answer = lambda number, keys: world.accept(keys)
    acme(max_concurrency=1).execute(make_context(2, state=state))
    assert counted["campaigns.accepted[acme]"] == 5

    before = dict(counted)
    acme(max_concurrency=1).execute(make_context(3, max_tries=2, state=state))
    assert counted == before


def test_a_preview_counts_nothing(acme: MakeAcme, make_context: MakeContext, counted: Counter[str]) -> None:
    acme(preview=True).execute(make_context())
    assert counted == {}


def test_a_campaign_counts_its_numbers_when_it_is_created(
    sandbox: SandboxClient, make_context: MakeContext, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, sandbox, "exotel")
    state: dict[str, str] = {}
    create().execute(make_context(state=state))
    create().execute(make_context(2, max_tries=1, state=state))
    assert counted == expected("exotel", accepted=2, requests=1)


def test_airflows_own_metrics_take_them() -> None:
    for tags in (None, {"vendor": "acme"}):
        assert compat.Stats.incr("campaigns.accepted", 2, tags=tags) is None
