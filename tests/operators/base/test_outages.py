"""
Airflow cannot be reached while a delivery runs.

Feared: a task uses up its tries while the API server is restarted; requests leave although what becomes of them cannot
be stored; the receipt is lost; a task that is to end waits on.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.exceptions import DeliveryError, InputError
from airflow_provider_campaigns.operators.base.delivery_task import DeliveryTask
from tests.delivery.world import World, phones
from tests.operators.base.acme import make_acme
from tests.operators.contexts import MakeContext

CONTACTS = [{"phone": phone} for phone in phones(30)]


pytestmark = pytest.mark.usefixtures("short_waits")


class Airflow:
    """
    An Airflow that cannot be reached.

    :param context: of the task.
    :param begins: after so many writes of the task's state.
    :param lasts: so many attempts of any kind.
    """

    def __init__(self, context: Any, begins: int, lasts: float) -> None:
        self.left = begins
        self.lasts = lasts
        self.pushes = 0
        store, ti = context["task_state_store"], context["ti"]
        self._set, self._push = store.set, ti.xcom_push
        store.set, ti.xcom_push = self.set, self.push

    def reach(self) -> None:
        if self.left <= 0 < self.lasts:
            self.lasts -= 1
            raise OperationalError("UPDATE", None, Exception("server closed the connection unexpectedly"))

    def set(self, key: str, value: Any, **options: Any) -> None:
        if key.startswith("try-"):
            self.left -= 1
        self.reach()
        self._set(key, value, **options)

    def push(self, key: str, value: Any) -> None:
        self.pushes += 1
        self.reach()
        self._push(key, value)


@pytest.mark.parametrize("begins", range(1, 8))
def test_an_outage_is_waited_for(make_context: MakeContext, tmp_path: Path, begins: int) -> None:
    world, context = World(), make_context()
    Airflow(context, begins, lasts=5)

    receipt: Any = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path)).execute(context)

    assert receipt["accepted"] == 30
    assert context["ti"].pushed["receipt"] == receipt
    assert world.most_often == 1


def test_the_receipt_is_waited_for(make_context: MakeContext, tmp_path: Path) -> None:
    context = make_context()
    airflow = Airflow(context, 10**6, lasts=5)
    world = World()

    def answer(number: int, keys: list[str]) -> Any:
        airflow.left = 10**6 if number < 10 else 1
        return world.accept(keys)

    world.answer = answer
    receipt: Any = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path)).execute(context)
    assert context["ti"].pushed["receipt"] == receipt
    assert (airflow.lasts, receipt["accepted"]) == (0, 30)


@pytest.mark.slow
def test_what_an_outage_that_is_too_long_leaves_is_sent_by_the_next_try(
    make_context: MakeContext, tmp_path: Path
) -> None:
    world, state = World(), dict[str, str]()
    context = make_context(state=state)
    airflow = Airflow(context, 5, lasts=float("inf"))
    operator = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path), max_outage=1)
    began = time.monotonic()

    with pytest.raises(OperationalError):
        operator.execute(context)

    assert time.monotonic() - began >= 1
    assert airflow.pushes == 1, "it is not waited for again"
    folder = next(tmp_path.rglob("delivery.json")).parent
    unsent = {line["key"] for line in read_outcomes(folder, status="unsent")}
    assert unsent
    assert not unsent & set(world.contacted)

    receipt: Any = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path)).execute(
        make_context(2, state=state)
    )
    assert receipt["unknown"] == 0
    assert (receipt["accepted"], world.most_often) == (30, 1)


@pytest.mark.slow
def test_the_receipt_of_a_try_that_gave_up_is_stored_when_airflow_is_back(
    make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, context = World(), make_context()
    airflow = Airflow(context, 5, lasts=float("inf"))
    operator = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path), max_outage=1)
    report = DeliveryTask._report_unsent

    def is_back(*arguments: Any) -> None:
        airflow.lasts = 0
        report(*arguments)

    monkeypatch.setattr(DeliveryTask, "_report_unsent", is_back)
    with pytest.raises(OperationalError):
        operator.execute(context)

    receipt = context["ti"].pushed["receipt"]
    assert receipt["contacts"] == 30
    assert receipt["unsent"] == 30 - len(world.contacted)


def test_a_task_that_is_killed_does_not_wait_on(make_context: MakeContext, tmp_path: Path) -> None:
    world, context = World(), make_context()
    operator = make_acme(world, contacts=CONTACTS, outcomes_path=str(tmp_path), max_outage=10_000)
    airflow = Airflow(context, 5, lasts=float("inf"))
    killed = threading.Event()

    def reach() -> None:
        if airflow.left <= 0 and not killed.is_set():
            killed.set()
            threading.Timer(0.2, operator.on_kill).start()
        Airflow.reach(airflow)

    airflow.reach = reach  # type: ignore[method-assign]
    with pytest.raises((OperationalError, DeliveryError)):
        operator.execute(context)
    assert killed.is_set()
    assert len(world.contacted) < 30


@pytest.mark.parametrize("value", [-1, "soon", 1.5, True])
def test_a_time_that_is_none_is_an_error(make_context: MakeContext, value: Any) -> None:
    with pytest.raises(InputError, match="max_outage: expected a whole number from 0"):
        make_acme(World(), max_outage=value).execute(make_context())


def test_without_patience_an_outage_ends_the_try(make_context: MakeContext, tmp_path: Path) -> None:
    context = make_context()
    Airflow(context, 5, lasts=1)
    with pytest.raises(OperationalError):
        make_acme(World(), contacts=CONTACTS, outcomes_path=str(tmp_path), max_outage=0).execute(context)
