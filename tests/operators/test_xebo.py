"""TriggerSurveyOperator against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.sandbox import xebo
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import ends, outcomes_of, write_csv

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

COLLECTOR = "66c70e71f57bd9efe12d691d"
TOKEN = "J/d5730267"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xebo")


def survey(**changes: Any) -> TriggerSurveyOperator:
    parameters = {"task_id": "send", "collector_id": COLLECTOR, "collector_token": TOKEN, **changes}
    return TriggerSurveyOperator(**parameters)


def people(number: int) -> list[dict[str, str]]:
    return [
        {
            "extUniqueId": f"user-{index}",
            "email": f"jo{index}@example.com",
            "mobile": f"+447700900{index:03}",
            "city": "Málaga",
        }
        for index in range(number)
    ]


class TestLinks:
    def test_a_thousand_contacts_are_two_requests_and_a_thousand_links(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "people.csv", people(1000))
        context = make_context()
        receipt = survey(contacts=contacts, outcomes_path=str(tmp_path / "outcomes")).execute(context)
        assert receipt == {
            "vendor": "xebo",
            "campaign": COLLECTOR,
            "contacts": 1000,
            "accepted": 1000,
            "duplicate": 0,
            "rejected": 0,
            "invalid": 0,
            "capped": 0,
            "unsent": 0,
            "unknown": 0,
            "requests": 2,
            "normalised": 0,
            "outcomes_path": str(tmp_path / "outcomes" / "campaigns" / "manual__2026-03-01" / "send"),
        }
        assert calls(sandbox, "xebo") == ["links", "links"]
        assert contacted(sandbox, "xebo") == [f"user-{index}" for index in range(1000)]
        outcomes = outcomes_of(receipt)
        assert len({line["url"] for line in outcomes}) == 1000
        assert all(line["url"] and line["url"] in (line["message"] or "") for line in outcomes)
        assert context["ti"].pushed["receipt"] == receipt
        assert "outcomes" not in context["ti"].pushed

    def test_other_columns_go_along(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        survey(contacts=people(1)).execute(make_context())
        assert sandbox.received("xebo")["contacts"][0]["fields"] == people(1)[0]

    def test_columns_choose_what_is_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        survey(contacts=people(1), columns={"extUniqueId": "email", "town": "city"}).execute(make_context())
        sent = sandbox.received("xebo")["contacts"][0]["fields"]
        assert sent == {"extUniqueId": "jo0@example.com", "town": "Málaga"}

    def test_a_lost_reply_is_asked_for_again_as_links_contact_no_one(
        self, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        sandbox.fault("drop", vendor="xebo", path="external")
        receipt = survey(contacts=people(3)).execute(make_context())
        assert (receipt["accepted"], receipt["unknown"]) == (3, 0)
        assert calls(sandbox, "xebo") == ["links", "links"]


class TestSend:
    @pytest.mark.parametrize(("medium", "column"), [("sms", "mobile"), ("email", "email"), ("whatsapp", "mobile")])
    def test_a_thousand_contacts_are_two_requests_by_each_medium(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path, medium: Any, column: str
    ) -> None:
        rows = [{column: person[column]} for person in people(1000)]
        contacts = write_csv(tmp_path / "people.csv", rows)
        operator = survey(contacts=contacts, medium=medium, outcomes_path=str(tmp_path))
        receipt = operator.execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 2)
        assert calls(sandbox, "xebo") == ["send", "send"]
        assert contacted(sandbox, "xebo") == [row[column] for row in rows]
        assert {line["url"] for line in outcomes_of(receipt)} == {None}

    def test_another_medium_is_refused_before_anything_is_sent(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        with pytest.raises(InputError, match="medium: expected sms, email, whatsapp"):
            survey(contacts=people(1), medium="fax").execute(make_context())
        assert sandbox.received()["requests"] == []

    def test_after_a_lost_reply_contacts_are_unknown_and_nobody_is_sent_to_twice(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.fault("drop", vendor="xebo", path="campaigns")
        state: dict[str, str] = {}
        first = make_context(state=state)
        with pytest.raises(AirflowFailException, match="2 contacts may have been sent"):
            survey(contacts=people(4), medium="email", batch_size=2).execute(first)
        assert [line["status"] for line in first["ti"].pushed["outcomes"]] == ["unknown"] * 2 + ["accepted"] * 2
        again = make_context(2, state=state)
        with pytest.raises(AirflowFailException, match="2 contacts may have been sent"):
            survey(contacts=people(4), medium="email", batch_size=2).execute(again)
        assert contacted(sandbox, "xebo") == [f"user-{index}" for index in range(4)]
        assert again["ti"].pushed["receipt"] == first["ti"].pushed["receipt"]

    def test_unknown_contacts_are_left_or_sent_to_again_as_the_author_decides(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        sandbox.fault("drop", vendor="xebo", path="campaigns")
        state: dict[str, str] = {}
        receipt = survey(contacts=people(2), medium="email", on_unknown="skip").execute(make_context(state=state))
        assert receipt["unknown"] == 2
        operator = survey(contacts=people(2), medium="email", on_unknown="resend")
        receipt = operator.execute(make_context(2, state=state))
        assert (receipt["accepted"], receipt["unknown"]) == (2, 0)
        assert contacted(sandbox, "xebo") == ["user-0", "user-1"] * 2


class TestContacts:
    def test_each_row_ends_once_and_says_why(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        rows = [
            {"extUniqueId": "user-1", "email": "jo@example.com"},
            {"extUniqueId": "user-1", "email": "jo@example.com"},
            {"extUniqueId": "user-2", "email": "not an address"},
            {"email": " "},
            {"extUniqueId": "rejected-3"},
            "not an object",
        ]
        context = make_context()
        receipt = survey(contacts=rows).execute(context)
        assert ends(context["ti"].pushed["outcomes"]) == [
            ("user-1", "accepted", None),
            ("user-1", "duplicate", "the contacts have it more than once"),
            ("user-2", "invalid", "email: expected an e-mail address, got not an address"),
            (None, "invalid", "extUniqueId: expected extUniqueId or email or mobile, got none of them"),
            ("rejected-3", "rejected", "refused by the vendor"),
            (None, "invalid", "expected an object, got str"),
        ]
        assert context["ti"].pushed["outcomes"][4]["message"] == "The contact is not valid"
        assert (receipt["contacts"], receipt["requests"], receipt["outcomes_path"]) == (6, 1, None)
        assert contacted(sandbox, "xebo") == ["user-1", "rejected-3"]

    def test_all_rejected_fails_for_good(self, make_context: MakeContext) -> None:
        with pytest.raises(AirflowFailException, match=r"xebo rejected all 2 contacts.*The contact is not valid"):
            survey(contacts=[{"extUniqueId": "rejected-1"}, {"extUniqueId": "rejected-2"}]).execute(make_context())

    def test_a_missing_column_ends_it_before_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "people.csv", [{"email": "jo@example.com"}])
        with pytest.raises(InputError, match="a column 'mobile', got columns 'email'"):
            survey(contacts=contacts, medium="sms").execute(make_context())
        assert sandbox.received()["requests"] == []

    def test_an_unknown_collector_ends_it_with_the_first_request(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        with pytest.raises(CallRefusedError, match="Collector not found"):
            survey(contacts=people(4), batch_size=2, collector_id="unknown-collector").execute(context)
        assert calls(sandbox, "xebo") == ["links"]
        assert contacted(sandbox, "xebo") == []
        assert context["ti"].pushed["receipt"]["unsent"] == 4


class TestAsTask:
    def test_a_preview_shows_the_request_masked_and_sends_nothing(
        self, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
    ) -> None:
        receipt = survey(contacts=people(2), medium="email", preview=True).execute(make_context())
        assert (receipt["contacts"], receipt["unsent"], receipt["requests"]) == (2, 2, 0)
        assert sandbox.received()["requests"] == []
        logged = logs()
        assert f"POST /v2/api/collectors/{COLLECTOR}/campaigns" in logged
        assert '"city": "Málaga"' in logged
        for secret in ("jo0@example.com", "+447700900000", "user-0", xebo.PASSWORD):
            assert secret not in logged

    @pytest.mark.parametrize(("token", "is_sent"), [(TOKEN, True), ("", False)])
    def test_an_empty_collector_token_is_left_out(
        self, make_context: MakeContext, logs: Callable[[], str], token: str, is_sent: bool
    ) -> None:
        survey(contacts=people(1), collector_token=token, preview=True).execute(make_context())
        assert ("collectortoken" in logs()) is is_sent

    def test_no_secret_and_no_address_is_logged(
        self, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
    ) -> None:
        sandbox.fault("drop", vendor="xebo", path="campaigns")
        with pytest.raises(AirflowFailException):
            survey(contacts=people(1), medium="email").execute(make_context())
        logged = logs()
        assert "Receipt" in logged
        for secret in ("jo0@example.com", "+447700900000", xebo.PASSWORD, "xebo-token-"):
            assert secret not in logged

    def test_its_fields_are_templates_and_contacts_are_shown_as_a_count(self) -> None:
        operator = survey(
            collector_id="{{ collector }}",
            collector_token="{{ token }}",
            medium="{{ medium }}",
            contacts=[{"email": "{{ email }}"}],
            exclude=["{{ email }}"],
            outcomes_path="/tmp/{{ collector }}",
            columns={"email": "{{ column }}"},
            xebo_conn_id="xebo_{{ country }}",
        )
        context = {
            "collector": COLLECTOR,
            "token": TOKEN,
            "medium": "email",
            "email": "jo@example.com",
            "column": "E-mail",
            "country": "in",
        }
        operator.render_template_fields(cast("Context", context))
        assert operator.collector_id == COLLECTOR
        assert operator.collector_token == TOKEN
        assert operator.medium == "email"
        assert operator.contacts == [{"email": "jo@example.com"}]
        assert str(operator.contacts) == "1 contacts"
        assert str(operator.exclude) == "1 excluded contacts"
        assert operator.outcomes_path == f"/tmp/{COLLECTOR}"
        assert operator.columns == {"email": "E-mail"}
        assert operator.hook.conn_id == "xebo_in"

    @pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
    def test_it_can_be_mapped(self) -> None:
        with DAG("campaigns", schedule=None):
            mapped = TriggerSurveyOperator.partial(
                task_id="send", collector_id=COLLECTOR, collector_token=TOKEN, outcomes_path="/tmp/outcomes"
            ).expand(contacts=[people(1), people(2)])
        assert mapped.operator_class is TriggerSurveyOperator
        assert mapped.partial_kwargs["collector_id"] == COLLECTOR
