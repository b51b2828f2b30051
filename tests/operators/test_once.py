"""Creating once: at most one thing, wherever a try ends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, RequestRejectedError
from airflow_provider_campaigns.operators import once
from airflow_provider_campaigns.operators.once import CreateOnce


class CrashError(BaseException):
    """The process is gone."""


@dataclass
class World:
    """
    A store and a vendor that outlive a try.

    :param crash_at: the how-manieth step the process does not survive; each step may be done, or not, before it ends.
    :param answers: what becomes of the requests that create: created (None), or created and then this.
    """

    crash_at: float = float("inf")
    done_before_crash: bool = True
    answers: list[Exception | None] = field(default_factory=list)
    things: list[dict[str, Any]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    steps: int = 0

    def _step(self, do: Any) -> Any:
        self.steps += 1
        if self.steps == self.crash_at:
            if self.done_before_crash:
                do()
            raise CrashError
        return do()

    def get(self, key: str) -> Any:
        return json.loads(self.values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        self._step(lambda: self.values.__setitem__(key, json.dumps(value)))

    def create(self, name: str) -> dict[str, Any]:
        def do() -> dict[str, Any]:
            answer = self.answers.pop(0) if self.answers else None
            if not isinstance(answer, RequestRejectedError):
                self.things.append({"id": f"id-{len(self.things)}", "name": name})
            if answer:
                raise answer
            return self.things[-1]

        return self._step(do)

    def find(self, name: str) -> list[dict[str, Any]]:
        return self._step(lambda: [thing for thing in reversed(self.things) if thing["name"] == name])

    def attempt(self, **options: Any) -> dict[str, Any]:
        creation = CreateOnce(
            noun="campaign",
            store=self,
            prepare=lambda name: lambda: self.create(name),
            get=lambda identifier: next(thing for thing in self.things if thing["id"] == identifier),
            find=self.find,
            timeout=30,
        )
        return creation.run("Spring 0a1b2c3d", **options)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(once, "sleep", waited.append)
    return waited


def lost() -> OutcomeUnknownError:
    return OutcomeUnknownError("exotel", "time-out")


@pytest.mark.parametrize("done_before_crash", [True, False])
@pytest.mark.parametrize("answers", [[], [lost()]])
@pytest.mark.parametrize("crash_at", range(1, 6))
def test_at_most_one_wherever_the_first_try_crashes(
    crash_at: int, done_before_crash: bool, answers: list[Exception | None]
) -> None:
    world = World(crash_at, done_before_crash, list(answers))
    results = []
    for _ in range(3):
        try:
            results.append(world.attempt())
        except (CrashError, AirflowFailException) as error:
            results.append(error)
    assert len(world.things) <= 1
    if world.things:
        assert results[-1] == world.things[0]
    else:
        assert isinstance(results[-1], AirflowFailException)
        assert world.get("campaign") == {"intent": {"name": "Spring 0a1b2c3d"}}


def test_without_a_crash_there_is_one_and_a_later_try_gets_it() -> None:
    world = World()
    assert world.attempt() == world.attempt(cleared=True) == {"id": "id-0", "name": "Spring 0a1b2c3d"}
    assert world.get("campaign") == {"id": "id-0"}


def test_the_newest_of_several_of_the_name_is_taken() -> None:
    world = World(things=[{"id": "old", "name": "Spring 0a1b2c3d"}], answers=[lost()])
    assert world.attempt()["id"] == "id-1"


def test_one_that_turns_up_late_is_taken(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    world = World(values={"campaign": json.dumps({"intent": {"name": "Spring 0a1b2c3d"}})})

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            world.things.append({"id": "late", "name": "Spring 0a1b2c3d"})

    monkeypatch.setattr(once, "sleep", wait)
    assert world.attempt()["id"] == "late"
    assert waits == [0, 20, 40]


def test_a_refusal_leaves_no_intent() -> None:
    world = World(answers=[RequestRejectedError("exotel", "bad number")])
    with pytest.raises(RequestRejectedError):
        world.attempt()
    assert world.get("campaign") == {"intent": None}
    assert world.attempt()["id"] == "id-0"


def test_no_record_value_is_none() -> None:
    seen: list[Any] = []

    class Store(World):
        def set(self, key: str, value: Any) -> None:
            seen.append(value)
            super().set(key, value)

    Store().attempt()
    assert seen == [{"intent": None}, {"intent": {"name": "Spring 0a1b2c3d"}}, {"id": "id-0"}]
