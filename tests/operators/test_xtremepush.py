"""ExecuteXtremepushCampaignOperator against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError, VendorFailingError
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sandbox import xtremepush
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends, outcomes_of, write_csv
from tests.operators.hours import CLOSED, OPEN, OPENS, WINDOW

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

CAMPAIGN = 7345
QUEUED = "accepted for sending; not delivered yet"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xtremepush")


def campaign(**changes: Any) -> ExecuteXtremepushCampaignOperator:
    parameters = {"task_id": "send", "campaign_id": CAMPAIGN, **changes}
    return ExecuteXtremepushCampaignOperator(**parameters)


def users(number: int) -> list[dict[str, str]]:
    return [{"user_id": f"user-{index}", "first_name": "Zoë"} for index in range(number)]


class TestExecute:
    def test_a_thousand_contacts_are_one_request(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "users.csv", users(1000))
        receipt = campaign(contacts=contacts, outcomes_path=str(tmp_path)).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 1)
        assert receipt["campaign"] == str(CAMPAIGN)
        assert contacted(sandbox, "xtremepush") == [f"user-{index}" for index in range(1000)]
        assert {line["message"] for line in outcomes_of(receipt)} == {QUEUED}

    def test_a_smaller_batch_size_makes_more_requests(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        receipt = campaign(contacts=users(5), batch_size=2).execute(make_context())
        assert (receipt["accepted"], receipt["requests"]) == (5, 3)
        assert calls(sandbox, "xtremepush") == ["execute"] * 3

    def test_other_columns_are_each_contacts_own_template_variables(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        campaign(
            contacts=users(1),
            template_params={"external_message_id": "{{ run }}"},
            send_at=datetime(2099, 12, 1, 9, 30, tzinfo=UTC),
            overrides={"retry_for": 2, "retry_for_period": "weeks"},
        ).execute(make_context())
        assert sandbox.received("xtremepush")["contacts"][0]["fields"] == {
            "params": {"external_message_id": "{{ run }}"},
            "time": "2099-12-01 09:30 UTC",
            "target_by": "user_id",
            "target_params": {"first_name": "Zoë"},
        }

    @pytest.mark.parametrize(
        ("target_by", "target"),
        [("email", "jo@example.com"), ("external_id", "crm-1"), ("token", "push-token"), ("id", 123456)],
    )
    def test_targets_may_be_something_else_than_user_ids(
        self, sandbox: SandboxClient, make_context: MakeContext, target_by: str, target: Any
    ) -> None:
        campaign(contacts=[{target_by: target}], target_by=target_by).execute(make_context())
        received = sandbox.received("xtremepush")["contacts"]
        assert [(contact["contact"], contact["fields"]["target_by"]) for contact in received] == [
            (str(target), target_by)
        ]

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"send_at": "2026-12-01T09:30:00"}, "send_at: expected a date and time with a time zone"),
            ({"overrides": {"target": []}}, "overrides: expected fields that no other parameter sets, got target"),
            ({"template_params": "{'a': 1}"}, "template_params: expected an object"),
            ({"target_by": ""}, "target_by: expected user_id"),
            ({"batch_size": 1001}, "batch_size: expected .* 1000"),
        ],
    )
    def test_a_wrong_parameter_is_refused_before_anything_is_sent(
        self, sandbox: SandboxClient, make_context: MakeContext, parameters: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            campaign(contacts=users(1), **parameters).execute(make_context())
        assert sandbox.received()["requests"] == []


class TestSendAt:
    """When the vendor sends: never at an hour outside of ``send_window``, nor in the past."""

    @pytest.mark.parametrize(
        ("now", "send_at"),
        [(OPEN, OPENS), (CLOSED, OPENS), (CLOSED, OPENS.isoformat()), (CLOSED, "2026-11-22T19:59:00+05:30")],
    )
    def test_a_time_in_the_window_is_sent_at_any_hour(
        self, sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace, now: datetime, send_at: Any
    ) -> None:
        clock.now = now
        receipt = campaign(contacts=users(1), send_window=WINDOW, send_at=send_at).execute(make_context())
        assert receipt["accepted"] == 1

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"send_at": CLOSED, "send_window": WINDOW}, "send_at: expected a time within send_window"),
            ({"send_at": "2026-11-22T20:00:00+05:30", "send_window": WINDOW}, "send_at: expected a time within"),
            ({"send_at": CLOSED, "send_window": {}}, "send_window: expected"),
            ({"send_at": OPEN - timedelta(seconds=1)}, "send_at: expected a time to come"),
            ({"send_at": OPEN - timedelta(days=1), "send_window": WINDOW}, "send_at: expected a time to come"),
        ],
    )
    def test_any_other_is_refused_before_anything_is_sent(
        self, sandbox: SandboxClient, make_context: MakeContext, clock: Any, parameters: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            campaign(contacts=users(1), **parameters).execute(make_context())
        assert sandbox.received()["requests"] == []


class TestContacts:
    def test_each_row_ends_once_and_says_why(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        rows = [{"user_id": "user-1"}, {"user_id": "user-1"}, {"user_id": ""}, {"user_id": 1.5}, {"user_id": 17}]
        context = make_context()
        receipt = campaign(contacts=rows).execute(context)
        assert ends(context["ti"].pushed["outcomes"]) == [
            ("user-1", "accepted", None),
            ("user-1", "duplicate", "the contacts have it more than once"),
            (None, "invalid", "user_id: expected text or a whole number, got nothing"),
            ("1.5", "invalid", "user_id: expected text or a whole number, got 1.5"),
            ("17", "accepted", None),
        ]
        assert (receipt["accepted"], receipt["requests"]) == (2, 1)
        assert contacted(sandbox, "xtremepush") == ["user-1", "17"]

    def test_a_bad_address_is_not_sent(self, make_context: MakeContext) -> None:
        context = make_context()
        campaign(contacts=[{"email": "jo@example.com"}, {"email": "nobody"}], target_by="email").execute(context)
        assert ends(context["ti"].pushed["outcomes"])[1] == (
            "nobody",
            "invalid",
            "email: expected an e-mail address, got nobody",
        )

    def test_a_refused_request_rejects_all_of_it_and_the_others_are_sent(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.fault("refuse", vendor="xtremepush")
        context = make_context()
        receipt = campaign(contacts=users(3), batch_size=2).execute(context)
        assert (receipt["rejected"], receipt["accepted"]) == (2, 1)
        first = context["ti"].pushed["outcomes"][0]
        assert (first["reason"], first["message"]) == (
            "the vendor refused the request",
            "Invalid parameters; Invalid parameters",
        )

    @pytest.mark.parametrize("always_200", [False, True])
    def test_a_campaign_that_is_not_live_rejects_everybody_and_fails_for_good(
        self, sandbox: SandboxClient, make_context: MakeContext, always_200: bool
    ) -> None:
        sandbox.control("xtremepush", always_200=always_200)
        with pytest.raises(AirflowFailException, match=r"xtremepush rejected all 2 contacts.*Campaign is not active"):
            campaign(contacts=users(2), campaign_id="draft-1").execute(make_context())
        assert contacted(sandbox, "xtremepush") == []

    def test_a_missing_column_ends_it_before_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "users.csv", users(1))
        with pytest.raises(InputError, match="a column 'external_id', got columns 'user_id', 'first_name'"):
            campaign(contacts=contacts, target_by="external_id").execute(make_context())
        assert sandbox.received()["requests"] == []


class TestFailures:
    @pytest.mark.parametrize("always_200", [False, True])
    def test_an_unknown_campaign_ends_it_with_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext, always_200: bool
    ) -> None:
        sandbox.control("xtremepush", always_200=always_200)
        context = make_context()
        with pytest.raises(CallRefusedError, match="Campaign not found"):
            campaign(contacts=users(4), batch_size=2, campaign_id="unknown-1").execute(context)
        assert calls(sandbox, "xtremepush") == ["execute"]
        assert context["ti"].pushed["receipt"]["unsent"] == 4

    @pytest.mark.parametrize("fault", ["drop", "cut", "500-after", "html"])
    def test_after_a_lost_reply_contacts_are_unknown_and_nobody_is_sent_to_twice(
        self, sandbox: SandboxClient, make_context: MakeContext, fault: str
    ) -> None:
        sandbox.fault(fault, vendor="xtremepush")
        state: dict[str, str] = {}
        for try_number in (1, 2):
            context = make_context(try_number, state=state)
            with pytest.raises(AirflowFailException, match="2 contacts may have been sent"):
                campaign(contacts=users(4), batch_size=2).execute(context)
            outcomes = context["ti"].pushed["outcomes"]
            assert [line["status"] for line in outcomes] == ["unknown"] * 2 + ["accepted"] * 2
        assert calls(sandbox, "xtremepush") == ["execute"] * 2

    def test_a_vendor_that_is_ill_is_left_alone_and_a_retry_sends_the_rest(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.fault("drop", vendor="xtremepush", times=2)
        state: dict[str, str] = {}
        context = make_context(state=state)
        with pytest.raises(VendorFailingError, match="2 requests in a row"):
            campaign(contacts=users(5), batch_size=1, max_concurrency=1).execute(context)
        first = context["ti"].pushed["receipt"]
        assert first["unknown"] == 2
        assert first["unsent"] >= 2, "one more request may have been in flight when the second went unanswered"
        again = make_context(2, state=state)
        with pytest.raises(AirflowFailException, match="2 contacts may have been sent"):
            campaign(contacts=users(5), batch_size=1, max_concurrency=1).execute(again)
        assert again["ti"].pushed["receipt"]["accepted"] == 3
        assert contacted(sandbox, "xtremepush") == [user["user_id"] for user in users(5)]

    def test_a_cleared_task_returns_its_receipt_or_sends_again_as_the_author_decides(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: dict[str, str] = {}
        receipt = campaign(contacts=users(2)).execute(make_context(state=state))
        assert campaign(contacts=users(2)).execute(make_context(2, 1, state=state)) == receipt
        assert len(contacted(sandbox, "xtremepush")) == 2
        campaign(contacts=users(2), on_cleared="resend").execute(make_context(3, 2, state=state))
        assert len(contacted(sandbox, "xtremepush")) == 4

    def test_a_cleared_task_without_its_record_sends_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        with pytest.raises(AirflowFailException, match="on_cleared='resend'"):
            campaign(contacts=users(2)).execute(make_context(2, 1))
        assert sandbox.received()["requests"] == []


class TestAsTask:
    def test_a_preview_shows_the_request_masked_and_sends_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
    ) -> None:
        contacts = [{"email": "jo@example.com", "first_name": "Zoë"}]
        receipt = campaign(contacts=contacts, target_by="email", preview=True).execute(make_context())
        assert (receipt["unsent"], receipt["requests"]) == (1, 0)
        assert sandbox.received()["requests"] == []
        logged = logs()
        assert "POST /api/external/execute/campaign" in logged
        assert '"first_name": "Zoë"' in logged
        for secret in ("jo@example.com", xtremepush.APP_TOKEN):
            assert secret not in logged

    def test_its_fields_are_templates_and_contacts_are_shown_as_a_count(self) -> None:
        operator = campaign(
            campaign_id="{{ campaign }}",
            target_by="{{ kind }}",
            template_params={"external_message_id": "{{ run }}"},
            send_at="{{ when }}",
            overrides={"payload_add": [{"key": "run", "value": "{{ run }}"}]},
            contacts=[{"user_id": "{{ user }}"}, {"user_id": "user-2"}],
            xtremepush_conn_id="xtremepush_{{ country }}",
        )
        context = {
            "campaign": "7345",
            "kind": "user_id",
            "run": "r-1",
            "when": "2026-12-01 09:30:00+00:00",
            "user": "user-1",
            "country": "ie",
        }
        operator.render_template_fields(cast("Context", context))
        assert (operator.campaign_id, operator.target_by) == ("7345", "user_id")
        assert operator.template_params == {"external_message_id": "r-1"}
        assert operator.send_at == "2026-12-01 09:30:00+00:00"
        assert operator.overrides == {"payload_add": [{"key": "run", "value": "r-1"}]}
        assert operator.contacts == [{"user_id": "user-1"}, {"user_id": "user-2"}]
        assert str(operator.contacts) == "2 contacts"
        assert operator.hook.conn_id == "xtremepush_ie"

    def test_it_can_be_mapped(self) -> None:
        with DAG("campaigns", schedule=None):
            mapped = ExecuteXtremepushCampaignOperator.partial(
                task_id="send", campaign_id=CAMPAIGN, outcomes_path="/tmp/outcomes"
            ).expand(contacts=["shard-1.csv", "shard-2.csv"])
        assert mapped.operator_class is ExecuteXtremepushCampaignOperator
