"""One Exotel campaign, wherever a try ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import CallRefusedError, RequestRejectedError, VendorUnavailableError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.operators.exotel.campaigns import NUMBERS, TIMEOUT, MakeContext, State, campaigns, create, killed, posts


class TestOnce:
    """One campaign, wherever the first try ended."""

    def test_a_retry_after_success_returns_the_first(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        again = create(numbers=None, contacts="is-gone.csv").execute(make_context(2, 1, state=state))
        assert again["id"] == first["id"]
        assert posts(sandbox) == 1

    def test_a_cleared_task_returns_the_first(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        assert create().execute(make_context(2, max_tries=2, state=state))["id"] == first["id"]
        assert posts(sandbox) == 1

    def test_a_cleared_task_whose_record_is_gone_takes_the_first(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        first = create().execute(make_context())
        assert create().execute(make_context(2, max_tries=2))["id"] == first["id"]
        assert posts(sandbox) == 1

    def test_a_cleared_task_whose_record_is_gone_creates_none(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        with pytest.raises(AirflowFailException, match="there is no record of its earlier tries"):
            create().execute(make_context(2, max_tries=2))
        assert posts(sandbox) == 0

    def testkilled_between_intent_and_request(
        self, sandbox: SandboxClient, make_context: MakeContext, waits: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        monkeypatch.setattr(operator.hook, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(make_context(state=state))
        with pytest.raises(AirflowFailException, match=r"Nobody knows whether the campaign 'Spring .{8}' was created"):
            create().execute(make_context(2, 1, state=state))
        assert waits == [0, pytest.approx(2 / 3 * TIMEOUT), pytest.approx(4 / 3 * TIMEOUT)]
        assert posts(sandbox) == 0

    def testkilled_between_request_and_id(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        run = operator.hook.run
        monkeypatch.setattr(operator.hook, "run", lambda conversation: killed(run(conversation)))
        with pytest.raises(KeyboardInterrupt):
            operator.execute(make_context(state=state))
        campaign = create().execute(make_context(2, 1, state=state))
        assert [campaign["id"]] == [one["id"] for one in campaigns(sandbox)]
        assert create().execute(make_context(3, 1, state=state))["id"] == campaign["id"]
        assert posts(sandbox) == 1

    @pytest.mark.parametrize("fault", ["drop", "cut", "500-after"])
    def test_a_reply_that_is_lost(
        self, fault: str, sandbox: SandboxClient, make_context: MakeContext, waits: list[float]
    ) -> None:
        sandbox.fault(fault, vendor="exotel", method="POST")
        campaign = create().execute(make_context())
        assert [campaign["id"]] == [one["id"] for one in campaigns(sandbox)]
        assert waits == [0]
        assert posts(sandbox) == 1

    def test_a_reply_that_is_lost_for_good(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        sandbox.fault("reset", vendor="exotel", method="POST")
        for number in (1, 2):
            with pytest.raises(AirflowFailException, match="It is not created again"):
                create().execute(make_context(number, 1, state=state))
        assert posts(sandbox) == 1
        assert campaigns(sandbox) == []

    def test_the_vendor_is_down_while_it_is_looked_for(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        sandbox.fault("drop", vendor="exotel", method="POST")
        sandbox.fault("500", vendor="exotel", method="GET")
        with pytest.raises(VendorUnavailableError):
            create().execute(make_context(state=state))
        assert create().execute(make_context(2, 1, state=state))["from"] == 2
        assert posts(sandbox) == 1

    @pytest.mark.parametrize(
        ("fault", "error"),
        [("refuse", RequestRejectedError), ("unauthorized", CallRefusedError)],
    )
    def test_after_a_refusal_a_retry_creates_it(
        self, fault: str, error: type[Exception], sandbox: SandboxClient, make_context: MakeContext, waits: list[float]
    ) -> None:
        state: State = {}
        sandbox.fault(fault, vendor="exotel", method="POST")
        with pytest.raises(error):
            create().execute(make_context(state=state))
        assert create().execute(make_context(2, 1, state=state))["from"] == 2
        assert waits == []
        assert len(campaigns(sandbox)) == 1

    def test_after_no_connection_a_retry_creates_it(
        self, sandbox: SandboxClient, make_context: MakeContext, change_connection: Callable[..., None]
    ) -> None:
        state: State = {}
        change_connection(host="http://127.0.0.1:1")
        with pytest.raises(VendorUnavailableError):
            create().execute(make_context(state=state))
        change_connection()
        assert create().execute(make_context(2, 1, state=state))["from"] == 2


class TestCleared:
    """``max_tries`` above the task's retries tells that it was cleared."""

    def test_with_resend_another_is_created_once(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        anew = [create(on_cleared="resend").execute(make_context(number, 3, state=state))["id"] for number in (2, 3)]
        assert anew[0] == anew[1] != first["id"]
        assert posts(sandbox) == 2
        assert len({one["name"] for one in campaigns(sandbox)}) == 2

    def test_a_task_that_failed_before_it_was_executed_needs_no_new_dag_run(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        with pytest.raises(AirflowFailException, match="clear this task with on_cleared='resend' to create it"):
            create().execute(make_context(2, 2, state=state))
        create(on_cleared="resend").execute(make_context(3, 4, state=state))
        assert posts(sandbox) == 1

    def test_a_retry_is_not_cleared(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        for number in (1, 2):
            create(on_cleared="resend").execute(make_context(number, 1, state=state))
        assert posts(sandbox) == 1


class TestKilled:
    """Airflow 3 calls ``on_kill``, and lets the task go on for some seconds."""

    def test_before_the_request_it_creates_none(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        operator = create()

        def numbers() -> Iterator[str]:
            operator.on_kill()
            yield from NUMBERS

        operator.numbers = numbers()
        with pytest.raises(AirflowException, match="the task was killed; no campaign was created"):
            operator.execute(make_context(state=state))
        assert posts(sandbox) == 0
        assert create().execute(make_context(2, 1, state=state))["from"] == 2

    def test_during_the_request_it_pauses_the_campaign_afterwards(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        operator = create(wait_for_completion=True, pause_on_kill=True, timeout=0.01, poke_interval=0.01)
        request = operator.hook.create_campaign

        def request_and_kill(campaign: CreateCampaign) -> dict[str, Any]:
            created = request(campaign)
            operator.on_kill()
            return created

        operator.hook.create_campaign = request_and_kill  # type: ignore[method-assign]
        with pytest.raises(AirflowSensorTimeout):
            operator.execute(make_context())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Paused"]
