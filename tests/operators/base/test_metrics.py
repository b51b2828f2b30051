"""Deliveries count their contacts in Airflow's metrics, each contact once, whatever tries it takes."""

from __future__ import annotations

import inspect
import os
import socket
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
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


class StatsdClient:
    """
    What Airflow's logger needs of the package statsd, which is an extra of Airflow's.

    :param port: of the server on this machine.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def incr(self, stat: str, count: int = 1, rate: float = 1) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.sendto(f"{stat}:{count}|c".encode(), ("127.0.0.1", self._port))


@pytest.fixture
def statsd() -> Iterator[socket.socket]:
    """A statsd server's socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        yield server


def use_statsd(monkeypatch: pytest.MonkeyPatch, server: socket.socket, *, tags: bool) -> None:
    """Let Airflow's metrics go to a server, as with ``[metrics] statsd_on``."""
    places = ("airflow.sdk._shared.observability.metrics", "airflow._shared.observability.metrics", "airflow.metrics")
    found = next(place for place in places if find_spec_of(place))
    kind = import_module(f"{found}.statsd_logger").SafeStatsdLogger
    # Releases differ in how many options there are for one thing.
    options = {"influxdb_tags_enabled", "statsd_influxdb_enabled"} & set(inspect.signature(kind).parameters)
    logger = kind(StatsdClient(server.getsockname()[1]), **dict.fromkeys(options, tags))
    home = import_module(f"{found}.stats") if found != "airflow.metrics" else None
    if hasattr(home, "_backend"):
        monkeypatch.setattr(home, "_backend", logger)
    else:
        # Before 3.3 the logger is kept by a class.
        monkeypatch.setattr(compat.Stats, "instance", logger)
        monkeypatch.setattr(compat.Stats, "_instance_pid", os.getpid(), raising=False)


def find_spec_of(place: str) -> bool:
    try:
        return find_spec(f"{place}.statsd_logger") is not None
    except ImportError:
        return False


@pytest.mark.parametrize("tags", [True, False])
def test_airflows_statsd_logger_sends_them(
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    statsd: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    *,
    tags: bool,
) -> None:
    use_statsd(monkeypatch, statsd, tags=tags)
    acme(contacts=[*PEOPLE, PEOPLE[0], {"phone": "", "name": "Jo"}]).execute(make_context())

    expected = [
        f"campaigns.{name}{end}:{number}|c"
        for name, number in {"accepted": 5, "duplicate": 1, "invalid": 1, "requests": 2}.items()
        for end in (",vendor=acme" if tags else "", ".acme")
    ]
    assert [statsd.recv(1_000).decode() for _ in expected] == expected
