"""SendCollectRequestOperator against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator
from airflow_provider_campaigns.sandbox import collect
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends, outcomes_of, write_csv

CAMPAIGN = "xvr69EYLKXvTkfYuk"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "collect")


def requests(**changes: Any) -> SendCollectRequestOperator:
    parameters = {"task_id": "send", "campaign_id": CAMPAIGN, **changes}
    return SendCollectRequestOperator(**parameters)


def people(number: int) -> list[dict[str, str]]:
    return [{"email": f"jo{index}@example.com", "firstName": "Zoë", "brand": "Acme"} for index in range(number)]


class TestSend:
    def test_a_thousand_contacts_are_twenty_requests_and_a_thousand_portals(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "people.csv", people(1000))
        receipt = requests(contacts=contacts, outcomes_path=str(tmp_path)).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 20)
        assert calls(sandbox, "collect") == ["bulk"] * 20
        assert sorted(contacted(sandbox, "collect")) == sorted(f"jo{index}@example.com" for index in range(1000))
        outcomes = outcomes_of(receipt)
        assert len({line["vendor_id"] for line in outcomes}) == 1000
        assert all((line["url"] or "").endswith(f"/{line['vendor_id']}") for line in outcomes)

    def test_one_contact_takes_the_call_for_one(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        receipt = requests(contacts=people(1)).execute(make_context())
        assert receipt["accepted"] == 1
        assert calls(sandbox, "collect") == ["request"]

    @pytest.mark.parametrize("to_a_folder", [True, False])
    def test_a_request_to_one_contact_is_linked(
        self, to_a_folder: bool, make_context: MakeContext, tmp_path: Path
    ) -> None:
        context = make_context()
        receipt = requests(contacts=people(1), outcomes_path=str(tmp_path) if to_a_folder else None).execute(context)
        (outcome,) = outcomes_of(receipt) if to_a_folder else context["ti"].pushed["outcomes"]
        assert outcome["url"]
        assert context["ti"].pushed["_link_CollectPortalLink"] == outcome["url"]

    def test_of_several_requests_none_is_linked(self, make_context: MakeContext) -> None:
        context = make_context()
        requests(contacts=people(2)).execute(context)
        assert "_link_CollectPortalLink" not in context["ti"].pushed

    @pytest.mark.parametrize("parameters", [{"data": {"year": 2026}}, {"created_by": "sandboxUser000001"}])
    def test_custom_data_and_a_sender_are_sent_contact_by_contact(
        self, sandbox: SandboxClient, make_context: MakeContext, parameters: dict[str, Any]
    ) -> None:
        receipt = requests(contacts=people(3), **parameters).execute(make_context())
        assert (receipt["accepted"], receipt["requests"]) == (3, 3)
        assert calls(sandbox, "collect") == ["request"] * 3

    def test_every_option_reaches_the_vendor(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        sample = {"itemId": "doc-1", "url": "https://example.com/sample.pdf"}
        requests(
            contacts=people(2),
            items='["doc-1", "doc-2"]',
            samples=[sample],
            due_date=datetime(2026, 12, 31, 18, tzinfo=UTC),
            assigned_to="sam@example.com",
            send_message=False,
        ).execute(make_context())
        assert sandbox.received("collect")["contacts"][0]["fields"] == {
            "email": "jo0@example.com",
            "firstName": "Zoë",
            "data": {"brand": "Acme"},
            "items": ["doc-1", "doc-2"],
            "samples": [sample],
            "dueDate": "2026-12-31T18:00:00+00:00",
            "assignedTo": "sam@example.com",
            "sendMessage": False,
        }

    def test_the_newest_pages_options_reach_the_vendor(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        operator: Any = requests(
            contacts=people(1),
            esign_docs=["{{ doc }}"],
            esign_triggers={"when": "{{ event }}"},
            send_completion_message="false",
            send_rejection_message=True,
            send_reopen_message=False,
            overrides={"{{ field }}": "{{ event }}"},
        )
        operator.render_template_fields({"doc": "doc-1", "event": "completed", "field": "reminders"})
        operator.execute(make_context())
        fields = sandbox.received("collect")["contacts"][0]["fields"]
        assert {name: fields[name] for name in fields if name not in people(1)[0] and name != "data"} == {
            "esignDocs": ["doc-1"],
            "esignTriggers": {"when": "completed"},
            "sendCompletionMessage": False,
            "sendRejectionMessage": True,
            "sendReopenMessage": False,
            "{{ field }}": "completed",
        }

    @pytest.mark.parametrize("batch_size", [1, 2, 50])
    def test_an_unknown_contact_id_is_rejected_and_those_behind_it_are_sent(
        self, batch_size: int, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        ids = [{"contact": name} for name in ("C1", "unknown-2", "C3", "unknown-4")]
        context = make_context()
        receipt = requests(contacts=[*ids, *people(2)], batch_size=batch_size).execute(context)
        assert (receipt["accepted"], receipt["rejected"], receipt["unknown"]) == (4, 2, 0)
        statuses = [line["status"] for line in context["ti"].pushed["outcomes"]]
        assert statuses == ["accepted", "rejected", "accepted", "rejected", "accepted", "accepted"]
        assert sorted(contacted(sandbox, "collect")) == sorted(
            ["c1@example.com", "c3@example.com", "jo0@example.com", "jo1@example.com"]
        )

    def test_errors_that_name_one_contact_do_not_reject_the_other(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        errors = {"requests": [], "errors": [{"contact": "jo1@example.com"}]}
        sandbox.fault("reply", vendor="collect", method="POST", body=errors)
        context = make_context()
        with pytest.raises(AirflowFailException, match="1 contacts may have been sent"):
            requests(contacts=people(2)).execute(context)
        assert [line["status"] for line in context["ti"].pushed["outcomes"]] == ["unknown", "rejected"]

    def test_contacts_of_the_vendor_are_named_by_their_id(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        requests(contacts=[{"contactId": "WmTjsFknzHdmfs3Ra"}, {"email": "jo@example.com"}]).execute(make_context())
        assert contacted(sandbox, "collect") == ["wmtjsfknzhdmfs3ra@example.com", "jo@example.com"]

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"due_date": "2026-12-31T18:00:00"}, "due_date: expected a date and time with a time zone"),
            ({"items": "doc-1"}, "items: expected a list"),
            ({"data": "{'year': 2026}"}, "data: expected an object"),
            ({"samples": [{"itemId": "1"}, {"itemId": "2"}], "data": {"year": 2026}}, "samples: expected one sample"),
        ],
    )
    def test_a_wrong_option_is_refused_before_anything_is_sent(
        self, sandbox: SandboxClient, make_context: MakeContext, parameters: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InputError, match=message):
            requests(contacts=people(1), **parameters).execute(make_context())
        assert sandbox.received()["requests"] == []


class TestContacts:
    def test_each_row_ends_once_and_says_why(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        rows = [
            {"email": "jo@example.com"},
            {"email": "Jo@Example.com", "firstName": "Jo"},
            {"email": "nobody"},
            {"firstName": "Zoë"},
            {"contactId": "WmTjsFknzHdmfs3Ra", "firstName": "Zoë"},
            {"email": "rejected@example.com"},
        ]
        context = make_context()
        receipt = requests(contacts=rows).execute(context)
        outcomes = context["ti"].pushed["outcomes"]
        assert ends(outcomes) == [
            ("jo@example.com", "accepted", None),
            ("Jo@Example.com", "duplicate", "the contacts have it more than once"),
            ("nobody", "invalid", "email: expected an e-mail address, got nobody"),
            ("Zoë", "invalid", "email: expected an e-mail address, got nothing"),
            (
                "WmTjsFknzHdmfs3Ra",
                "invalid",
                "contactId: expected an id alone in its row, or a contact's fields without an id, got both",
            ),
            ("rejected@example.com", "rejected", "refused by the vendor"),
        ]
        assert outcomes[5]["message"] == "The contact could not be added."
        assert (receipt["accepted"], receipt["requests"]) == (1, 1)
        assert contacted(sandbox, "collect") == ["jo@example.com", "rejected@example.com"]

    def test_all_rejected_fails_for_good(self, make_context: MakeContext) -> None:
        with pytest.raises(AirflowFailException, match=r"collect rejected all 1 contacts.*could not be added"):
            requests(contacts=[{"email": "rejected@example.com"}]).execute(make_context())

    def test_who_is_excluded_is_not_sent_to(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        opted_out = write_csv(tmp_path / "opted-out.csv", [{"email": "JO1@example.com"}])
        context = make_context()
        requests(contacts=people(3), exclude=opted_out).execute(context)
        assert contacted(sandbox, "collect") == ["jo0@example.com", "jo2@example.com"]
        assert ends(context["ti"].pushed["outcomes"])[1] == ("jo1@example.com", "invalid", "in exclude")

    def test_a_connection_for_development_reaches_only_whom_it_may(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        connect(monkeypatch, sandbox, "collect", extra={"only_recipients": "*@example.org"})
        rows = [{"email": "jo@example.com"}, {"email": "jo@example.org"}]
        receipt = requests(contacts=rows).execute(make_context())
        assert (receipt["accepted"], receipt["invalid"]) == (1, 1)
        assert contacted(sandbox, "collect") == ["jo@example.org"]

    def test_a_missing_column_ends_it_before_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "people.csv", [{"firstName": "Zoë"}])
        with pytest.raises(InputError, match="a column 'email' or 'contact' or 'contactId' or '_id'"):
            requests(contacts=contacts).execute(make_context())
        assert sandbox.received()["requests"] == []


class TestFailures:
    def test_an_unknown_campaign_ends_it_with_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        with pytest.raises(CallRefusedError, match="could not be found"):
            requests(contacts=people(4), batch_size=2, campaign_id="unknown-campaign").execute(context)
        assert calls(sandbox, "collect") == ["bulk"]
        assert context["ti"].pushed["receipt"]["unsent"] == 4

    def test_a_lost_reply_leaves_contacts_unknown_and_nobody_is_sent_to_twice(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        sandbox.fault("drop", vendor="collect")
        state: dict[str, str] = {}
        for try_number in (1, 2):
            context = make_context(try_number, 1, state=state)
            operator: Any = requests(contacts=people(4), batch_size=2, outcomes_path=str(tmp_path), retries=1)
            with pytest.raises(AirflowFailException, match="2 contacts may have been sent"):
                operator.execute(context)
            outcomes = outcomes_of(context["ti"].pushed["receipt"])
            assert [line["status"] for line in outcomes] == ["unknown"] * 2 + ["accepted"] * 2
        assert contacted(sandbox, "collect") == [person["email"] for person in people(4)]

    def test_maintenance_is_waited_for_as_the_vendor_documents_it(
        self, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        sandbox.fault("503", vendor="collect", times=2)
        receipt = requests(contacts=people(2)).execute(make_context())
        assert (receipt["accepted"], receipt["requests"]) == (2, 1)
        assert contacted(sandbox, "collect") == ["jo0@example.com", "jo1@example.com"]

    def test_a_retry_sends_what_the_first_try_left(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        state: dict[str, str] = {}
        sandbox.fault("unauthorized", vendor="collect", skip=1)
        with pytest.raises(CallRefusedError):
            requests(contacts=people(4), batch_size=2).execute(make_context(state=state))
        receipt = requests(contacts=people(4), batch_size=2).execute(make_context(2, state=state))
        assert (receipt["accepted"], receipt["unsent"]) == (4, 0)
        assert contacted(sandbox, "collect") == [person["email"] for person in people(4)]


class TestAsTask:
    def test_a_preview_shows_the_request_masked_and_sends_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
    ) -> None:
        receipt = requests(contacts=people(2), assigned_to="sam@example.com", preview=True).execute(make_context())
        assert (receipt["unsent"], receipt["requests"]) == (2, 0)
        assert sandbox.received()["requests"] == []
        logged = logs()
        assert "POST /v1/requests" in logged
        assert '"brand": "Acme"' in logged
        for secret in ("jo0@example.com", "jo1@example.com", "sam@example.com", collect.API_KEY):
            assert secret not in logged

    def test_its_fields_are_templates_and_addresses_are_not_shown(self) -> None:
        operator: Any = requests(
            campaign_id="{{ campaign }}",
            items=["{{ item }}"],
            data={"year": "{{ year }}"},
            samples=[{"itemId": "{{ item }}", "url": "https://example.com/sample.pdf"}],
            due_date="{{ due }}",
            created_by="{{ user }}",
            assigned_to="{{ member }}",
            contacts="{{ folder }}/people.csv",
            collect_conn_id="collect_{{ country }}",
        )
        operator.render_template_fields(
            {
                "campaign": CAMPAIGN,
                "item": "doc-1",
                "year": "2026",
                "due": "2026-12-31",
                "user": "u-1",
                "member": "sam@example.com",
                "folder": "data",
                "country": "fr",
            }
        )
        send = operator.template_fields
        assert {"campaign_id", "items", "data", "samples", "due_date", "created_by", "assigned_to"} <= set(send)
        assert operator.campaign_id == CAMPAIGN
        assert operator.items == ["doc-1"]
        assert operator.data == {"year": "2026"}
        assert operator.samples[0]["itemId"] == "doc-1"
        assert operator.due_date == "2026-12-31"
        assert operator.created_by == "u-1"
        assert operator.assigned_to == "sam@example.com"
        assert str(operator.assigned_to) == "s***@example.com"
        assert str(operator.contacts) == "data/people.csv"
        assert operator.hook.conn_id == "collect_fr"

    @pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
    def test_it_can_be_mapped(self) -> None:
        with DAG("campaigns", schedule=None):
            mapped = SendCollectRequestOperator.partial(task_id="send", outcomes_path="/tmp/outcomes").expand_kwargs(
                [{"campaign_id": CAMPAIGN, "contacts": people(1)}, {"campaign_id": "another", "contacts": people(2)}]
            )
        assert mapped.operator_class is SendCollectRequestOperator
