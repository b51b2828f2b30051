"""Watchers of one account share its polls where Airflow has shared streams, and each stores what it has seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from tests.connections import calls, connect
from tests.triggers.conftest import create
from tests.triggers.exotel.watchers import HOUR, AssetStates, Polls
from tests.versions import AIRFLOW_V_3_3_PLUS

if AIRFLOW_V_3_3_PLUS:
    from airflow.triggers.shared_stream import SharedStreamManager

    @asynccontextmanager
    async def watching(
        manager: SharedStreamManager, trigger_id: int, one: Any, *, confirm: bool = True
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Run a trigger as a triggerer does that shares streams; ``confirm``: its events are stored."""
        payloads: list[dict[str, Any]] = []
        key = one.shared_stream_key()

        async def run() -> None:
            stream = manager.subscribe(trigger_id=trigger_id, trigger=one, key=key)
            async for event in one.filter_shared_stream(stream):
                number = manager.bind_pending_event(trigger_id=trigger_id, key=key)
                payloads.append(event.payload)
                if confirm and number is not None:
                    manager.confirm_persisted([number])

        task = asyncio.create_task(run())
        try:
            yield payloads
            assert not task.done(), task.exception()
        finally:
            await manager.unsubscribe(trigger_id, key)
            task.cancel()
            await asyncio.wait([task])

    def with_state(values: dict[str, str], **options: Any) -> Any:
        one = ExotelCampaignFinishedTrigger(**options)
        one.asset_state_store = AssetStates(values)  # type: ignore[assignment]
        return one

    def test_a_hundred_watchers_of_one_account_poll_once_an_interval(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, sessions: list[aiohttp.ClientSession]
    ) -> None:
        async def test() -> None:
            polls, manager = Polls(monkeypatch), SharedStreamManager()
            create("Renewals 1")
            create("Reminders 1")
            all_states: list[dict[str, str]] = [{} for _ in range(100)]
            async with asyncio.timeout(30):
                watchers = [
                    watching(manager, number, with_state(values, name="Renewals *" if number % 2 else "*"))
                    for number, values in enumerate(all_states)
                ]
                lists = [await one.__aenter__() for one in watchers]
                await polls.next(2)
                sandbox.clock(advance=HOUR)
                await polls.next(3)
                for one in watchers:
                    await one.__aexit__(None, None, None)
            assert calls(sandbox, "exotel").count("list_campaigns") == 5
            for number, events in enumerate(lists):
                expected = ["Renewals 1"] if number % 2 else ["Reminders 1", "Renewals 1"]
                assert sorted(event["name"] for event in events) == expected
            assert all(all_states)

        asyncio.run(test())
        assert [session.closed for session in sessions] == [True]

    def test_watchers_of_other_accounts_poll_for_themselves(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        connect(monkeypatch, sandbox, "exotel")
        monkeypatch.setenv("AIRFLOW_CONN_EXOTEL_OTHER", json.dumps({"conn_type": "exotel", "host": sandbox.url}))
        one, other = ExotelCampaignFinishedTrigger(), ExotelCampaignFinishedTrigger(exotel_conn_id="exotel_other")
        assert one.shared_stream_key() == ExotelCampaignFinishedTrigger(name="A*").shared_stream_key()
        assert one.shared_stream_key() != other.shared_stream_key()
        assert hash(one.shared_stream_key())

    def test_a_mark_is_stored_when_airflow_has_stored_the_event_and_not_before(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        values: dict[str, str] = {}

        async def test() -> None:
            polls, manager = Polls(monkeypatch), SharedStreamManager()
            create("Spring")
            async with watching(manager, 1, with_state(values), confirm=False) as events:
                await polls.next()
                (before,) = values.values()
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert len(events) == 1
                assert list(values.values()) == [before]
                manager.confirm_persisted(range(10))
                await polls.next()
                assert list(values.values()) != [before]

        asyncio.run(test())

    def test_a_triggerer_that_dies_before_that_fires_again(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        values: dict[str, str] = {}

        async def fires(*, confirm: bool) -> list[str]:
            polls, manager = Polls(monkeypatch), SharedStreamManager()
            async with watching(manager, 1, with_state(values), confirm=confirm) as events:
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next(2)
            return [event["name"] for event in events]

        create("Spring")
        assert asyncio.run(fires(confirm=False)) == ["Spring"]
        assert asyncio.run(fires(confirm=True)) == ["Spring"]
        assert asyncio.run(fires(confirm=True)) == []

    def test_a_watcher_that_joins_late_fires_for_what_ends_from_then_on(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient
    ) -> None:
        async def test() -> None:
            polls, manager = Polls(monkeypatch), SharedStreamManager()
            create("Early")
            async with watching(manager, 1, with_state({})) as first:
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next()
                create("Late")
                await polls.next()
                async with watching(manager, 2, with_state({})) as second:
                    sandbox.clock(advance=HOUR)
                    await polls.next(2)
                    assert [event["name"] for event in first] == ["Early", "Late"]
                    assert [event["name"] for event in second] == ["Late"]

        asyncio.run(test())

    def test_watchers_survive_a_bad_day_together(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
        async def test() -> None:
            polls, manager = Polls(monkeypatch), SharedStreamManager()
            create("Spring")
            async with watching(manager, 1, with_state({})) as one, watching(manager, 2, with_state({})) as other:
                await polls.next()
                sandbox.fault("unauthorized", vendor="exotel", times=15)
                await polls.next(15)
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in one] == [event["name"] for event in other] == ["Spring"]

        asyncio.run(test())
