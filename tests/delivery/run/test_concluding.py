"""A send with something to do beside the contacts: it learns of earlier tries, and is concluded once all were sent."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.delivery.run.engine import Delivery
from airflow_provider_campaigns.exceptions import CallRefusedError, VendorUnavailableError
from airflow_provider_campaigns.protocol.messages import Conversation, NoReplyError, Response
from airflow_provider_campaigns.protocol.send import Concludes
from tests.delivery.world import HEADER, AcmeSend, Crash, Plan, World, new_try, phones


class Starting(AcmeSend):
    """Writes down what it is asked for."""

    asked: list[str]

    def resume(self) -> None:
        self.asked.append("resume")

    def conclude(self) -> Conversation[str | None]:
        self.asked.append("conclude")
        return "it is stopped"
        yield

    def interrupted(self) -> str | None:
        return "it ended early"


def delivery(world: World, plan: Plan, crash_at: int | None = None) -> tuple[Delivery, list[str]]:
    world.start_process(crash_at)
    made = new_try(world, plan)
    send = Starting(batch_limit=plan.batch_limit)
    object.__setattr__(send, "asked", [])
    made.send, made.senders._send = send, send  # type: ignore[attr-defined]
    made.conclude = lambda: world.run(send.conclude())
    return made, send.asked


def test_it_is_concluded_after_all_were_sent_and_the_receipt_has_its_warning(tmp_path: Path) -> None:
    world = World()
    made, asked = delivery(world, Plan(phones(5), tmp_path))
    receipt = made.deliver(HEADER)
    assert isinstance(made.send, Concludes)
    assert (asked, receipt["warning"], receipt["accepted"]) == (["conclude"], "it is stopped", 5)
    assert made.ledger.receipt == receipt


def test_a_try_that_ends_early_is_not_concluded_and_says_so(tmp_path: Path) -> None:
    world = World(answer=lambda number, keys: Response(402, b'{"message": "no credit"}'))
    made, asked = delivery(world, Plan(phones(5), tmp_path))
    with pytest.raises(Exception, match="no credit"):
        made.deliver(HEADER)
    assert (asked, made.report_unsent()["warning"]) == ([], "it ended early")


@pytest.mark.parametrize(
    ("answer", "resumed"),
    [
        (Response(402, b"{}"), False),
        (Response(200, b'["rejected", "rejected", "rejected"]'), False),
        (Response(200, b'["duplicate", "duplicate", "duplicate"]'), False),
        (NoReplyError("reset"), True),
        (Response(200, b'["unknown", "rejected", "rejected"]'), True),
        (Response(200, b'["accepted", "rejected", "rejected"]'), True),
    ],
)
def test_it_learns_of_earlier_tries_that_may_have_sent(answer: Any, resumed: bool, tmp_path: Path) -> None:
    world = World(answer=lambda number, keys: answer)
    plan = Plan(phones(3), tmp_path, on_unknown="skip")
    made, _ = delivery(world, plan)
    made.conclude = world.die
    with pytest.raises((Crash, CallRefusedError)):
        made.deliver(HEADER)
    world.answer = None
    made, asked = delivery(world, plan)
    made.deliver(HEADER)
    assert asked == (["resume", "conclude"] if resumed else ["conclude"])


def test_what_cannot_be_concluded_is_concluded_by_the_next_try(tmp_path: Path) -> None:
    world, plan = World(), Plan(phones(5), tmp_path)
    made, _ = delivery(world, plan)

    def fail() -> str:
        raise VendorUnavailableError("acme", "down")

    made.conclude = fail
    with pytest.raises(VendorUnavailableError):
        made.deliver(HEADER)
    made, asked = delivery(world, plan)
    receipt = made.deliver(HEADER)
    assert (asked, receipt["accepted"], receipt["warning"]) == (["resume", "conclude"], 5, "it is stopped")
    assert len(world.contacted) == 5


@pytest.mark.parametrize("crash_at", range(1, 30))
def test_whatever_step_it_dies_at_it_is_concluded_in_the_end(crash_at: int, tmp_path: Path) -> None:
    world, plan = World(), Plan(phones(4), tmp_path, on_unknown="skip")
    first: list[str] = []
    with suppress(Crash):
        made, first = delivery(world, plan, crash_at)
        made.deliver(HEADER)
    made, second = delivery(world, plan)
    made.deliver(HEADER)
    assert [*first, *second][-1] == "conclude"
    assert world.most_often <= 1
