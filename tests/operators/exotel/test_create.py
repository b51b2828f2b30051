"""Exotel operators: campaigns created once, whatever crashes; listed, updated, exported."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSensorTimeout, TaskDeferred

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.operators import once
from airflow_provider_campaigns.operators.exotel import (
    CreateExotelCampaignOperator,
    ExportExotelCallDetailsOperator,
    ListExotelCampaignsOperator,
    UpdateExotelCampaignOperator,
)
from airflow_provider_campaigns.operators.exotel_create import described
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.base import CampaignFailed
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger
from tests.connections import calls, connect, contacted
from tests.triggering import event_of, rebuilt

MakeContext = Callable[..., dict[str, Any]]
State = dict[str, str]

NUMBERS = ["+447700900100", "+447700900101"]
BUSY, FAILING = "+447700900991", "+447700900993"
FLOW = "http://my.exotel.com/sandbox1/exoml/start_voice/4"
TIMEOUT = 3.0


@pytest.fixture(autouse=True)
def change_connection(sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A connection to the sandbox; call it to change fields and extras."""

    def change(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        extras = {"timeout": TIMEOUT, "retry_limit": 0, **(extra or {})}
        connect(monkeypatch, sandbox, "exotel", extra=extras, **fields)

    change()
    return change


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the look-ups waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(once, "sleep", waited.append)
    return waited


def create(**options: Any) -> CreateExotelCampaignOperator:
    given = {"numbers": NUMBERS, "name": "Spring", "caller_id": "02025550100", "url": FLOW, "retries": 1}
    given |= options
    return CreateExotelCampaignOperator(task_id="call", **given)


def posts(sandbox: SandboxClient) -> int:
    return calls(sandbox, "exotel").count("create_campaign")


def campaigns(sandbox: SandboxClient) -> list[dict[str, Any]]:
    found = ListExotelCampaignsOperator(task_id="list").execute({})
    assert isinstance(found, list)
    return found


class TestCreate:
    def test_it_returns_the_campaign_with_a_count_for_its_numbers(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        campaign = create().execute(context)
        assert (campaign["status"], campaign["from"], campaign["caller_id"]) == ("Created", 2, "02025550100")
        assert context["ti"].pushed == {"campaign_id": campaign["id"]}
        assert campaign["uri"].endswith(campaign["id"])
        assert not any(number in json.dumps(campaign) for number in NUMBERS)
        assert contacted(sandbox, "exotel") == NUMBERS

    def test_its_name_stands_for_the_task_instance(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        names = [
            create().execute(make_context(**ti))["name"] for ti in ({}, {"map_index": 3}, {"run_id": "another"}, {})
        ]
        assert len(set(names)) == 3
        assert names[0] == names[3] != names[1]
        assert all(name.startswith("Spring ") and len(name) == len("Spring ") + 8 for name in names)

    def test_outside_of_a_task_no_two_are_the_same(self, sandbox: SandboxClient) -> None:
        assert len({create().execute({})["name"] for _ in range(2)}) == 2

    def test_everything_given_is_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        retries = {"number_of_retries": 2, "interval_mins": 5, "mechanism": "Exponential", "on_status": ["busy"]}
        hooks = {f"{name}_callback": "https://example.com/told" for name in ("status", "call_status", "call_schedule")}
        campaign = create(
            call_retries=retries,
            send_at=datetime.fromisoformat("2099-03-01T09:00:00+05:30"),
            end_at="2099-03-01T18:00:00+05:30",
            call_duplicate_numbers=True,
            throttle="30",
            custom_field={"offer": "tea"},
            overrides={"campaign_type": "static"},
            **hooks,
        ).execute(make_context())
        assert campaign["retries"] == retries
        assert campaign["schedule"] == {"send_at": "2099-03-01T09:00:00+05:30", "end_at": "2099-03-01T18:00:00+05:30"}
        assert (campaign["throttle"], campaign["mode"], campaign["campaign_type"]) == (30, "custom", "static")
        assert campaign["call_duplicate_numbers"] is True
        assert json.loads(campaign["custom_field"]) == {"offer": "tea"}
        assert {name: campaign[name] for name in hooks} == hooks

    def test_a_text_in_place_of_a_call_flow(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        campaign = create(url=None, read_via_text="Your parcel is here.").execute(make_context())
        assert campaign["read_via_text"] == "Your parcel is here."

    def test_lists(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        hook = create().hook
        (contact,) = hook.run(hook.dialect.create_contacts([{"number": NUMBERS[0]}]))
        members = hook.run(hook.dialect.create_list("Customers"))
        hook.run(hook.dialect.add_contacts_to_list(members, [contact]))
        campaign = create(numbers=None, lists=json.dumps([members])).execute(make_context())
        assert campaign["lists"] == [members]
        assert "from" not in campaign

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("contacts.csv", "Name,number\n" + "".join(f'"Doe, José",{number}\n' for number in NUMBERS)),
            ("contacts.jsonl", "".join(json.dumps({"number": number}) + "\n" for number in NUMBERS)),
        ],
    )
    def test_contacts_from_a_file(
        self, name: str, text: str, tmp_path: Path, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        (tmp_path / name).write_text(text)
        campaign = create(numbers=None, contacts=str(tmp_path / name)).execute(make_context())
        assert campaign["from"] == 2
        assert [contact["fields"] for contact in sandbox.received("exotel")["contacts"]] == [
            {"number": number} for number in NUMBERS
        ]

    @pytest.mark.parametrize("numbers", [json.dumps(NUMBERS), tuple(NUMBERS), iter(NUMBERS)])
    def test_numbers_in_other_forms(self, numbers: Any, sandbox: SandboxClient, make_context: MakeContext) -> None:
        assert create(numbers=numbers).execute(make_context())["from"] == 2

    def test_numbers_in_the_connections_country(
        self, change_connection: Callable[..., None], sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        change_connection({"region": "us"})
        assert create(numbers=["2025550100"]).execute(make_context())["from"] == 1
        with pytest.raises(InputError, match=r"numbers, row 1: expected a phone number.*, got 202\*\*\*00"):
            create(numbers=["20255501000000"]).execute(make_context(run_id="another"))


class TestBadInput:
    """Nothing is sent, and no intent is left behind that would stop the next try."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"name": "abc"}, "name: expected more than 3 characters"),
            ({"numbers": None}, "numbers, lists, contacts: expected exactly one of them, got none"),
            ({"lists": ["list"]}, "exactly one of them, got numbers and lists"),
            ({"numbers": "+447700900100"}, "numbers: expected a list, .* got str"),
            ({"numbers": "all of them"}, "numbers: expected a list, .* got str"),
            ({"numbers": [*NUMBERS, "12"]}, "numbers, row 3: expected a phone number"),
            ({"numbers": [None]}, "numbers, row 1: expected a phone number"),
            ({"numbers": ["+447700900100"] * 5001}, "at most 5,000 numbers; .* give lists, got 5,001"),
            ({"numbers": None, "contacts": [{"phone": NUMBERS[0]}]}, "contacts: expected a column 'number', got"),
            ({"numbers": None, "contacts": [{"number": NUMBERS[0]}, "junk"]}, "contacts, row 2: expected a row"),
            ({"numbers": None, "contacts": "nobody.csv"}, r"contacts \(nobody.csv\): expected a file that can be read"),
            ({"url": None}, "url, read_via_text: expected exactly one"),
            ({"read_via_text": "Hello there"}, "url, read_via_text: expected exactly one"),
            ({"send_at": "2099-03-01T09:00:00"}, "send_at: expected a date and time with a time zone"),
            ({"end_at": datetime(2099, 3, 1)}, "end_at: expected a date and time with a time zone"),  # noqa: DTZ001
            ({"throttle": "fast"}, "throttle: expected a whole number from 1"),
            ({"call_retries": {"number_of_retries": 9}}, "number_of_retries: expected 0 to 3"),
            ({"overrides": {"from": NUMBERS}}, "overrides: expected fields that have no parameter .* got from"),
        ],
    )
    def test_it_is_refused_before_the_first_request(
        self, options: dict[str, Any], message: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        with pytest.raises(InputError, match=message) as caught:
            create(**options).execute(make_context(state=state))
        assert not any(number in str(caught.value) for number in NUMBERS)
        assert sandbox.received()["requests"] == []
        assert create().execute(make_context(2, 1, state=state))["from"] == 2

    def test_only_recipients_of_the_connection(
        self, change_connection: Callable[..., None], sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        change_connection({"only_recipients": "+4477009001*"})
        assert create().execute(make_context())["from"] == 2
        with pytest.raises(InputError, match=r"numbers, row 3: expected a number that only_recipients .* allows"):
            create(numbers=[*NUMBERS, "+447700900200"]).execute(make_context(run_id="another"))
        with pytest.raises(InputError, match="cannot be checked against lists"):
            create(numbers=None, lists=["list"]).execute(make_context(run_id="a third"))
        assert posts(sandbox) == 1

    def test_a_country_that_is_none(self, change_connection: Callable[..., None], make_context: MakeContext) -> None:
        change_connection({"region": "India"})
        with pytest.raises(InputError, match="region of connection 'exotel_default': expected a country of two"):
            create().execute(make_context())


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
        with pytest.raises(AirflowFailException, match="the record of its earlier tries is gone"):
            create().execute(make_context(2, max_tries=2))
        assert posts(sandbox) == 0

    def test_killed_between_intent_and_request(
        self, sandbox: SandboxClient, make_context: MakeContext, waits: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        monkeypatch.setattr(operator.hook, "run", _killed)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(make_context(state=state))
        with pytest.raises(AirflowFailException, match=r"Nobody knows whether the campaign 'Spring .{8}' was created"):
            create().execute(make_context(2, 1, state=state))
        assert waits == [0, pytest.approx(2 / 3 * TIMEOUT), pytest.approx(4 / 3 * TIMEOUT)]
        assert posts(sandbox) == 0

    def test_killed_between_request_and_id(
        self, sandbox: SandboxClient, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state: State = {}
        operator = create()
        run = operator.hook.run
        monkeypatch.setattr(operator.hook, "run", lambda conversation: _killed(run(conversation)))
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


def _killed(*_: object) -> Any:
    raise KeyboardInterrupt


class TestWaiting:
    @pytest.fixture(autouse=True)
    def fast(self, sandbox: SandboxClient) -> Iterator[None]:
        """A campaign starts after a minute, and rings 60 numbers a minute."""
        sandbox.clock(speed=2000)
        yield
        sandbox.clock(speed=1)

    def test_it_returns_the_campaign_at_its_end(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(numbers=[*NUMBERS, BUSY], wait_for_completion=True, poke_interval=0.01)
        campaign = operator.execute(make_context())
        assert (campaign["status"], campaign["from"]) == ("Completed", 3)
        assert (campaign["stats"]["completed"], campaign["stats"]["failed"]) == (2, 1)
        assert campaign["report_url"]

    def test_a_campaign_that_failed_is_not_created_again(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        for number in (1, 2):
            operator = create(numbers=[FAILING], wait_for_completion=True, poke_interval=0.01)
            with pytest.raises(CampaignFailed, match="ended as Failed"):
                operator.execute(make_context(number, 1, state=state))
        assert posts(sandbox) == 1

    def test_a_campaign_that_takes_too_long(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(
            send_at="2099-01-01T00:00:00+00:00", wait_for_completion=True, poke_interval=0.01, timeout=0.02
        )
        with pytest.raises(AirflowSensorTimeout):
            operator.execute(make_context())

    def test_killed_it_pauses_the_campaign(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        sandbox.clock(speed=1)
        assert [self._status_after_kill(make_context, pauses) for pauses in (True, False)] == ["Paused", "Created"]

    def _status_after_kill(self, make_context: MakeContext, pauses: bool) -> str:
        operator = create(wait_for_completion=True, pause_on_kill=pauses)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(operator, "poke", _killed)
            with pytest.raises(KeyboardInterrupt):
                operator.execute(make_context(run_id=f"pauses {pauses}"))
        operator.on_kill()
        return str(operator.hook.get_campaign(str(operator._campaign_id))["status"])

    def test_killed_before_there_is_a_campaign_it_does_nothing(self, sandbox: SandboxClient) -> None:
        create(wait_for_completion=True, pause_on_kill=True).on_kill()
        assert sandbox.received()["requests"] == []

    def test_a_pause_that_is_refused_does_not_hide_why_the_task_ended(
        self, sandbox: SandboxClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        operator = create(wait_for_completion=True, pause_on_kill=True)
        operator._campaign_id = "unknown"
        operator.on_kill()
        assert sandbox.received()["requests"][0]["status"] == 404


class TestDeferring:
    def test_it_defers_and_returns_the_campaign_at_its_end(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        operator = create(wait_for_completion=True, deferrable=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        trigger = deferred.value.trigger
        assert type(trigger) is CampaignStatusTrigger
        sandbox.clock(advance=3600)
        resumed = create(wait_for_completion=True, deferrable=True)
        campaign = resumed.execute_complete(make_context(), event_of(trigger))
        assert (campaign["status"], campaign["from"]) == ("Completed", 2)

    def test_a_campaign_that_failed_is_not_created_again(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        operator = create(numbers=[FAILING], wait_for_completion=True, deferrable=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context(state=state))
        sandbox.clock(advance=3600)
        with pytest.raises(CampaignFailed):
            operator.execute_complete(make_context(state=state), event_of(deferred.value.trigger))
        with pytest.raises(CampaignFailed):
            create(wait_for_completion=True, deferrable=True).execute(make_context(2, 1, state=state))
        assert posts(sandbox) == 1

    def test_one_that_is_over_at_the_first_look_is_not_deferred(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        create().execute(make_context(state=state))
        sandbox.clock(advance=3600)
        campaign = create(wait_for_completion=True, deferrable=True).execute(make_context(2, 1, state=state))
        assert campaign["status"] == "Completed"

    def test_killed_the_trigger_pauses_the_campaign(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(wait_for_completion=True, deferrable=True, pause_on_kill=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        trigger = rebuilt(deferred.value.trigger)
        assert isinstance(trigger, PausingCampaignTrigger)
        asyncio.run(trigger.on_kill())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Paused"]

    def test_a_pause_that_is_refused_ends_quietly(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator = create(wait_for_completion=True, deferrable=True, pause_on_kill=True)
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(make_context())
        sandbox.clock(advance=3600)
        asyncio.run(deferred.value.trigger.on_kill())
        assert [campaign["status"] for campaign in campaigns(sandbox)] == ["Completed"]


class TestInADag:
    def test_rendering(self, make_context: MakeContext) -> None:
        context = make_context() | {"numbers": NUMBERS, "when": "2099-01-01T00:00:00+00:00"}
        with DAG("campaigns", schedule=None):
            operator = create(
                name="Offers {{ when }}",
                numbers="{{ numbers | tojson }}",
                send_at="{{ when }}",
                throttle="{{ none or '' }}",
                call_retries={"number_of_retries": "{{ 1 + 1 }}"},
                exotel_conn_id="{{ 'exotel' }}_eu",
            )
        operator.render_template_fields(context)
        assert (operator.name, operator.exotel_conn_id) == ("Offers 2099-01-01T00:00:00+00:00", "exotel_eu")
        assert operator.call_retries == {"number_of_retries": "2"}
        assert str(operator.numbers) == "numbers"
        assert (operator.send_at, operator.throttle) == ("2099-01-01T00:00:00+00:00", "")

    def test_numbers_are_shown_as_a_count(self) -> None:
        assert str(create().numbers) == "2 numbers"
        assert str(create(numbers=None, contacts=[{"number": NUMBERS[0]}]).contacts) == "1 contacts"

    def test_mapping(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        with DAG("campaigns", schedule=None):
            mapped = CreateExotelCampaignOperator.partial(
                task_id="call", name="Spring", caller_id="02025550100", url=FLOW
            ).expand(numbers=[[number] for number in NUMBERS])
        for index, number in enumerate(NUMBERS):
            operator = mapped.unmap({"numbers": [number]})
            operator.execute(make_context(map_index=index))
        assert contacted(sandbox, "exotel") == NUMBERS
        assert len({contact["campaign"] for contact in sandbox.received("exotel")["contacts"]}) == 2

    @pytest.mark.parametrize(
        ("operator", "others"),
        [
            (CreateExotelCampaignOperator, {"call_duplicate_numbers", "wait_for_completion", "pause_on_kill"}),
            (ListExotelCampaignsOperator, set()),
            (UpdateExotelCampaignOperator, set()),
            (ExportExotelCallDetailsOperator, set()),
        ],
    )
    def test_every_parameter_is_templated(self, operator: Any, others: set[str]) -> None:
        parameters = inspect.signature(inspect.unwrap(operator.__init__)).parameters
        own = {name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY} | {"exotel_conn_id"}
        assert own - set(operator.template_fields) == others


class TestList:
    @staticmethod
    def fill(count: int) -> None:
        """Create campaigns in one request: the limit is 30 a minute."""
        create().hook.call(
            "POST",
            "/v2/accounts/sandbox1/campaigns",
            json={
                "campaigns": [
                    {"from": NUMBERS, "caller_id": "02025550100", "url": FLOW, "name": f"Campaign {number:04}"}
                    for number in range(count)
                ]
            },
        )

    def test_all_pages(self, sandbox: SandboxClient) -> None:
        self.fill(1001)
        found = ListExotelCampaignsOperator(task_id="list", sort_by="name:desc").execute({})
        assert [one["name"] for one in found] == [f"Campaign {number:04}" for number in reversed(range(1001))]
        assert {one["from"] for one in found} == {2}
        requests = [one for one in sandbox.received("exotel")["requests"] if one["call"] == "list_campaigns"]
        assert [one["query"] for one in requests] == [
            f"offset={offset}&limit=500&sort_by=name%3Adesc" for offset in (0, 500, 1000)
        ]

    @pytest.mark.parametrize("limit", [3, "3"])
    def test_limit(self, limit: Any, sandbox: SandboxClient) -> None:
        self.fill(5)
        assert len(ListExotelCampaignsOperator(task_id="list", limit=limit).execute({})) == 3

    def test_a_limit_that_is_no_number(self, sandbox: SandboxClient) -> None:
        with pytest.raises(InputError, match="limit: expected a whole number from 1, got 'all'"):
            ListExotelCampaignsOperator(task_id="list", limit="all").execute({})

    @pytest.mark.parametrize("status", ["Paused,Completed", ["Paused", "Completed"]])
    def test_statuses(self, status: Any, sandbox: SandboxClient) -> None:
        self.fill(3)
        paused = campaigns(sandbox)[1]["id"]
        UpdateExotelCampaignOperator(task_id="pause", campaign_id=paused, action="pause").execute({})
        found = ListExotelCampaignsOperator(task_id="list", status=status).execute({})
        assert [one["id"] for one in found] == [paused]

    def test_name(self, sandbox: SandboxClient) -> None:
        self.fill(3)
        found = ListExotelCampaignsOperator(task_id="list", name="Campaign 0002").execute({})
        assert [one["name"] for one in found] == ["Campaign 0002"]

    def test_to_a_file(self, sandbox: SandboxClient, tmp_path: Path) -> None:
        self.fill(2)
        path = tmp_path / "new" / "campaigns.jsonl"
        result = ListExotelCampaignsOperator(task_id="list", output_path=str(path)).execute({})
        assert result == {"path": str(path), "count": 2}
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [(line["name"], line["from"]) for line in lines] == [(f"Campaign 000{n}", NUMBERS) for n in range(2)]

    def test_numbers_in_one_text_are_counted_too(self) -> None:
        assert described({"from": ",".join(NUMBERS)}) == {"from": 2}
        assert described({"lists": ["a"]}) == {"lists": ["a"]}


class TestUpdate:
    @pytest.fixture
    def campaign_id(self, sandbox: SandboxClient, make_context: MakeContext) -> str:
        return str(create().execute(make_context())["id"])

    @staticmethod
    def update(campaign_id: str, action: Any) -> dict[str, Any]:
        return UpdateExotelCampaignOperator(task_id="update", campaign_id=campaign_id, action=action).execute({})

    def test_actions(self, campaign_id: str) -> None:
        told = [self.update(campaign_id, action) for action in ("pause", "resume", "pause", "complete", "archive")]
        assert [one["status"] for one in told] == ["Paused", "Created", "Paused", "Completed", "Archived"]
        assert {one["from"] for one in told} == {2}

    @pytest.mark.parametrize(
        ("actions", "status"),
        [(["resume"], "Created"), (["pause"] * 2, "Paused"), (["pause", "complete", "complete"], "Completed")],
    )
    def test_an_action_that_is_done_already(self, actions: list[str], status: str, campaign_id: str) -> None:
        assert [self.update(campaign_id, action) for action in actions][-1]["status"] == status

    def test_an_action_that_is_not_possible(self, campaign_id: str) -> None:
        with pytest.raises(RequestRejectedError, match="Campaign is Created, archive is not possible"):
            self.update(campaign_id, "archive")

    def test_another_action(self, campaign_id: str) -> None:
        with pytest.raises(InputError, match="action: expected pause, resume, complete, archive, got stop"):
            self.update(campaign_id, "stop")

    @pytest.mark.parametrize(("fault", "done"), [("drop", True), ("reset", False)])
    def test_a_resume_whose_reply_is_lost(
        self, fault: str, done: bool, campaign_id: str, sandbox: SandboxClient
    ) -> None:
        self.update(campaign_id, "pause")
        sandbox.fault(fault, vendor="exotel", method="PUT")
        if done:
            assert self.update(campaign_id, "resume")["status"] == "Created"
        else:
            with pytest.raises(OutcomeUnknownError):
                self.update(campaign_id, "resume")

    def test_an_unknown_campaign(self, sandbox: SandboxClient) -> None:
        with pytest.raises(CallRefusedError, match="HTTP 404"):
            self.update("unknown", "pause")


class TestExport:
    def test_the_calls_of_a_campaign(self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path) -> None:
        numbers = [*(f"+4477009001{n:02}" for n in range(40)), BUSY]
        campaign = create(numbers=numbers).execute(make_context())
        sandbox.clock(advance=3600)
        path = tmp_path / "calls.jsonl"
        path.write_text("from an earlier try\n")
        result = ExportExotelCallDetailsOperator(
            task_id="export", campaign_id=campaign["id"], output_path=str(path)
        ).execute({})
        assert result == {"path": str(path), "count": 41}
        calls = [json.loads(line) for line in path.read_text().splitlines()]
        assert [call["number"] for call in calls] == numbers
        assert calls[-1]["status"] == "busy"

    def test_pages_that_break_off_leave_the_earlier_file(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        campaign = create(numbers=[f"+4477009001{n:02}" for n in range(30)]).execute(make_context())
        sandbox.clock(advance=3600)
        sandbox.fault("500", vendor="exotel", path="call-details", skip=1)
        path = tmp_path / "calls.jsonl"
        path.write_text("from an earlier try\n")
        with pytest.raises(VendorUnavailableError):
            ExportExotelCallDetailsOperator(
                task_id="export", campaign_id=campaign["id"], output_path=str(path)
            ).execute({})
        assert path.read_text() == "from an earlier try\n"
        assert list(tmp_path.iterdir()) == [path]
