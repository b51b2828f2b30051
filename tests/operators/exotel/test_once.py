"""One Exotel campaign, wherever a try ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, ClassVar

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    LedgerError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.operators.base import idempotent_create
from airflow_provider_campaigns.operators.base.idempotent_create import lookup_delays
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from tests.operators.contexts import MakeContext, State
from tests.operators.exotel.campaigns import NUMBERS, TIMEOUT, campaigns, create, killed, posts
from tests.vendors.conversations import drive


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

    def test_killed_between_intent_and_request(
        self, sandbox: SandboxClient, make_context: MakeContext, waits: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        monkeypatch.setattr(operator.hook, "create_campaign", killed)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(make_context(state=state))
        with pytest.raises(AirflowFailException, match=r"Nobody knows whether the campaign 'Spring .{8}' was created"):
            create().execute(make_context(2, 1, state=state))
        assert waits == lookup_delays(TIMEOUT)
        assert posts(sandbox) == 0

    def test_killed_between_request_and_id(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        request = operator.hook.create_campaign
        monkeypatch.setattr(operator.hook, "create_campaign", lambda campaign: killed(request(campaign)))
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


class TestRecipients:
    """A campaign that was created for some is no campaign for others."""

    OTHERS: ClassVar = [NUMBERS[0], "+447700900102"]

    def test_cleared_with_others_it_says_so(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        message = f"made the campaign {first['id']} for other recipients than the task has now"
        with pytest.raises(AirflowFailException, match=message):
            create(numbers=self.OTHERS).execute(make_context(2, max_tries=2, state=state))
        again = create(numbers=self.OTHERS, on_cleared="resend").execute(make_context(3, max_tries=3, state=state))
        assert again["id"] != first["id"]
        assert posts(sandbox) == 2

    def test_a_person_may_choose_another_one_once_without_editing_the_dag(
        self, sandbox: SandboxClient, make_context: MakeContext, airflow_variables: dict[str, str]
    ) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        with pytest.raises(AirflowFailException, match="set the Airflow Variable campaigns_override to") as caught:
            create(numbers=self.OTHERS).execute(make_context(2, max_tries=2, state=state))
        airflow_variables["campaigns_override"] = (
            str(caught.value).partition("campaigns_override to ")[2].partition(", then clear")[0]
        )

        # Cleared, and tried twice; then cleared again, when the choice has been applied already.
        chosen = [
            create(numbers=self.OTHERS).execute(make_context(number, max_tries=tries, state=state))["id"]
            for number, tries in ((3, 3), (4, 3), (5, 4))
        ]

        assert len({first["id"], *chosen}) == 2
        assert chosen[0] != first["id"]
        assert posts(sandbox) == 2

    @pytest.mark.parametrize(
        ("before", "now", "same"),
        [
            ({"numbers": NUMBERS}, {"numbers": NUMBERS[::-1]}, True),
            ({"numbers": NUMBERS}, {"numbers": None, "contacts": [{"number": one} for one in NUMBERS]}, True),
            ({"numbers": NUMBERS}, {"numbers": ["07700900100", "447700900101"], "region": "GB"}, True),
            ({"numbers": NUMBERS}, {"numbers": [*NUMBERS, NUMBERS[0]]}, False),
            ({"numbers": NUMBERS}, {"numbers": NUMBERS[:1]}, False),
            ({"numbers": NUMBERS}, {"numbers": None, "lists": ["a list"]}, False),
        ],
    )
    def test_which_are_the_same(
        self, before: Any, now: Any, same: bool, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        first = create(**before).execute(make_context(state=state))
        with nullcontext() if same else pytest.raises(AirflowFailException, match="for other recipients"):
            assert create(**now).execute(make_context(2, 1, state=state))["id"] == first["id"]
        assert posts(sandbox) == 1

    def test_cleared_with_recipients_that_cannot_be_read_it_says_so(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        with pytest.raises(InputError, match="expected a file that can be read"):
            create(numbers=None, contacts="is-gone.csv").execute(make_context(2, max_tries=2, state=state))

    @pytest.mark.parametrize("numbers", [NUMBERS, OTHERS])
    @pytest.mark.parametrize(("fault", "created"), [("drop", 1), ("reset", 0)])
    def test_a_run_made_again_never_gets_the_campaign_of_the_deleted_one(
        self, numbers: list[str], fault: str, created: int, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        old = create().execute(make_context(state={}))
        state: State = {}
        sandbox.fault(fault, vendor="exotel", method="POST")
        ids = []
        for number in (1, 2):
            with nullcontext() if created else pytest.raises(AirflowFailException, match="It is not created again"):
                ids.append(create(numbers=numbers).execute(make_context(number, 1, state=state))["id"])
        assert len(set(ids)) == created
        assert old["id"] not in ids
        assert len(campaigns(sandbox)) == 1 + created

    def test_a_cleared_task_without_a_record_does_not_get_a_campaign_for_others(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        create().execute(make_context(state={}))
        with pytest.raises(AirflowFailException, match="there is no record of its earlier tries"):
            create(numbers=self.OTHERS).execute(make_context(2, max_tries=2, state={}))
        assert posts(sandbox) == 1


class TestLookUp:
    def test_one_that_is_listed_a_minute_later_is_found(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sandbox.fault("drop", vendor="exotel", method="POST")
        operator, waited = create(), [0.0]
        find = operator.hook.find_campaigns
        operator.hook.find_campaigns = lambda name: find(name) if waited[0] > 60 else []  # type: ignore[method-assign]
        monkeypatch.setattr(idempotent_create, "sleep", lambda seconds: waited.__setitem__(0, waited[0] + seconds))
        assert operator.execute(make_context())["from"] == 2
        assert posts(sandbox) == 1

    @pytest.mark.parametrize("carried_out", [True, False])
    def test_a_conflict_is_looked_up(
        self, carried_out: bool, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        operator = create()
        request = operator.hook.create_campaign

        def conflict(campaign: CreateCampaign) -> dict[str, Any]:
            if carried_out:
                request(campaign)
            reply = {"response": [{"code": 409, "status": "failure", "error_data": {"message": "Duplicate"}}]}
            return drive(operator.hook.dialect.create_campaign(campaign), (200, reply))[0]

        monkeypatch.setattr(operator.hook, "create_campaign", conflict)
        with nullcontext() if carried_out else pytest.raises(AirflowFailException, match="Duplicate"):
            assert operator.execute(make_context())["from"] == 2
        assert posts(sandbox) == carried_out


class TestDamage:
    """A record that is not what a try stored is an error before any request, never "nothing was created"."""

    @pytest.mark.parametrize("value", ["0", '""', "[]", "{}", "false", "-1", "1e30", "true", '"1"', "1000000"])
    @pytest.mark.parametrize("key", ["campaign-latest", "campaign-1"])
    def test_another_value(self, key: str, value: str, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        with pytest.raises(LedgerError, match=rf"The record '{key}' of an earlier try cannot be used"):
            create().execute(make_context(2, 1, state={**state, key: value}))
        assert posts(sandbox) == 1

    def test_a_record_that_is_gone(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        del state["campaign-1"]
        with pytest.raises(LedgerError, match="it is missing"):
            create().execute(make_context(2, 1, state=state))
        assert posts(sandbox) == 1

    def test_without_the_number_of_the_latest_the_record_counts(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        del state["campaign-latest"]
        assert create().execute(make_context(2, 1, state=state))["id"] == first["id"]
        assert posts(sandbox) == 1

    @pytest.mark.parametrize("part", ["id", "intended", "made_for", "there", "max_tries", "generation", "check"])
    @pytest.mark.parametrize("value", [None, "", 7, "gone"])
    def test_a_part_of_a_record(
        self, part: str, value: object, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        record = json.loads(state["campaign-1"])
        record = {name: one for name, one in record.items() if name != part} | (
            {} if value == "gone" else {part: value}
        )
        with pytest.raises(LedgerError, match="its checksum is wrong"):
            create().execute(make_context(2, 1, state={**state, "campaign-1": json.dumps(record)}))
        assert posts(sandbox) == 1


class TestCleared:
    """``max_tries`` above the task's retries says that it was cleared."""

    def test_with_resend_another_is_created_once(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: State = {}
        first = create().execute(make_context(state=state))
        again = [create(on_cleared="resend").execute(make_context(number, 3, state=state))["id"] for number in (2, 3)]
        assert again[0] == again[1] != first["id"]
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
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        operator = create(wait_for_completion=True, pause_on_kill=True, timeout=0.01, poke_interval=0.01)
        request = operator.hook.create_campaign

        def request_and_kill(campaign: CreateCampaign) -> dict[str, Any]:
            created = request(campaign)
            operator.on_kill()
            return created

        monkeypatch.setattr(operator.hook, "create_campaign", request_and_kill)
        with pytest.raises(AirflowSensorTimeout):
            operator.execute(make_context())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Paused"]
