"""
What the ledger knows is reported, and what is lost is said.

Feared: the folder of outcomes is gone at a retry, all of it or parts; the ledger is gone when the task is cleared
(Airflow 3.4 discards it) or when it is not; a task that waited for its window does not find its record; a try is killed
before it sends anything; one is refused half way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.delivery.record import status_rows
from airflow_provider_campaigns.exceptions import CallRefusedError, LedgerError
from airflow_provider_campaigns.protocol.messages import NoReplyError, Response
from tests.delivery.world import Crash, World, phones
from tests.operators.base.acme import MakeAcme, refuse, statuses
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import outcomes_of
from tests.operators.hours import CLOSED

FIFTY = [{"phone": phone} for phone in phones(50)]


def half_way(world: World, *, unknown: int = 0, rejected: int = 0) -> None:
    """Let the vendor refuse every call once 30 contacts were dealt with, in batches of three."""

    def answer(number: int, keys: list[str]) -> Any:
        if number > 10:
            return refuse(number, keys)
        if number <= unknown:
            return NoReplyError("nothing within 30 s")
        if number <= unknown + rejected:
            return Response(422, b'{"message": "no"}')
        return world.accept(keys)

    world.answer = answer


def counts(receipt: Any) -> list[int]:
    return [receipt[name] for name in ("contacts", "accepted", "rejected", "unknown", "unsent")]


def spoil_all(folder: Path) -> None:
    shutil.rmtree(folder)


def spoil_first_part(folder: Path) -> None:
    min(folder.rglob("part-*.jsonl")).unlink()


# -- the folder of outcomes is gone, the ledger is there


@pytest.mark.parametrize("spoil", [spoil_all, spoil_first_part])
@pytest.mark.parametrize(("unknown", "rejected"), [(0, 0), (2, 0), (0, 2), (1, 1)])
def test_lost_outcomes_are_written_again_when_the_ledger_knows_them(
    *,
    tmp_path: Path,
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    spoil: Callable[[Path], None],
    unknown: int,
    rejected: int,
) -> None:
    state: dict[str, str] = {}
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "on_unknown": "skip", "max_concurrency": 3}
    half_way(world, unknown=unknown, rejected=rejected)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state=state))
    world.answer = None
    spoil(tmp_path / "campaigns")

    receipt = acme(**given).execute(make_context(2, state=state))

    assert counts(receipt) == [50, 50 - 3 * unknown - 3 * rejected, 3 * rejected, 3 * unknown, 0]
    lines = outcomes_of(receipt)
    assert [line["row"] for line in lines] == list(range(1, 51))
    assert [line["key"] for line in lines] == phones(50)
    not_accepted = ["unknown"] * 3 * unknown + ["rejected"] * 3 * rejected
    assert statuses(lines)[: len(not_accepted) + 1] == [*not_accepted, "accepted"]
    assert world.most_often == 1


def test_lost_outcomes_that_the_ledger_does_not_know_are_an_error_that_names_the_folder(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_rows, "MOST_RANGES", 0)
    state: dict[str, str] = {}
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "on_unknown": "skip", "max_concurrency": 1}
    half_way(world, rejected=1)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state=state))
    world.answer = None
    kept = tmp_path / "kept"
    shutil.move(tmp_path / "campaigns", kept)

    with pytest.raises(AirflowFailException) as caught:
        acme(**given).execute(make_context(2, state=state))

    folder = tmp_path / "campaigns/manual__2026-03-01/send"
    assert f"{folder} has outcomes of 20 of 50 rows, not of rows 1-30" in str(caught.value)
    assert "The ledger has 47 accepted, 3 rejected" in str(caught.value)
    assert sorted(world.contacted) == phones(50)[3:]
    # Once it is there again, nothing is sent, and all is well.
    for part in kept.rglob("part-001-0*.jsonl"):
        shutil.copy(part, folder)
    receipt = acme(**given).execute(make_context(3, max_tries=2, state=state))
    assert counts(receipt) == [50, 47, 3, 0, 0]
    assert world.most_often == 1


def test_outcomes_that_are_lost_after_the_end_are_written_again(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path)}
    receipt = acme(**given).execute(make_context(state=state))
    shutil.rmtree(tmp_path / "campaigns")

    assert acme(**given).execute(make_context(2, max_tries=1, state=state)) == receipt

    assert statuses(outcomes_of(receipt)) == ["accepted"] * 50
    assert len(world.contacted) == 50


def test_a_folder_that_goes_while_it_is_written_to_is_no_success(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    def answer(number: int, keys: list[str]) -> Any:
        if number == 10:
            shutil.rmtree(tmp_path / "campaigns")
        return world.accept(keys)

    world.answer = answer

    with pytest.raises(AirflowFailException, match="has outcomes of"):
        acme(contacts=FIFTY, outcomes_path=str(tmp_path), max_concurrency=1).execute(make_context())


# -- the ledger is gone, the folder of outcomes is there


@pytest.mark.parametrize("in_sql_order", [False, True])
def test_a_cleared_task_without_a_ledger_resumes_from_the_outcomes_of_a_try_that_ended(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, in_sql_order: bool
) -> None:
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 3 if in_sql_order else 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state={}))
    world.answer = None
    state: dict[str, str] = {}

    receipt = acme(**given).execute(make_context(2, max_tries=1, state=state))

    assert counts(receipt) == [50, 50, 0, 0, 0]
    assert sorted(world.contacted) == phones(50)
    assert [line["row"] for line in outcomes_of(receipt)] == list(range(1, 51))
    assert acme(**given).execute(make_context(3, max_tries=2, state=state)) == receipt
    assert len(world.contacted) == 50


def test_a_try_that_was_to_resume_from_outcomes_and_was_killed_is_followed_by_one_that_does(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state={}))
    world.answer = None
    state: dict[str, str] = {}
    context = make_context(2, max_tries=1, state=state)
    store = context["task_state_store"]
    keep = store.set

    # Each is stopped at another of the writes that come before its first request.
    for writes in range(7):
        left = writes

        def write(key: str, value: Any, **options: Any) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            keep(key, value, **options)

        with monkeypatch.context() as patched:
            patched.setattr(store, "set", write)
            with pytest.raises(Crash):
                acme(**given).execute(context)

    receipt = acme(**given).execute(make_context(3, max_tries=1, state=state))

    assert counts(receipt) == [50, 50, 0, 0, 0]
    assert world.most_often == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contacts": [*FIFTY[1:], FIFTY[0]]}, "row 1 is not the contact whose outcome"),
        ({"contacts": FIFTY[:20]}, "there is no row 21, of which"),
        ({"campaign": "summer"}, "campaign: an earlier try of this task used 'spring'"),
    ],
)
def test_outcomes_of_another_delivery_are_not_resumed_from(
    *,
    tmp_path: Path,
    world: World,
    acme: MakeAcme,
    make_context: MakeContext,
    changes: dict[str, Any],
    message: str,
) -> None:
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state={}))
    world.answer = None
    sent = len(world.requests)

    with pytest.raises(LedgerError, match=message):
        acme(**{**given, **changes}).execute(make_context(2, max_tries=1, state={}))

    assert len(world.requests) == sent


def test_a_retry_without_a_ledger_sends_nothing_when_there_are_outcomes(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state={}))
    world.answer = None
    sent = len(world.requests)

    with pytest.raises(LedgerError, match=r"the record of earlier tries is gone, but the folder of outcomes .* has"):
        acme(**given, retries=2).execute(make_context(2, max_tries=2, state={}))

    assert len(world.requests) == sent


@pytest.mark.parametrize("text", ["", "{", "[]", '{"try": "x"}', "\udcff"])
def test_a_damaged_description_is_an_error_that_names_the_folder(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, text: str
) -> None:
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state={}))
    world.answer = None
    sent = len(world.requests)
    (description,) = tmp_path.rglob("delivery.json")
    description.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(LedgerError, match=str(description.parent)):
        acme(**given).execute(make_context(2, max_tries=1, state={}))

    assert len(world.requests) == sent


def test_a_task_that_waited_for_its_window_must_find_its_record(
    world: World, acme: MakeAcme, make_context: MakeContext, clock: Any
) -> None:
    given = {"send_window": "09:00-20:00 Asia/Kolkata"}
    state: dict[str, str] = {}
    opened, clock.now = clock.now, CLOSED
    with pytest.raises(TaskDeferred):
        acme(**given).execute(make_context(state=state))
    clock.now = opened

    with pytest.raises(LedgerError, match="before it waited for its send window is gone"):
        acme(**given).execute_when_open(make_context(state={}), None)

    assert world.requests == []
    assert acme(**given).execute_when_open(make_context(state=state), None)["accepted"] == 5


# -- tries that send nothing


def test_a_try_that_is_killed_before_it_sends_keeps_the_list_of_who_is_unsent(
    tmp_path: Path, world: World, acme: MakeAcme, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    given = {"contacts": FIFTY, "outcomes_path": str(tmp_path), "max_concurrency": 1}
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given).execute(make_context(state=state))
    folder = tmp_path / "campaigns/manual__2026-03-01/send"
    before = statuses(read_outcomes(folder))
    assert before == ["accepted"] * 30 + ["unsent"] * 20

    context = make_context(2, state=state)
    store = context["task_state_store"]
    keep = store.set

    def killed(key: str, value: Any, **options: Any) -> None:
        if isinstance(value, dict) and value.get("intended"):
            raise Crash
        keep(key, value, **options)

    with monkeypatch.context() as patched:
        patched.setattr(store, "set", killed)
        with pytest.raises(Crash):
            acme(**given).execute(context)

    assert statuses(read_outcomes(folder)) == before


def test_an_old_run_is_refused_before_anything_was_sent_and_not_half_way(
    world: World, acme: MakeAcme, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    old = {"data_interval_end": datetime.now(UTC) - timedelta(hours=2)}
    given = {"contacts": FIFTY, "max_concurrency": 1}
    with pytest.raises(AirflowFailException, match="longer ago than max_age"):
        acme(**given, max_age=timedelta(hours=1)).execute(make_context(state=state) | old)
    half_way(world)
    with pytest.raises(CallRefusedError):
        acme(**given, max_age=timedelta(hours=3)).execute(make_context(2, state=state) | old)
    world.answer = None

    receipt = acme(**given, max_age=timedelta(hours=1)).execute(make_context(3, state=state) | old)

    assert counts(receipt) == [50, 50, 0, 0, 0]


def test_the_description_names_no_contact(tmp_path: Path, acme: MakeAcme, make_context: MakeContext) -> None:
    receipt = acme(outcomes_path=str(tmp_path)).execute(make_context())

    text = (Path(str(receipt["outcomes_path"])) / "delivery.json").read_text()
    assert json.loads(text)["header"]["campaign"] == "spring"
    assert "447700" not in text
