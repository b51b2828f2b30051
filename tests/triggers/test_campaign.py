"""The trigger of the sensors: what it carries, that it only reads, and what it leaves behind when it ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from airflow.models.trigger import Trigger
from airflow.providers.common.compat.sdk import BaseHook, Connection

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.hooks import base as hooks
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox import exotel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger
from tests.connections import calls, connect
from tests.triggering import event_of, rebuilt, stored
from tests.triggers.conftest import create, until

KINDS = [CampaignStatusTrigger, PausingCampaignTrigger]
KWARGS: dict[str, Any] = {
    "hook": "airflow_provider_campaigns.hooks.exotel.ExotelHook",
    "conn_id": "exotel_default",
    "poll_method": "poll_campaign",
    "arguments": {"campaign_id": "c-1", "ids": ["a", "b"], "minimum": 2, "since": None, "wait_for_start": True},
    "poll_interval": 0.5,
    "deadline": 1.5e9,
    "first_poll_at": 1.4e9,
    "max_poll_failures": 3,
    "failures": 2,
    "unknown": ["Reviewing"],
}


def trigger(campaign_id: str, kind: type[CampaignStatusTrigger] = CampaignStatusTrigger, **changes: Any) -> Any:
    given = {**KWARGS, "arguments": {"campaign_id": campaign_id}, "deadline": time.time() + 60, "poll_interval": 0.01}
    return kind(**{**given, "first_poll_at": 0.0, "max_poll_failures": 10, "failures": 0, "unknown": [], **changes})


# -- what it carries


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_out_of_airflows_table_as_it_went_in(kind: type[CampaignStatusTrigger]) -> None:
    before = kind(**KWARGS)

    assert before.serialize() == (f"{kind.__module__}.{kind.__name__}", KWARGS)
    assert stored(before) == before.serialize()
    assert rebuilt(before).serialize() == before.serialize()


def test_one_stored_by_an_earlier_version_is_understood() -> None:
    kept = {name: KWARGS[name] for name in ("hook", "conn_id", "poll_method", "arguments", "poll_interval", "deadline")}

    assert CampaignStatusTrigger(**kept).serialize()[1].items() >= kept.items()


def test_airflows_table_holds_no_secret(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "exotel", extra={"proxy": "http://user:hidden@proxy.example.com", "requests": "9"})

    row = Trigger.from_object(trigger("c-1"))

    held = json.dumps(row.kwargs) + row.encrypted_kwargs + row.classpath
    for secret in (exotel.API_KEY, exotel.API_TOKEN, "hidden", sandbox.url):
        assert secret not in held
    assert row.kwargs["conn_id"] == "exotel_default"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"arguments": {"since": timedelta(days=1)}}, "arguments"),
        ({"arguments": {"ids": ("a", "b")}}, "arguments"),
        ({"arguments": {1: "a"}}, "arguments"),
        ({"deadline": float("nan")}, "deadline"),
        ({"poll_interval": timedelta(seconds=1)}, "poll_interval"),
        ({"conn_id": object()}, "conn_id"),
    ],
)
def test_what_would_not_is_refused_when_it_is_made(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match=f"{field}: expected what JSON knows"):
        CampaignStatusTrigger(**{**KWARGS, **changes})


# -- what it does


def test_it_finds_its_connection_without_blocking_the_event_loop(
    monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
) -> None:
    identifier = create()
    connection = ExotelHook().connection
    looked_up = []

    async def find(conn_id: str) -> Connection:
        looked_up.append(conn_id)
        await asyncio.sleep(0)
        return connection

    def never(*_: Any) -> None:
        raise AssertionError("blocks the event loop")

    monkeypatch.setattr(hooks, "get_async_connection", find)
    monkeypatch.setattr(BaseHook, "get_connection", never)
    sandbox.clock(advance=3600)

    assert event_of(trigger(identifier))["status"] == "Completed"
    assert looked_up == ["exotel_default"]


def test_all_its_polls_share_one_session(sandbox: SandboxClient, sessions: list[aiohttp.ClientSession]) -> None:
    identifier = create()
    sandbox.fault("500", vendor="exotel", method="GET", times=5)
    sandbox.clock(advance=3600)

    assert event_of(trigger(identifier))["state"] == "done"
    assert calls(sandbox, "exotel").count("get_campaign") == 6
    assert [session.closed for session in sessions] == [True]


def test_new_credentials_are_found_in_the_connection(
    monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, sessions: list[aiohttp.ClientSession]
) -> None:
    identifier = create()
    sandbox.clock(advance=3600)
    connections = ["an-old-token", exotel.API_TOKEN]
    real = vars(hooks)["get_async_connection"]

    async def find(conn_id: str) -> Connection:
        connect(monkeypatch, sandbox, "exotel", password=connections.pop(0))
        found: Connection = await real(conn_id)
        return found

    monkeypatch.setattr(hooks, "get_async_connection", find)

    assert event_of(trigger(identifier))["state"] == "done"
    assert [session.closed for session in sessions] == [True, True]


@pytest.mark.slow
def test_it_polls_first_when_it_was_asked_to(sandbox: SandboxClient) -> None:
    identifier, at = create(), time.time() + 0.3

    event = event_of(trigger(identifier, first_poll_at=at, deadline=at))

    assert event == {"state": "timeout", "status": "Created", "details": event["details"]}
    assert time.time() >= at
    assert calls(sandbox, "exotel").count("get_campaign") == 1


def test_those_that_are_late_after_a_restart_do_not_poll_all_at_once() -> None:
    late = trigger("c-1", first_poll_at=time.time() - 1, poll_interval=1000)
    pauses = {late._first_pause() for _ in range(50)}
    assert len(pauses) == 50
    assert all(0 <= pause <= 1000 for pause in pauses)
    assert trigger("c-1", poll_interval=1000)._first_pause() == 0


def test_one_that_is_started_again_after_the_deadline_polls_a_last_time(sandbox: SandboxClient) -> None:
    over, running = create(), create()
    late: Any = {"deadline": time.time() - 60, "first_poll_at": time.time() - 120}
    assert event_of(trigger(running, **late))["state"] == "timeout"

    sandbox.clock(advance=3600)
    assert event_of(trigger(over, **late))["state"] == "done"


def test_it_continues_counting_failures_where_the_sensor_stopped(sandbox: SandboxClient) -> None:
    sandbox.fault("500", vendor="exotel", times=-1)

    event = event_of(trigger("c-1", max_poll_failures=3, failures=2))

    assert event == {
        "state": "error",
        "error": "VendorUnavailableError",
        "vendor": "exotel",
        "message": "4 polls in a row failed, the last one: Internal Server Error",
        "http_status": 500,
        "code": 500,
    }


def test_a_wrong_connection_is_reported(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "exotel", password="")

    event = event_of(trigger("c-1"))

    assert event["state"] == "error"
    assert "password of connection 'exotel_default': expected the API token" in event["message"]


# -- a triggerer that restarts cancels it


async def cancelled(one: Any, begun: Callable[[], object]) -> list[Any]:
    """Cancel a trigger a moment after it has begun, as the triggerer does, and return its events."""
    events = []

    async def run() -> None:
        events.extend([event async for event in one.run()])

    task = asyncio.create_task(run())
    await until(begun)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await one.cleanup()
    return events


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["before the first poll", "in a poll", "between two polls"])
def test_cancelled_it_fires_nothing_and_writes_nothing(
    sandbox: SandboxClient, sessions: list[aiohttp.ClientSession], kind: type[CampaignStatusTrigger], where: str
) -> None:
    identifier = create()
    one = trigger(identifier, kind, poll_interval=30)
    begun = lambda: "get_campaign" in calls(sandbox, "exotel")  # noqa: E731
    if where == "before the first poll":
        one, begun = trigger(identifier, kind, first_poll_at=time.time() + 30), lambda: True
    if where == "in a poll":
        sandbox.latency(10)

    assert asyncio.run(cancelled(rebuilt(one), begun)) == []

    assert [session.closed for session in sessions] == ([] if where == "before the first poll" else [True])
    assert set(calls(sandbox, "exotel")) <= {"create_campaign", "get_campaign"}
    sandbox.latency(0)
    assert ExotelHook().get_campaign(identifier)["status"] == "Created"


def test_cancelled_while_its_connection_is_looked_up_it_fires_nothing(
    monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
) -> None:
    asked = []

    async def never(conn_id: str) -> Connection:
        asked.append(conn_id)
        await asyncio.sleep(30)
        raise AssertionError

    monkeypatch.setattr(hooks, "get_async_connection", never)

    assert asyncio.run(cancelled(trigger("c-1"), lambda: asked)) == []
    assert calls(sandbox, "exotel") == []


def test_what_is_left_of_it_is_closed_by_cleanup(sessions: list[aiohttp.ClientSession]) -> None:
    async def connect_and_leave() -> None:
        one = trigger("c-1")
        await one.connect()
        assert [session.closed for session in sessions] == [False]
        await one.cleanup()
        await one.cleanup()

    asyncio.run(connect_and_leave())
    assert [session.closed for session in sessions] == [True]


def test_killed_by_a_person_it_pauses_the_campaign_and_writes_nothing_else(
    sandbox: SandboxClient, sessions: list[aiohttp.ClientSession]
) -> None:
    identifier = create()

    async def kill() -> None:
        one = rebuilt(trigger(identifier, PausingCampaignTrigger, poll_interval=30))
        task = asyncio.create_task(anext(one.run()))
        await until(lambda: "get_campaign" in calls(sandbox, "exotel"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await one.on_kill()
        await one.cleanup()

    asyncio.run(kill())

    assert calls(sandbox, "exotel") == ["create_campaign", "get_campaign", "update_campaign"]
    assert ExotelHook().get_campaign(identifier)["status"] == "Paused"
    assert all(session.closed for session in sessions)


def test_a_pause_that_is_refused_ends_quietly(sandbox: SandboxClient) -> None:
    identifier = create()
    sandbox.clock(advance=3600)

    async def kill() -> None:
        one = trigger(identifier, PausingCampaignTrigger)
        await one.on_kill()
        await one.cleanup()

    asyncio.run(kill())

    assert calls(sandbox, "exotel") == ["create_campaign", "update_campaign"]
