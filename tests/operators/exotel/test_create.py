"""Creating Exotel campaigns: what is sent, and what is refused before anything is."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.exotel import (
    CreateExotelCampaignOperator,
    ExportExotelCallDetailsOperator,
    ListExotelCampaignsOperator,
    UpdateExotelCampaignOperator,
)
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import contacted
from tests.operators.contexts import MakeContext, State
from tests.operators.exotel.campaigns import FLOW, NUMBERS, create, posts

# How it waits; Airflow's sensors have no templates for it either.
WAIT = ("deferrable", "poke_interval", "timeout", "mode", "soft_fail", "max_poll_failures")


class TestCreate:
    def test_it_returns_the_campaign_with_a_count_for_its_numbers(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        campaign = create().execute(context)
        assert (campaign["status"], campaign["from"], campaign["caller_id"]) == ("Created", 2, "02025550100")
        assert context["ti"].pushed["campaign_id"] == campaign["id"]
        assert context["ti"].pushed["receipt"]["campaign_id"] == campaign["id"]
        assert campaign["uri"].endswith(campaign["id"])
        assert not any(number in json.dumps(campaign) for number in NUMBERS)
        assert contacted(sandbox, "exotel") == NUMBERS

    def test_its_name_stands_for_the_task_instance_and_its_recipients(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        names = [
            create().execute(make_context(**ti))["name"] for ti in ({}, {"map_index": 3}, {"run_id": "another"}, {})
        ]
        names.append(create(numbers=NUMBERS[:1]).execute(make_context())["name"])
        assert len(set(names)) == 4
        assert names[0] == names[3] not in names[1:3]
        assert all(name.startswith("Spring ") and len(name) == len("Spring ") + 8 for name in names)

    def test_outside_of_a_task_no_two_are_the_same(self, sandbox: SandboxClient) -> None:
        assert len({create().execute({})["name"] for _ in range(2)}) == 2

    def test_everything_given_is_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        retries = {"number_of_retries": 2, "interval_mins": 5, "mechanism": "Exponential", "on_status": ["busy"]}
        hooks = {f"{name}_callback": "https://example.com/call" for name in ("status", "call_status", "call_schedule")}
        campaign = create(
            call_retries=retries,
            send_at=pendulum.datetime(2099, 3, 1, 9, tz="Asia/Kolkata"),
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

    def test_numbers_in_a_country_of_their_own(
        self, change_connection: Callable[..., None], sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        change_connection({"region": "IN"})
        create(numbers=["07700900123"], region="gb").execute(make_context())
        assert contacted(sandbox, "exotel") == ["07700900123"]
        with pytest.raises(InputError, match="numbers, row 1: expected a phone number"):
            create(numbers=["07700900123"], region="US").execute(make_context(run_id="another"))


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
            ({"numbers": None, "contacts": [{"phone": NUMBERS[0]}]}, "contacts: expected a column 'number', got"),
            ({"numbers": None, "contacts": [{"number": NUMBERS[0]}, "junk"]}, "contacts, row 2: expected a row"),
            ({"numbers": None, "contacts": "nobody.csv"}, r"contacts \(nobody.csv\): expected a file that can be read"),
            ({"url": None}, "url, read_via_text: expected exactly one"),
            ({"read_via_text": "Hello there"}, "url, read_via_text: expected exactly one"),
            ({"send_at": "2099-03-01T09:00:00"}, "send_at: expected a date and time with a time zone"),
            ({"end_at": datetime(2099, 3, 1)}, "end_at: expected a date and time with a time zone"),  # noqa: DTZ001
            ({"end_at": pendulum.naive(2099, 3, 1)}, "end_at: expected a date and time with a time zone"),
            ({"region": "India"}, "region: expected a country of two letters"),
            ({"on_cleared": "again"}, "on_cleared: expected resume or resend, got 'again'"),
            ({"throttle": "fast"}, "throttle: expected a whole number from 1"),
            ({"call_retries": {"number_of_retries": 9}}, "number_of_retries: expected 0 to 3"),
            ({"overrides": {"from": NUMBERS}}, "overrides: expected fields that no other parameter sets, got from"),
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

    @pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
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
            (
                CreateExotelCampaignOperator,
                {"call_duplicate_numbers", "wait_for_completion", "pause_on_kill", "max_age", "max_outage", *WAIT},
            ),
            (ListExotelCampaignsOperator, set()),
            (UpdateExotelCampaignOperator, set()),
            (ExportExotelCallDetailsOperator, set()),
        ],
    )
    def test_every_parameter_is_templated(self, operator: Any, others: set[str]) -> None:
        parameters = inspect.signature(inspect.unwrap(operator.__init__)).parameters
        own = {name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY} | {"exotel_conn_id"}
        assert own - set(operator.template_fields) == others
