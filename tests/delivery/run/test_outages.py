"""
The ledger cannot be reached for a while: nobody is contacted twice or lost, and who is said to be unsent is sent to.

Feared: a write that raises was stored all the same, and its contacts, whom nobody was sent to, end as unknown; what was
answered meanwhile has no outcome.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.world import Crash, Plan, World, new_try, phones

pytestmark = [pytest.mark.usefixtures("small_parts"), pytest.mark.slow]


class UnreachableError(Exception):
    """Airflow does not answer."""


class Outage(World):
    """
    A world whose store cannot be reached any more from one operation on.

    :param lands: the write at which it begins is stored, and only its answer is lost.
    """

    def __init__(self, lands: bool) -> None:
        super().__init__()
        self.lands = lands
        self.operations: Iterator[int] = iter(())
        self.begins = -1

    def start_process(self, crash_at: int | None = None, begins: int = -1) -> None:
        super().start_process(crash_at)
        self.operations, self.begins = count(1), begins

    def set(self, key: str, value: Any) -> None:
        with self.reached() as first:
            if not first or self.lands:
                super().set(key, value)

    def get(self, key: str) -> Any:
        with self.reached():
            return super().get(key)

    @contextmanager
    def reached(self) -> Iterator[bool]:
        operation = next(self.operations)
        if 0 < self.begins < operation:
            raise UnreachableError
        yield operation == self.begins
        if operation == self.begins:
            raise UnreachableError


@pytest.mark.parametrize("lands", [False, True])
@pytest.mark.parametrize("kept", ["folder", "remote"])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_who_is_said_to_be_unsent_is_sent_to(tmp_path: Path, lands: bool, kept: str, concurrency: int) -> None:
    begun = 0
    for begins in count(1):
        world = Outage(lands)
        plan = Plan(
            phones(12),
            tmp_path / str(begins),
            kept == "remote",
            batch_size=1,
            max_concurrency=concurrency,
            on_unknown="skip",
        )
        world.start_process(begins=begins)
        try:
            delivery = new_try(world, plan)
            receipt = delivery.deliver(plan.header)
        except UnreachableError:
            unsent: set[int] = set()
            if "delivery" in vars() and delivery.begun:
                begun += 1
                delivery.report_unsent()
                lines = list(delivery.outcomes.read())
                unsent = {line["row"] for line in lines if line["status"] == "unsent"}
                known = {line["row"] for line in lines if line["status"] == "accepted"}
            world.start_process()
            delivery = new_try(world, plan)
            receipt = delivery.deliver(plan.header)
            status = {line["row"]: line["status"] for line in delivery.outcomes.read()}
            assert sorted(status) == list(range(1, 13))
            assert all(status[row] == "accepted" for row in unsent), "who is unsent stays unsent for the next try"
            if begun:
                assert all(status[row] == "accepted" for row in known)
        assert world.most_often == 1
        assert receipt["contacts"] == 12
        assert receipt["unknown"] == 0, "each answer had come, and was stored with the outcomes"
        del delivery
        if next(world.operations) <= begins:
            break
    assert begun > 5


def test_a_list_of_unsent_contacts_does_not_count_once_a_later_try_has_sent(tmp_path: Path) -> None:
    world = Outage(lands=True)
    plan = Plan(phones(6), tmp_path, batch_size=1, max_concurrency=1, on_unknown="skip")
    world.start_process(begins=10)
    delivery = new_try(world, plan)
    with pytest.raises(UnreachableError):
        delivery.deliver(plan.header)
    delivery.report_unsent()
    unsent = (tmp_path / "part-001-unsent.jsonl").read_bytes()
    world.start_process()
    later = new_try(world, plan)
    world.answer = world.accept_and_die
    with pytest.raises(Crash):
        later.deliver(plan.header)
    # The first process was paused while it wrote the list, until now.
    (tmp_path / "part-001-unsent.jsonl").write_bytes(unsent)
    world.answer = None
    world.start_process()

    new_try(world, plan).deliver(plan.header)

    assert world.most_often == 1
