"""Deliveries to the sandbox that are asked to end in the middle, or whose store fails in the middle."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.plan.reading import Reading
from airflow_provider_campaigns.delivery.plan.sources import open_source
from airflow_provider_campaigns.delivery.record.ledger import Ledger
from airflow_provider_campaigns.delivery.record.outcome import count
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.delivery.record.receipt import Receipt
from airflow_provider_campaigns.delivery.run import rounds
from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.delivery.run.limits import Limits
from airflow_provider_campaigns.delivery.run.senders import ThreadedSenders
from airflow_provider_campaigns.exceptions import DeliveryError
from airflow_provider_campaigns.sandbox import xtremepush as account
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.state.task_state import MemoryStore
from airflow_provider_campaigns.transports.asynchronous import AsyncTransport
from airflow_provider_campaigns.transports.settings import TransportSettings
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.send import ExecuteCampaign
from tests.connections import calls, contacted

USERS = [{"user_id": f"user-{number}"} for number in range(40)]
HEADER = {"campaign": "7345"}
CONCURRENCY = 4


class DatabaseDownError(Exception):
    pass


class Store(MemoryStore):
    """A store that can be made to fail."""

    fails = False

    def set(self, key: str, value: Any) -> None:
        if self.fails:
            raise DatabaseDownError
        super().set(key, value)


def new_try(sandbox: SandboxClient, store: Store, folder: Path) -> Delivery:
    dialect = Xtremepush(app_token=account.APP_TOKEN)
    send = ExecuteCampaign(dialect, 7345)
    settings = TransportSettings(f"{sandbox.url}/xtremepush")
    ledger = Ledger.open(store)
    ledger.begin()
    return Delivery(
        send=send,
        reading=Reading(send),
        source=open_source(USERS),
        ledger=ledger,
        outcomes=OutcomeFolder(folder, ledger.try_number),
        senders=ThreadedSenders(
            send,
            lambda sleep, in_main_thread: AsyncTransport(dialect, settings, connections=CONCURRENCY, sleep=sleep),
            CONCURRENCY,
        ),
        batch_size=1,
        max_concurrency=CONCURRENCY,
        limits=Limits(),
    )


def when_received(sandbox: SandboxClient, number: int, do: Any) -> threading.Thread:
    """Do something in another thread once so many requests have arrived at the vendor."""

    def watch() -> None:
        until = time.monotonic() + 10
        while len(calls(sandbox, "xtremepush")) < number and time.monotonic() < until:
            time.sleep(0.01)
        do()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def finish(sandbox: SandboxClient, store: Store, folder: Path) -> Receipt:
    """Run a second try to its end, and check that everybody was contacted once."""
    receipt = new_try(sandbox, store, folder).deliver(HEADER)
    assert sorted(contacted(sandbox, "xtremepush")) == sorted(user["user_id"] for user in USERS)
    return receipt


@pytest.mark.slow
def test_asked_to_end_it_waits_for_those_in_flight_and_sends_nothing_more(
    sandbox: SandboxClient, tmp_path: Path
) -> None:
    store = Store()
    delivery = new_try(sandbox, store, tmp_path)
    # The first request goes alone.
    ending = when_received(sandbox, 1 + CONCURRENCY, lambda: delivery.end("SIGTERM"))
    sandbox.latency(1)
    began = time.monotonic()

    with pytest.raises(DeliveryError, match="SIGTERM"):
        delivery.deliver(HEADER)

    assert time.monotonic() - began < rounds.STOP_GRACE
    ending.join()
    receipt = delivery.report_unsent()
    received = len(calls(sandbox, "xtremepush"))
    assert received == 1 + CONCURRENCY
    assert (receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (received, 0, len(USERS) - received)
    assert receipt["requests"] == received

    sandbox.latency(0)
    receipt = finish(sandbox, store, tmp_path)
    assert (receipt["accepted"], receipt["requests"]) == (len(USERS), len(USERS))


def test_asked_to_end_it_gives_up_on_a_vendor_that_takes_too_long(
    sandbox: SandboxClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "STOP_GRACE", 0.2)
    store = Store()
    delivery = new_try(sandbox, store, tmp_path)
    sandbox.fault("hang-after", vendor="xtremepush", skip=1, times=CONCURRENCY)
    ending = when_received(sandbox, 1 + CONCURRENCY, lambda: delivery.end("SIGTERM"))

    with pytest.raises(DeliveryError, match="SIGTERM"):
        delivery.deliver(HEADER)

    ending.join()
    receipt = delivery.report_unsent()
    unsent = len(USERS) - 1 - CONCURRENCY
    assert (receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (1, CONCURRENCY, unsent)

    sandbox.clear_faults()
    receipt = finish(sandbox, store, tmp_path)
    assert (receipt["accepted"], receipt["unknown"]) == (len(USERS) - CONCURRENCY, CONCURRENCY)


@pytest.mark.parametrize("recovers", [False, True])
def test_a_store_that_fails_in_the_middle_stops_it_and_a_later_try_settles_from_the_outcomes(
    sandbox: SandboxClient, tmp_path: Path, recovers: bool
) -> None:
    store = Store()
    delivery = new_try(sandbox, store, tmp_path)
    stored = 0

    def progress(counts: Mapping[str, int]) -> None:
        nonlocal stored
        stored += 1
        store.fails = stored == 3

    record = delivery.ledger.record

    def failing(*args: Any, **kwargs: Any) -> None:
        try:
            record(*args, **kwargs)
        except DatabaseDownError:
            store.fails = not recovers
            raise

    delivery.progress = progress
    delivery.ledger.record = failing  # type: ignore[method-assign]
    with pytest.raises(DatabaseDownError):
        delivery.deliver(HEADER)

    received = len(calls(sandbox, "xtremepush"))
    assert 1 < received < len(USERS), "nothing more was sent"
    receipt = delivery.report_unsent()
    assert receipt["contacts"] == len(USERS)
    assert (receipt["accepted"], receipt["unknown"], receipt["unsent"]) == (received, 0, len(USERS) - received)
    assert count(delivery.outcomes.read()) == {"accepted": received, "unsent": len(USERS) - received}

    store.fails = False
    last = new_try(sandbox, store, tmp_path).deliver(HEADER)

    reached = contacted(sandbox, "xtremepush")
    assert len(reached) == len(set(reached)) == last["accepted"], "nobody twice"
    assert last["contacts"] == len(USERS)
    # What was stored as intended, and was not sent, is unknown unless that could be stored.
    assert last["unknown"] <= (0 if recovers else rounds.AHEAD * CONCURRENCY)
    assert last["accepted"] + last["unknown"] == len(USERS)
