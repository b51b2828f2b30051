"""The trigger for asset watchers: which campaigns it fires for, and what a restart, a bad day or a sibling changes."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.exceptions import CampaignError, InputError
from airflow_provider_campaigns.hooks.exotel import ExotelHook
from airflow_provider_campaigns.sandbox import exotel
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.triggers._exotel import finished
from airflow_provider_campaigns.triggers.exotel import ExotelCampaignFinishedTrigger
from airflow_provider_campaigns.vendors.exotel import status
from tests.connections import calls, connect
from tests.sensors.vendors import Later
from tests.stored_dags import stored_dag
from tests.triggering import rebuilt, stored
from tests.triggers.conftest import create, until
from tests.versions import AIRFLOW_V_3_3_PLUS

HOUR = 3600.0
ACCOUNT = f"/v2/accounts/{exotel.ACCOUNT_SID}/campaigns"


@pytest.fixture(scope="module")
def sandbox_server() -> Iterator[SandboxServer]:
    """A sandbox that counts no requests per minute."""
    with SandboxServer(limits=False) as server:
        yield server


class Polls:
    """Holds the pauses between the polls, so that the test says when the next one is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self._asleep, self._wake = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(finished, "asyncio", self)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._asleep.set()
        await self._wake.wait()
        self._wake.clear()

    async def next(self, times: int = 1) -> None:
        """Return when the next poll is over and its events have fired."""
        for _ in range(times):
            if self.pauses:
                self._asleep.clear()
                self._wake.set()
            await asyncio.wait_for(self._asleep.wait(), 10)
            for _ in range(200):
                await asyncio.sleep(0)


class AssetStates:
    """Airflow's asset state store for one asset, over a dict that outlives the trigger."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    async def aget(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = json.dumps(value)


class SeveralAssets:
    """The store of a trigger that several assets share, as Airflow has it."""

    async def aget(self, _: str) -> Any:
        raise ValueError("Task has 2 concrete inlets and outlets")


@asynccontextmanager
async def fired(one: Any) -> AsyncIterator[list[dict[str, Any]]]:
    """Run a trigger as a triggerer does, and yield the list that its payloads go to; cancel it at the end."""
    payloads: list[dict[str, Any]] = []

    async def run() -> None:
        async for event in one.run():
            payloads.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401 - one after the other

    task = asyncio.create_task(run())
    try:
        yield payloads
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.wait([task])
        await one.cleanup()


if not AIRFLOW_V_3_0_PLUS:

    def test_it_says_that_airflow_2_has_no_asset_watchers() -> None:
        with pytest.raises(CampaignError, match="asset watchers begin there"):
            ExotelCampaignFinishedTrigger()


if AIRFLOW_V_3_0_PLUS:

    @pytest.fixture
    def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
        """What is kept in Airflow: Variables, or the state of the asset."""
        values: dict[str, str] = {}
        monkeypatch.setattr(variables, "read", values.get)
        monkeypatch.setattr(variables, "write", lambda name, text, description: values.__setitem__(name, text))
        return values

    @pytest.fixture(params=["asset", "variable"])
    def watcher(request: pytest.FixtureRequest, states: dict[str, str]) -> Callable[..., Any]:
        """Return what makes the trigger again, with each kind of state that Airflow may give it."""

        def make(**options: Any) -> Any:
            one = rebuilt(ExotelCampaignFinishedTrigger(**options))
            one.asset_state_store = AssetStates(states) if request.param == "asset" else None
            return one

        return make

    def delete(identifier: str) -> None:
        ExotelHook().call("DELETE", f"{ACCOUNT}/{identifier}")

    # -- for which campaigns it fires

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

    # -- a restart

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

    # -- bad days

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

    # -- what Airflow stores of it

    def test_it_comes_out_of_airflows_table_as_it_went_in_and_holds_no_secret() -> None:
        given: dict[str, Any] = {"exotel_conn_id": "exotel_in", "name": "Renewals *"}
        given |= {"poll_interval": 30, "lookback_days": 90}
        one = ExotelCampaignFinishedTrigger(**given)
        assert one.serialize() == ("airflow_provider_campaigns.triggers.exotel.ExotelCampaignFinishedTrigger", given)
        assert stored(one) == one.serialize()

    def test_airflow_recognizes_it_when_it_parses_the_dag_again() -> None:
        from airflow.triggers.base import BaseEventTrigger

        one = ExotelCampaignFinishedTrigger(name="Renewals *")
        assert BaseEventTrigger.hash(*stored(one)) == BaseEventTrigger.hash(*one.serialize())

    def test_a_dag_may_be_scheduled_by_it() -> None:
        from airflow.sdk import DAG, Asset, AssetWatcher

        trigger = ExotelCampaignFinishedTrigger(name="Renewals *")
        asset = Asset("finished", watchers=[AssetWatcher(name="watcher", trigger=trigger)])
        with DAG("follow_up", schedule=[asset], start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            pass
        assert "ExotelCampaignFinishedTrigger" in stored_dag(dag)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"poll_interval": 0}, "poll_interval: expected a number above 0"),
            ({"poll_interval": "60"}, "poll_interval: expected a number above 0"),
            ({"lookback_days": -1}, "lookback_days: expected a number above 0"),
            ({"name": {"a"}}, "name: expected what JSON knows"),
        ],
    )
    def test_what_cannot_be_used_is_refused_when_the_dag_is_parsed(options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            ExotelCampaignFinishedTrigger(**options)


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
