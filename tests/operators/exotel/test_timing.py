"""When an Exotel campaign is created: so that calls start in the window, and not for an interval that is long over."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import MOST_NUMBERS
from tests.connections import calls
from tests.operators.contexts import MakeContext, State
from tests.operators.exotel.campaigns import create, posts
from tests.operators.hours import CLOSED, OPENS, WINDOW, ago, waits_for

OLD = {"max_age": timedelta(hours=24)}


@pytest.fixture
def closed(clock: SimpleNamespace) -> SimpleNamespace:
    clock.now = CLOSED
    return clock


def test_in_its_window_a_campaign_is_created(
    sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
) -> None:
    assert create(send_window=WINDOW).execute(make_context())["from"] == 2


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_outside_it_waits_in_the_triggerer_and_is_created_once_when_it_opens(
    sandbox: SandboxClient, make_context: MakeContext, closed: SimpleNamespace, mode: str
) -> None:
    state: State = {}
    with pytest.raises(TaskDeferred) as deferred:
        create(send_window=WINDOW, mode=mode).execute(make_context(state=state))

    assert abs(waits_for(deferred.value) - (OPENS - CLOSED)) < timedelta(minutes=1)
    assert posts(sandbox) == 0

    closed.now = OPENS
    woken = create(send_window=WINDOW, mode=mode)
    campaign = woken.resume_execution(deferred.value.method_name, {"event": OPENS}, make_context(state=state))

    # A retry returns it, at whatever hour.
    closed.now = CLOSED
    assert create(send_window=WINDOW).execute(make_context(2, 1, state=state))["id"] == campaign["id"]
    assert posts(sandbox) == 1


def test_when_it_opens_its_end_is_waited_for(
    sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
) -> None:
    operator = create(send_window=WINDOW, wait_for_completion=True, deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        operator.execute_when_open(make_context(), event=OPENS)

    assert deferred.value.method_name == "execute_complete"
    assert posts(sandbox) == 1


def test_outside_it_is_skipped_if_that_is_wanted(
    sandbox: SandboxClient, make_context: MakeContext, closed: SimpleNamespace
) -> None:
    with pytest.raises(AirflowSkipException, match="outside send_window"):
        create(send_window=WINDOW, outside_window="skip").execute(make_context())
    assert posts(sandbox) == 0


def test_outside_it_no_contact_lists_are_made(
    sandbox: SandboxClient, make_context: MakeContext, closed: SimpleNamespace
) -> None:
    numbers = [f"+44770{number:07}" for number in range(MOST_NUMBERS + 1)]
    with pytest.raises(TaskDeferred):
        create(send_window=WINDOW, numbers=numbers).execute(make_context())
    assert calls(sandbox, "exotel") == []


def test_a_campaign_that_may_exist_is_looked_for_at_any_hour(
    sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
) -> None:
    state: State = {}
    sandbox.fault("reset", vendor="exotel", method="POST")
    with pytest.raises(AirflowFailException, match="It is not created again"):
        create(send_window=WINDOW).execute(make_context(state=state))

    clock.now = CLOSED
    with pytest.raises(AirflowFailException, match="It is not created again"):
        create(send_window=WINDOW, soft_fail=True).execute(make_context(2, 1, state=state))


def test_that_nobody_knows_whether_it_was_created_is_no_skip_after_a_wait(
    sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
) -> None:
    sandbox.fault("reset", vendor="exotel", method="POST")
    operator = create(send_window=WINDOW, wait_for_completion=True, soft_fail=True)

    with pytest.raises(AirflowFailException, match="It is not created again"):
        operator.resume_execution("execute_when_open", {"event": OPENS}, make_context())


def test_the_wait_for_its_end_is_skipped_at_a_failure_if_that_is_wanted(make_context: MakeContext) -> None:
    operator = create(wait_for_completion=True, soft_fail=True)

    with pytest.raises(AirflowSkipException):
        operator.resume_execution(
            "execute_complete", {"event": {"state": "failed", "status": "Failed"}}, make_context()
        )


class TestScheduled:
    """With ``send_at`` nobody is rung before that."""

    def test_it_is_created_at_once_if_it_starts_in_the_window(
        self, sandbox: SandboxClient, make_context: MakeContext, closed: SimpleNamespace
    ) -> None:
        create(send_window=WINDOW, send_at=OPENS.isoformat()).execute(make_context())
        assert posts(sandbox) == 1

    def test_it_is_refused_if_it_starts_outside(
        self, sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
    ) -> None:
        with pytest.raises(InputError, match="send_at: expected a time within send_window"):
            create(send_window=WINDOW, send_at=CLOSED).execute(make_context())
        assert posts(sandbox) == 0

    def test_a_start_that_has_passed_is_now(
        self, sandbox: SandboxClient, make_context: MakeContext, closed: SimpleNamespace
    ) -> None:
        with pytest.raises(TaskDeferred):
            create(send_window=WINDOW, send_at=CLOSED - timedelta(hours=3)).execute(make_context())
        assert posts(sandbox) == 0


class TestAge:
    """Of the data interval."""

    def test_a_run_that_is_too_old_creates_none(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        with pytest.raises(AirflowFailException, match="max_age"):
            create(**OLD).execute(make_context() | {"data_interval_end": ago(hours=25)})
        assert posts(sandbox) == 0

    def test_one_that_is_not_does(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        assert create(**OLD).execute(make_context() | {"data_interval_end": ago(hours=23)})["from"] == 2

    def test_the_wait_for_the_window_does_not_count(
        self, sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
    ) -> None:
        context = make_context() | {"data_interval_end": ago(hours=25)}
        assert create(send_window=WINDOW, **OLD).execute_when_open(context, event=OPENS)["from"] == 2

    def test_an_old_run_returns_the_campaign_that_it_created(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        campaign = create().execute(make_context(state=state))
        cleared = make_context(2, max_tries=2, state=state) | {"data_interval_end": ago(days=9)}
        assert create(**OLD).execute(cleared)["id"] == campaign["id"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"send_window": "nine to five"}, "send_window"),
        ({"send_window": WINDOW, "outside_window": "fail"}, "outside_window"),
        ({"max_age": 3600}, "max_age"),
        # Reported now, not when the window opens.
        ({"send_window": WINDOW, "numbers": ["no number"]}, "numbers, row 1"),
    ],
)
def test_mistakes_are_reported_before_anything_is_created(
    sandbox: SandboxClient, make_context: MakeContext, closed: Any, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        create(**fields).execute(make_context())
    assert posts(sandbox) == 0
