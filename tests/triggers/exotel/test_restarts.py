"""What the trigger of asset watchers stores: a restart misses no campaign that ended, and reports none again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from tests.triggers.conftest import create
from tests.triggers.exotel.watchers import HOUR, Polls, fired


class SeveralAssets:
    """The store of a trigger that several assets share, as Airflow has it."""

    async def aget(self, _: str) -> Any:
        raise ValueError("Task has 2 concrete inlets and outlets")


if AIRFLOW_V_3_0_PLUS:

    def test_a_restart_fires_for_what_ended_meanwhile_and_for_nothing_again(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            create("Before")
            async with fired(watcher()) as events:
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Before"]
            create("Meanwhile")
            sandbox.clock(advance=HOUR)
            polls = Polls(monkeypatch)
            async with fired(watcher()) as events:
                await polls.next(2)
                assert [event["name"] for event in events] == ["Meanwhile"]
            polls = Polls(monkeypatch)
            async with fired(watcher(poll_interval=5)) as events:
                await polls.next(2)
                assert events == []

        asyncio.run(test())

    def test_a_mark_that_cannot_be_stored_is_reported_and_the_event_fires(
        monkeypatch: pytest.MonkeyPatch,
        sandbox: SandboxClient,
        states: dict[str, str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def fail(*_: str) -> None:
            raise RuntimeError("database is locked")

        async def test() -> None:
            polls = Polls(monkeypatch)
            create("Spring")
            async with fired(ExotelCampaignFinishedTrigger()) as events:
                await polls.next()
                monkeypatch.setattr(variables, "write", fail)
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Spring"]

        asyncio.run(test())
        assert "could not be stored, and may be published again: database is locked" in caplog.text

    def test_a_mark_that_cannot_be_read_fires_nothing(monkeypatch: pytest.MonkeyPatch, states: dict[str, str]) -> None:
        def fail(_: str) -> None:
            raise RuntimeError("database is locked")

        async def first_event() -> object:
            return await anext(ExotelCampaignFinishedTrigger().run())

        monkeypatch.setattr(variables, "read", fail)
        with pytest.raises(RuntimeError, match="database is locked"):
            asyncio.run(first_event())

    def test_watchers_of_other_names_or_connections_keep_marks_of_their_own(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any], states: dict[str, str]
    ) -> None:
        async def test() -> None:
            for options in ({}, {"name": "A*"}, {"name": "B*"}, {"poll_interval": 5}):
                polls = Polls(monkeypatch)
                async with fired(watcher(**options)):
                    await polls.next()

        asyncio.run(test())
        assert len(states) == 3
        assert all(key.startswith("campaigns_finished_") for key in states)

    def test_a_trigger_of_several_assets_keeps_its_mark_in_a_variable(
        monkeypatch: pytest.MonkeyPatch, states: dict[str, str]
    ) -> None:
        async def test() -> None:
            polls, one = Polls(monkeypatch), ExotelCampaignFinishedTrigger()
            one.asset_state_store = SeveralAssets()  # type: ignore[assignment]
            async with fired(one):
                await polls.next()

        asyncio.run(test())
        assert len(states) == 1
