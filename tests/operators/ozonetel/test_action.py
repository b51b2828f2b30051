"""``action`` of AddCampaignLeadOperator against the sandbox: carried out once, and what people do meanwhile stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError, VendorUnavailableError
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead
from tests.connections import calls, connect, keep_tokens_in_memory
from tests.operators.contexts import MakeContext

PEOPLE = [{"phoneNumber": f"+4477009002{number:02}"} for number in range(6)]
# A campaign that dials nobody while the test runs, and one that dials at once whatever it gets.
SLOW, FAST = 1_000_000.0, 0.000_001


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    keep_tokens_in_memory(monkeypatch)
    connect(monkeypatch, sandbox, "ozonetel", extra={"retry_limit": 0})
    sandbox.control("ozonetel", seconds_per_lead=SLOW)


def add(**changes: Any) -> AddCampaignLeadOperator:
    parameters = {"task_id": "send", "campaign_name": "Demo", "contacts": PEOPLE, "action": "START", **changes}
    return AddCampaignLeadOperator(**{"max_concurrency": 1, "retries": 3, **parameters})


def position(sandbox: SandboxClient) -> str:
    status = add().hook.campaign_status("Demo")
    return str(status["Position"])


def actions(sandbox: SandboxClient) -> list[str | None]:
    """Return the action of every lead, in order."""
    return [contact["fields"].get("action") for contact in sandbox.received("ozonetel")["contacts"]]


@pytest.fixture
def after_lead(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Do something when the reply to a lead (from 1) is in."""

    def order(number: int, do: Callable[[], object], kind: type[Any] = AddCampaignLead) -> None:
        send, replies = kind._send, []

        def watched(self: Any, *args: Any, **options: Any) -> Any:
            result = yield from send(self, *args, **options)
            replies.append(result)
            if len(replies) == number:
                do()
            return result

        monkeypatch.setattr(kind, "_send", watched)

    return order


class TestStart:
    def test_it_goes_with_the_first_lead_only(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        receipt = add().execute(make_context())
        assert (receipt["accepted"], "warning" in receipt) == (6, False)
        assert actions(sandbox) == ["START", None, None, None, None, None]
        assert position(sandbox) == "RUNNING"
        assert "set_status" not in calls(sandbox, "ozonetel")

    def test_one_lead_costs_no_other_request(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        add(contacts=PEOPLE[:1]).execute(make_context())
        assert calls(sandbox, "ozonetel") == ["add_lead"]

    @pytest.mark.parametrize("lead", [1, 3, 6])
    def test_a_campaign_that_a_person_stops_stays_stopped(
        self, lead: int, sandbox: SandboxClient, make_context: MakeContext, after_lead: Any
    ) -> None:
        after_lead(lead, lambda: sandbox.control("ozonetel", campaign="Demo", action="stop"))
        receipt = add().execute(make_context())
        assert receipt["accepted"] == 6
        assert position(sandbox) == "STOPPED"
        assert "campaign Demo is STOPPED" in receipt["warning"]

    def test_a_campaign_that_completed_before_the_last_lead_is_started_again(
        self, sandbox: SandboxClient, make_context: MakeContext, after_lead: Any
    ) -> None:
        def complete() -> None:
            sandbox.control("ozonetel", seconds_per_lead=FAST)
            sandbox.clock(advance=2 * SLOW)
            assert position(sandbox) == "COMPLETED"
            sandbox.control("ozonetel", seconds_per_lead=SLOW)

        after_lead(3, complete)
        receipt = add().execute(make_context())
        assert "warning" not in receipt
        assert position(sandbox) == "RUNNING"
        assert actions(sandbox).count("START") == 1
        assert calls(sandbox, "ozonetel").count("set_status") == 1

    def test_a_campaign_that_was_stopped_before_is_started(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.control("ozonetel", campaign="Demo", action="stop")
        assert "warning" not in add().execute(make_context())
        assert position(sandbox) == "RUNNING"

    def test_it_goes_with_the_next_lead_until_one_is_added(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        add(contacts=PEOPLE[:2], action=None).execute(make_context(task_id="before"))
        receipt = add(contacts=[PEOPLE[0], {"phoneNumber": "+447700900996"}, PEOPLE[1], *PEOPLE[2:]]).execute(
            make_context()
        )
        assert (receipt["duplicate"], receipt["rejected"]) == (2, 1)
        # Two requests are made ready at a time, and one of them carries it.
        assert actions(sandbox)[2:] == ["START", "START", None, "START", None, None, None]
        assert position(sandbox) == "RUNNING"

    def test_a_campaign_that_has_every_lead_already_is_started(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        add(action=None).execute(make_context(task_id="before"))
        assert add().execute(make_context())["duplicate"] == 6
        assert position(sandbox) == "RUNNING"

    def test_a_status_that_the_vendor_refuses_is_in_the_receipt(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        refusal = {"status": "false", "message": "Invalid User Details"}
        sandbox.fault("reply", vendor="ozonetel", path="campaignStatus", body=refusal)
        assert "a state that could not be read" in add().execute(make_context())["warning"]

    def test_a_start_that_is_refused_is_in_the_receipt(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        add(action=None).execute(make_context(task_id="before"))
        refusal = {"status": "failure", "message": "All parameters are mandatory"}
        sandbox.fault("reply", vendor="ozonetel", path="setCampaignStatus", body=refusal)
        assert "could not be started: All parameters are mandatory" in add().execute(make_context())["warning"]

    def test_a_status_that_cannot_be_looked_up_fails_and_the_retry_does_it(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        sandbox.fault("500", vendor="ozonetel", path="campaignStatus")
        context = make_context(state=state)
        with pytest.raises(VendorUnavailableError):
            add().execute(context)
        assert "ended early" in context["ti"].pushed["receipt"]["warning"]
        receipt = add().execute(make_context(2, 3, state=state))
        assert (receipt["accepted"], "warning" in receipt) == (6, False)
        assert len(actions(sandbox)) == 6

    def test_a_complete_task_that_is_cleared_starts_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        first = add().execute(make_context(state=state))
        sandbox.control("ozonetel", campaign="Demo", action="stop")
        assert add().execute(make_context(2, 4, state=state)) == first
        assert position(sandbox) == "STOPPED"


class TestRetry:
    """What an earlier try started, and somebody stopped between the tries, stays stopped."""

    @pytest.mark.parametrize("lead", [1, 2, 5])
    @pytest.mark.parametrize("fault", ["refused", "lost"])
    def test_between_the_tries(self, lead: int, fault: str, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: dict[str, str] = {}
        refusal = {"status": "false", "message": "Invalid User Details"}
        order = {"vendor": "ozonetel", "path": "AddCampaignData", "skip": lead}
        if fault == "refused":
            sandbox.fault("reply", body=refusal, times=-1, **order)
        else:
            sandbox.fault("drop", **order)
        context = make_context(state=state)
        with pytest.raises(Exception, match=r"Invalid User Details|may have been sent"):
            add(contacts=PEOPLE[: lead + 1]).execute(context)
        assert context["ti"].pushed["receipt"]["accepted"] == lead
        assert "ended early" in context["ti"].pushed["receipt"]["warning"]
        sandbox.clear_faults()
        sandbox.control("ozonetel", campaign="Demo", action="stop")

        receipt = add(contacts=PEOPLE).execute(make_context(2, 3, state=state))

        assert receipt["accepted"] + receipt["duplicate"] == 6
        assert position(sandbox) == "STOPPED"
        assert "campaign Demo is STOPPED" in receipt["warning"]
        assert sandbox.counts("ozonetel")["accepted"] == 6

    def test_a_status_that_cannot_be_looked_up_sends_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        refusal = {"status": "false", "message": "Invalid User Details"}
        sandbox.fault("reply", vendor="ozonetel", path="AddCampaignData", body=refusal, skip=2, times=-1)
        with pytest.raises(CallRefusedError):
            add().execute(make_context(state=state))
        sandbox.clear_faults()
        sandbox.fault("500", vendor="ozonetel", path="campaignStatus")
        with pytest.raises(VendorUnavailableError):
            add().execute(make_context(2, 3, state=state))
        assert len(actions(sandbox)) == 2
        receipt = add().execute(make_context(3, 3, state=state))
        assert (receipt["accepted"], "warning" in receipt) == (6, False)
        assert actions(sandbox) == ["START", *[None] * 5]

    def test_a_start_that_never_arrived_is_sent_by_the_retry(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        refusal = {"status": "false", "message": "Invalid User Details"}
        sandbox.fault("reply", vendor="ozonetel", path="AddCampaignData", body=refusal, times=-1)
        sandbox.control("ozonetel", campaign="Demo", action="stop")
        with pytest.raises(CallRefusedError):
            add().execute(make_context(state=state))
        sandbox.clear_faults()
        receipt = add().execute(make_context(2, 3, state=state))
        assert (receipt["accepted"], "warning" in receipt) == (6, False)
        assert position(sandbox) == "RUNNING"

    def test_a_start_whose_reply_was_lost_and_that_did_nothing_is_sent_again(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        sandbox.fault("reset", vendor="ozonetel", path="AddCampaignData")
        with pytest.raises(Exception, match="may have been sent"):
            add(contacts=PEOPLE[:1]).execute(make_context(state=state))
        assert position(sandbox) == "READY"
        receipt = add().execute(make_context(2, 3, state=state))
        assert (receipt["accepted"], "warning" in receipt) == (6, False)
        assert position(sandbox) == "RUNNING"


class TestBulk:
    def test_it_goes_with_the_first_request_and_the_receipt_says_what_is_open(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        receipt = add(bulk=True, batch_size=2).execute(make_context())
        assert receipt["accepted"] == 6
        assert "adds the leads of bulk calls later" in receipt["warning"]
        assert position(sandbox) == "RUNNING"

    def test_a_campaign_that_a_person_stops_stays_stopped(
        self, sandbox: SandboxClient, make_context: MakeContext, after_lead: Any
    ) -> None:
        stop = lambda: sandbox.control("ozonetel", campaign="Demo", action="stop")  # noqa: E731
        after_lead(1, stop, AddCampaignBulkData)
        receipt = add(bulk=True, batch_size=2).execute(make_context())
        assert position(sandbox) == "STOPPED"
        assert "campaign Demo is STOPPED" in receipt["warning"]

    def test_one_request_leaves_nothing_open(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        assert "warning" not in add(bulk=True).execute(make_context())


class TestStop:
    def test_a_campaign_that_a_person_starts_stays_started(
        self, sandbox: SandboxClient, make_context: MakeContext, after_lead: Any
    ) -> None:
        after_lead(2, lambda: sandbox.control("ozonetel", campaign="Demo", action="start"))
        receipt = add(action="stop").execute(make_context())
        assert actions(sandbox) == ["STOP", None, None, None, None, None]
        assert (position(sandbox), "warning" in receipt) == ("RUNNING", False)

    @pytest.mark.parametrize("running", [False, True])
    def test_a_campaign_that_has_every_lead_already_is_stopped(
        self, running: bool, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        add(action="START" if running else None).execute(make_context(task_id="before"))
        add(action="STOP").execute(make_context())
        assert position(sandbox) == ("STOPPED" if running else "READY")
