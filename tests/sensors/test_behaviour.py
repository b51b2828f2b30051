"""
What every sensor does in every mode, against the sandbox.

All of it at two vendors in three modes, and at the others once (``each_vendor``) what their own part may break.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, VendorUnavailableError
from airflow_provider_campaigns.sensors.base import CampaignFailed
from tests.connections import calls
from tests.operators.conftest import FakeTaskStateStore
from tests.sensors.modes import INTERVAL, Run, Time
from tests.sensors.vendors import FAILURES, Waiting


def account_polls(waiting: Waiting) -> int:
    return calls(waiting.sandbox, waiting.vendor).count(waiting.poll)


def fault(waiting: Waiting, kind: str, **order: object) -> None:
    waiting.sandbox.fault(kind, vendor=waiting.vendor, path=waiting.path, **order)


# -- the end


@pytest.mark.each_vendor
def test_it_returns_the_final_status_with_the_vendors_counts(run: Run, waiting: Waiting, clock: Time) -> None:
    clock.meanwhile += [lambda: None, waiting.finish]

    assert run.to_end().items() >= waiting.done.items()
    assert account_polls(waiting) == 3
    assert clock.pauses == [pytest.approx(INTERVAL, abs=1)] * 2


def test_what_is_over_at_the_first_poll_is_not_waited_for(run: Run, waiting: Waiting, clock: Time) -> None:
    waiting.finish()

    assert run.to_end().items() >= waiting.done.items()
    assert (account_polls(waiting), clock.pauses, run.deferred) == (1, [], 0)


@pytest.mark.parametrize(("waiting", "failure"), FAILURES, indirect=["waiting"])
@pytest.mark.parametrize("at_the_first_poll", [True, False])
def test_it_fails_for_good_with_what_it_waits_for(
    run: Run, waiting: Waiting, failure: str, clock: Time, *, at_the_first_poll: bool
) -> None:
    fail, words = waiting.failures[failure]
    if at_the_first_poll:
        fail()
    else:
        clock.meanwhile.append(fail)

    with pytest.raises(CampaignFailed, match=f"{waiting.vendor}: campaign failed: {words}") as failed:
        run.to_end()
    assert isinstance(failed.value, AirflowFailException)
    assert run.deferred == (run.mode == "deferrable" and not at_the_first_poll)


@pytest.mark.parametrize("waiting", ["exotel"], indirect=True)
def test_soft_fail_skips_what_failed(run: Run, waiting: Waiting, clock: Time) -> None:
    clock.meanwhile.append(waiting.failures["Failed"][0])

    with pytest.raises(AirflowSkipException):
        run.to_end(soft_fail=True)


# -- a status that nobody documented


@pytest.mark.each_vendor
def test_an_unknown_status_is_logged_once_and_waited_for(
    run: Run, waiting: Waiting, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    waiting.become_unknown()
    clock.meanwhile += [lambda: None, lambda: None, waiting.finish]

    with caplog.at_level(logging.WARNING, logger="airflow_provider_campaigns"):
        assert run.to_end().items() >= waiting.done.items()

    assert account_polls(waiting) == 4
    reported = [one.getMessage() for one in caplog.records if "documents" in one.getMessage()]
    expected = f"{waiting.unknown!r} is no status that the vendor documents; it is waited for"
    assert reported == ([expected] if waiting.unknown else [])


# -- bad days


def test_nine_polls_that_fail_are_survived(run: Run, waiting: Waiting, clock: Time) -> None:
    waiting.finish()
    fault(waiting, "500", times=9)

    assert run.to_end().items() >= waiting.done.items()
    assert account_polls(waiting) == 10
    assert clock.pauses[:3] == [
        pytest.approx(pause, rel=0.1, abs=1) for pause in (1.05 * INTERVAL, 2.1 * INTERVAL, 4.2 * INTERVAL)
    ]
    assert all(3.9 * INTERVAL <= pause <= 4.5 * INTERVAL for pause in clock.pauses[3:])


@pytest.mark.parametrize("kind", ["500", "503", "drop", "html"])
def test_eleven_polls_that_fail_are_too_many(run: Run, waiting: Waiting, kind: str) -> None:
    waiting.finish()
    fault(waiting, kind, times=-1)

    with pytest.raises(VendorUnavailableError, match="11 polls in a row failed, the last one: ") as failed:
        run.to_end()

    assert failed.value.vendor == waiting.vendor
    assert failed.value.status == {"500": 500, "503": 503, "html": 200}.get(kind)
    assert account_polls(waiting) == 11


def test_a_poll_that_succeeds_begins_the_count_again(run: Run, waiting: Waiting, clock: Time) -> None:
    fault(waiting, "500", times=10)
    clock.meanwhile += [lambda: None] * 10 + [lambda: fault(waiting, "500", times=10), waiting.finish]

    assert run.to_end().items() >= waiting.done.items()
    assert account_polls(waiting) == 22


def test_how_many_may_fail_is_a_parameter(run: Run, waiting: Waiting) -> None:
    fault(waiting, "500", times=-1)

    with pytest.raises(VendorUnavailableError, match="3 polls in a row failed"):
        run.to_end(max_poll_failures=2)
    assert account_polls(waiting) == 3


@pytest.mark.parametrize("wrong", [-1, 2.5, "ten", None])
@pytest.mark.parametrize("waiting", ["collect"], indirect=True)
def test_how_many_may_fail_is_a_whole_number(run: Run, wrong: object) -> None:
    with pytest.raises(InputError, match="max_poll_failures: expected a whole number from 0"):
        run.sensor(max_poll_failures=wrong)


def test_a_vendor_that_asks_to_wait_a_moment_is_asked_again_by_the_same_poll(
    run: Run, waiting: Waiting, clock: Time
) -> None:
    waiting.finish()
    fault(waiting, "429", times=2, retry_after=0.01)

    assert run.to_end().items() >= waiting.done.items()
    assert (account_polls(waiting), clock.pauses) == (3, [])


def test_a_vendor_that_asks_for_longer_is_left_alone_for_so_long(run: Run, waiting: Waiting, clock: Time) -> None:
    waiting.finish()
    fault(waiting, "429", retry_after=3600)

    assert run.to_end().items() >= waiting.done.items()
    assert clock.pauses == [pytest.approx(3600, abs=1)]


# -- refusals


@pytest.mark.each_vendor
def test_credentials_that_ended_in_the_middle_are_renewed(run: Run, waiting: Waiting, clock: Time) -> None:
    clock.meanwhile.append(waiting.finish)
    fault(waiting, "unauthorized", skip=1)

    assert run.to_end().items() >= waiting.done.items()
    assert (account_polls(waiting), len(clock.pauses)) == (3, 1)


@pytest.mark.each_vendor
def test_credentials_that_are_not_taken_fail_it_at_once(run: Run, waiting: Waiting, clock: Time) -> None:
    fault(waiting, "unauthorized", times=-1)

    with pytest.raises(CallRefusedError) as refused:
        run.to_end()

    assert refused.value.vendor == waiting.vendor
    assert refused.value.message
    assert clock.pauses == []
    assert account_polls(waiting) <= 4


def test_a_refusal_in_the_middle_fails_it_at_once_with_the_vendors_words(
    run: Run, waiting: Waiting, clock: Time
) -> None:
    fault(waiting, "unauthorized", skip=1, times=-1)

    with pytest.raises(CallRefusedError) as refused:
        run.to_end()

    assert refused.value.vendor == waiting.vendor
    assert refused.value.message
    assert len(clock.pauses) == 1


@pytest.mark.each_vendor
def test_what_does_not_exist_fails_it_at_once(run: Run, waiting: Waiting, clock: Time) -> None:
    run.make = waiting.missing

    with pytest.raises(CallRefusedError, match=f"{waiting.vendor}: call refused"):
        run.to_end()
    assert (account_polls(waiting), clock.pauses) == (1, [])


def test_soft_fail_hides_no_error(run: Run, waiting: Waiting) -> None:
    run.make = waiting.missing

    with pytest.raises(CallRefusedError):
        run.to_end(soft_fail=True)


# -- the deadline


@pytest.mark.each_vendor
def test_it_ends_at_the_deadline_with_a_last_poll(run: Run, waiting: Waiting, clock: Time) -> None:
    with pytest.raises(
        AirflowSensorTimeout, match=f"not over after 100.0 seconds; the last status was '{waiting.status}'"
    ):
        run.to_end(timeout=100)

    assert account_polls(waiting) == 3
    assert sum(clock.pauses) == pytest.approx(100, abs=1)


def test_a_failing_vendor_does_not_put_the_deadline_off(run: Run, waiting: Waiting, clock: Time) -> None:
    fault(waiting, "500", times=-1)

    with pytest.raises(AirflowSensorTimeout, match=r"the last poll failed: .*HTTP 500"):
        run.to_end(timeout=100)
    assert sum(clock.pauses) == pytest.approx(100, abs=1)


def test_soft_fail_skips_at_the_deadline(run: Run, waiting: Waiting) -> None:
    with pytest.raises(AirflowSkipException, match="the last status was"):
        run.to_end(timeout=100, soft_fail=True)


def fail_a_try(run: Run, waiting: Waiting, **options: Any) -> None:
    """Let a try fail in the middle of its wait, for a reason that a retry may correct."""
    fault(waiting, "500", skip=1, times=3)
    with pytest.raises(VendorUnavailableError):
        run.to_end(max_poll_failures=2, **options)


def test_a_retry_has_what_the_first_try_left_of_the_time(run: Run, waiting: Waiting, clock: Time) -> None:
    fail_a_try(run, waiting, timeout=600, max_tries=1)
    before = sum(clock.pauses)

    with pytest.raises(AirflowSensorTimeout):
        run.to_end(timeout=600, try_number=2, max_tries=1)
    assert before > INTERVAL
    assert sum(clock.pauses) == pytest.approx(600, abs=1)


def test_a_retry_may_fail_as_often_as_the_first_try(run: Run, waiting: Waiting) -> None:
    fail_a_try(run, waiting, max_tries=1)
    waiting.finish()
    fault(waiting, "500", times=2)

    assert run.to_end(try_number=2, max_tries=1, max_poll_failures=2).items() >= waiting.done.items()


def test_a_cleared_task_has_the_whole_time_again(run: Run, waiting: Waiting, clock: Time) -> None:
    fail_a_try(run, waiting, timeout=600, max_tries=1)
    before = sum(clock.pauses)

    with pytest.raises(AirflowSensorTimeout):
        run.to_end(timeout=600, try_number=2, max_tries=2, retries=1)
    assert sum(clock.pauses) - before == pytest.approx(600, abs=1)


def test_what_cannot_be_removed_does_not_fail_it(
    run: Run, waiting: Waiting, clock: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("database is locked")

    monkeypatch.setattr(FakeTaskStateStore, "delete", fail)
    clock.meanwhile.append(waiting.finish)

    assert run.to_end(max_tries=1).items() >= waiting.done.items()
    assert "could not be removed: database is locked" in caplog.text


def test_of_a_task_that_is_done_only_what_people_are_shown_is_left(run: Run, waiting: Waiting, clock: Time) -> None:
    clock.meanwhile.append(waiting.finish)

    run.to_end(max_tries=1)

    assert set(run.state) == {"progress"}


def test_people_are_shown_what_the_vendor_said(run: Run, waiting: Waiting, clock: Time) -> None:
    clock.meanwhile.append(waiting.finish)

    run.to_end(max_tries=1)

    note = json.loads(run.state["progress"])
    assert note["waits_for"] in {"exotel", "ozonetel"}
    assert note["status"]
    assert all(isinstance(value, (str, int, float)) for value in note["facts"].values())
    assert datetime.fromisoformat(note["updated"]).tzinfo
