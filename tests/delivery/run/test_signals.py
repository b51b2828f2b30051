"""Signals that would end a task are noticed at once, and acted on when nothing is half done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from airflow_provider_campaigns.delivery.run.process import ENDING, DeferredSignals


class EndedError(Exception):
    """What Airflow's handlers raise."""


def raise_ended(number: int, _: object) -> None:
    raise EndedError(signal.Signals(number).name)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers that raise, as Airflow's do."""
    before = {number: signal.signal(number, raise_ended) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_noticed_at_once_and_raises_when_it_is_acted_on(number: signal.Signals) -> None:
    noticed: list[str] = []
    with DeferredSignals(noticed.append) as signals:
        os.kill(os.getpid(), number)
        assert noticed == [number.name]

    with pytest.raises(EndedError, match=number.name):
        signals.act()


def test_the_handlers_are_as_before_afterwards() -> None:
    with suppress(LookupError), DeferredSignals(lambda name: None):
        assert signal.getsignal(signal.SIGTERM) is not raise_ended
        raise LookupError

    assert all(signal.getsignal(number) is raise_ended for number in ENDING)


def test_without_a_signal_there_is_nothing_to_act_on() -> None:
    with DeferredSignals(lambda name: None) as signals:
        pass

    signals.act()


def test_every_signal_is_acted_on_once() -> None:
    handled: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: handled.append(number))
    with DeferredSignals(lambda name: None) as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    signals.act()
    signals.act()

    assert handled == [signal.SIGTERM] * 2


@pytest.mark.parametrize("action", [signal.SIG_DFL, signal.SIG_IGN])
def test_the_default_action_is_left_alone(action: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, action)

    with DeferredSignals(lambda name: None):
        assert signal.getsignal(signal.SIGTERM) is action

    assert signal.getsignal(signal.SIGTERM) is action


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    failures: list[BaseException] = []

    def elsewhere() -> None:
        try:
            with DeferredSignals(lambda name: None):
                pass
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()

    assert failures == []
    assert signal.getsignal(signal.SIGTERM) is raise_ended
