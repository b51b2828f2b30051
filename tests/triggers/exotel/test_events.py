"""For which campaigns the trigger of asset watchers fires, and what its events hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox import exotel
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel import status
from tests.connections import calls
from tests.sensors.vendors import Later
from tests.triggers.conftest import create
from tests.triggers.exotel.watchers import HOUR, Polls, fired

ACCOUNT = f"/v2/accounts/{exotel.ACCOUNT_SID}/campaigns"

if AIRFLOW_V_3_0_PLUS:

    def delete(identifier: str) -> None:
        ExotelHook().call("DELETE", f"{ACCOUNT}/{identifier}")

    ENDS: dict[str, tuple[Callable[[SandboxClient, str], object], str]] = {
        "Completed": (lambda sandbox, _: sandbox.clock(advance=HOUR), "done"),
        "Deleted": (lambda _, identifier: delete(identifier), "failed"),
        "Failed": (lambda sandbox, one: sandbox.control("exotel", campaign=one, status="Failed"), "failed"),
        "canceled": (lambda sandbox, one: sandbox.control("exotel", campaign=one, status="canceled"), "failed"),
        "Archived": (lambda sandbox, one: sandbox.control("exotel", campaign=one, status="Archived"), "done"),
    }

    @pytest.mark.parametrize("status", ENDS)
    def test_it_fires_once_when_a_campaign_reaches_a_final_state(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any], status: str
    ) -> None:
        end, state = ENDS[status]

        async def test() -> None:
            polls, identifier = Polls(monkeypatch), create("Spring")
            async with fired(watcher()) as events:
                await polls.next(2)
                assert events == []
                end(sandbox, identifier)
                await polls.next(3)
                expected = {"campaign_id": identifier, "name": "Spring", "status": status, "state": state}
                assert events == [{**expected, "counts": events[0]["counts"]}]
                assert polls.pauses == [60.0] * 5

        asyncio.run(test())

    def test_its_payload_holds_counts_and_no_phone_number(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            create("Spring", ("+447700900100", "+447700900991"))
            async with fired(watcher()) as events:
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert (events[0]["counts"]["completed"], events[0]["counts"]["failed"]) == (1, 1)
                assert "7700900" not in json.dumps(events)
                assert exotel.API_TOKEN not in json.dumps(events)

        asyncio.run(test())

    def test_it_fires_with_the_reason_for_a_campaign_still_paused_after_its_end(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls, identifier = Polls(monkeypatch), create("Spring")
            sandbox.control("exotel", campaign=identifier, status="Paused")
            async with fired(watcher()) as events:
                await polls.next(2)
                assert events == []
                monkeypatch.setattr(status, "datetime", Later)
                await polls.next()
                assert (events[0]["state"], events[0]["reason"]) == ("failed", "paused when its end_at came")
                sandbox.control("exotel", campaign=identifier, status="Canceled")
                await polls.next()
                assert len(events) == 1

        asyncio.run(test())

    def test_what_was_over_before_the_first_poll_does_not_fire(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            old = create("Autumn")
            sandbox.clock(advance=HOUR)
            async with fired(watcher()) as events:
                await polls.next(2)
                ExotelHook().update_campaign(old, "archive")
                await polls.next()
                assert events == []

        asyncio.run(test())

    def test_a_campaign_that_comes_and_ends_between_two_polls_fires(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            async with fired(watcher()) as events:
                await polls.next()
                create("Quick")
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Quick"]

        asyncio.run(test())

    def test_only_campaigns_whose_name_fits_fire(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        async def test() -> None:
            polls = Polls(monkeypatch)
            for name in ("Renewals 1a2b3c4d", "Reminders 5e6f7a8b", "renewals 9c0d1e2f"):
                create(name)
            async with fired(watcher(name="Renewals *")) as events:
                await polls.next()
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Renewals 1a2b3c4d"]

        asyncio.run(test())

    def test_accounts_of_many_pages_are_read_whole_once_and_then_only_as_far_as_need_be(
        monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, watcher: Callable[..., Any]
    ) -> None:
        fields = {"caller_id": "02025550100", "read_via_text": "Hello there", "from": ["+447700900100"]}
        many = [{**fields, "name": f"Campaign {number}"} for number in range(120)]

        async def test() -> None:
            polls = Polls(monkeypatch)
            ExotelHook().call("POST", ACCOUNT, json={"campaigns": many[:119]})
            sandbox.clock(advance=2 * HOUR)
            ExotelHook().call("POST", ACCOUNT, json={"campaigns": many[119:]})
            async with fired(watcher()) as events:
                await polls.next()
                assert calls(sandbox, "exotel").count("list_campaigns") == 3
                await polls.next()
                assert calls(sandbox, "exotel").count("list_campaigns") == 4
                sandbox.clock(advance=HOUR)
                await polls.next()
                assert [event["name"] for event in events] == ["Campaign 119"]

        asyncio.run(test())
