"""The trigger of asset watchers on a bad day: the vendor, the connection or a campaign is not as it should be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from tests.connections import calls, connect
from tests.triggers.conftest import create, until
from tests.triggers.exotel.watchers import HOUR, Polls, fired

if AIRFLOW_V_3_0_PLUS:

    def test_a_vendor_that_is_down_is_polled_again_after_longer_and_longer(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            create("Spring")
            async with fired(watcher()) as events:
                await polls.next()
                sandbox.fault("500", vendor="exotel", times=20)
                await polls.next(20)
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Spring"]
                assert polls.pauses[0] == polls.pauses[-1] == 60
                assert 60 <= polls.pauses[1] < polls.pauses[2] < polls.pauses[3]
                assert all(240 <= pause <= 264 for pause in polls.pauses[3:-1])

        asyncio.run(test())

    def test_a_connection_that_is_corrected_counts_at_the_next_poll(
        monkeypatch: pytest.MonkeyPatch,
        sandbox: SandboxClient,
        watcher: Callable[..., Any],
        caplog: pytest.LogCaptureFixture,
        sessions: list[aiohttp.ClientSession],
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            create("Spring")
            connect(monkeypatch, sandbox, "exotel", password="wrong")
            async with fired(watcher()) as events:
                await polls.next(2)
                connect(monkeypatch, sandbox, "exotel")
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Spring"]
                assert polls.pauses == [300, 300, 60, 60]

        with caplog.at_level(logging.ERROR):
            asyncio.run(test())
        assert "Exotel's campaigns cannot be watched: exotel: call refused (HTTP 401" in caplog.text
        assert [session.closed for session in sessions] == [True, True, True]

    def test_a_connection_that_does_not_exist_yet_is_looked_for_again(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            monkeypatch.delenv("AIRFLOW_CONN_EXOTEL_DEFAULT")
            async with fired(watcher()):
                await polls.next()
                connect(monkeypatch, sandbox, "exotel")
                await polls.next()
                assert polls.pauses == [300, 60]

        asyncio.run(test())

    def test_an_undocumented_status_is_logged_once_and_does_not_fire(
        monkeypatch: pytest.MonkeyPatch,
        sandbox: SandboxClient,
        watcher: Callable[..., Any],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async def test() -> None:
            polls, identifier = Polls(monkeypatch), create("Spring")
            sandbox.control("exotel", campaign=identifier, status="Reviewing")
            async with fired(watcher()) as events:
                await polls.next(3)
                assert events == []

        asyncio.run(test())
        assert caplog.text.count("'Reviewing' is no status that the vendor documents") == 1

    def test_it_only_reads_and_closes_its_session_when_it_is_cancelled(
        sandbox: SandboxClient, states: dict[str, str], sessions: list[aiohttp.ClientSession]
    ) -> None:
        async def test() -> None:
            sandbox.latency(10)
            async with fired(ExotelCampaignFinishedTrigger()) as events:
                await until(lambda: calls(sandbox, "exotel"))
            assert events == []

        asyncio.run(test())
        sandbox.latency(0)
        assert set(calls(sandbox, "exotel")) <= {"list_campaigns"}
        assert [session.closed for session in sessions] == [True]
        assert states == {}
