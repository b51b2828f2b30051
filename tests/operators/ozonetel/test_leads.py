"""AddCampaignLeadOperator against the sandbox: leads one by one and in bulk, and their pace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from airflow_provider_campaigns.exceptions import CallRefusedError
from airflow_provider_campaigns.sandbox.server import SandboxServer
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted, keep_no_pace
from tests.operators.contexts import MakeContext
from tests.operators.deliveries import outcomes_of, write_csv
from tests.operators.ozonetel.leads import PHONE, add, leads, position


@pytest.fixture(scope="module")
def unlimited_server() -> Iterator[SandboxServer]:
    with SandboxServer(limits=False) as server:
        yield server


@pytest.fixture
def unlimited(unlimited_server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """A sandbox without the limit of 100 requests a minute, in place of the one with it."""
    client = SandboxClient(unlimited_server.url)
    client.reset()
    connect(monkeypatch, client, "ozonetel")
    return client


class TestSingle:
    def test_a_lead(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        context = make_context()
        receipt = add(
            contacts=[{"phoneNumber": PHONE, "Name": "José", "City": "Málaga"}],
            skill="Sales",
            priority="7",
            agent_id="Bobby",
            expiry_date=date(2099, 12, 31),
        ).execute(context)
        assert receipt == {
            "vendor": "ozonetel",
            "campaign": "Demo",
            "contacts": 1,
            "accepted": 1,
            "duplicate": 0,
            "rejected": 0,
            "invalid": 0,
            "capped": 0,
            "unsent": 0,
            "unknown": 0,
            "requests": 1,
            "normalised": 0,
            "outcomes_path": None,
            "outcomes_xcom": receipt["outcomes_xcom"],
        }
        assert sandbox.received("ozonetel")["contacts"][0]["fields"] == {
            "phoneNumber": PHONE,
            "Name": "José",
            "City": "Málaga",
            "skill": "Sales",
            "priority": "7",
            "agentId": "Bobby",
            "expiryDate": "2099-12-31",
            "checkDuplicate": "TRUE",
        }
        (outcome,) = context["ti"].pushed["outcomes"]
        assert (outcome["row"], outcome["key"], outcome["status"]) == (1, PHONE, "accepted")
        assert "SuccessFully Updated" in outcome["message"]

    def test_a_thousand_leads_are_a_thousand_requests(
        self, unlimited: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "leads.csv", leads(1000))
        receipt = add(contacts=contacts, outcomes_path=str(tmp_path / "outcomes")).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 1000)
        assert receipt["outcomes_path"] == str(tmp_path / "outcomes" / "campaigns" / "manual__2026-03-01" / "send")
        assert sorted(contacted(unlimited, "ozonetel")) == [lead["phoneNumber"] for lead in leads(1000)]
        assert [line["key"] for line in outcomes_of(receipt)] == [lead["phoneNumber"] for lead in leads(1000)]

    def test_columns_choose_what_is_sent(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        row = {"mobile": PHONE, "salary": "secret"}
        add(contacts=[row], columns={"phoneNumber": "mobile"}).execute(make_context())
        assert sandbox.received("ozonetel")["contacts"][0]["fields"] == {
            "phoneNumber": PHONE,
            "checkDuplicate": "TRUE",
        }

    @pytest.mark.parametrize(("action", "after"), [(None, "READY"), ("START", "RUNNING"), ("stop", "STOPPED")])
    def test_only_an_action_starts_or_stops_the_campaign(
        self, action: str | None, after: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        assert add(action=action).execute(make_context())["accepted"] == 1
        assert position() == after

    def test_a_column_cannot_start_it(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        context = make_context()
        rows = [{"phoneNumber": PHONE}, {"phoneNumber": "+447700900101", "action": "START"}]
        assert add(contacts=rows).execute(context)["invalid"] == 1
        assert "action: expected no such column" in context["ti"].pushed["outcomes"][1]["reason"]
        assert position() == "READY"


class TestBulk:
    def test_a_thousand_leads_are_two_requests(
        self, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
    ) -> None:
        contacts = write_csv(tmp_path / "leads.csv", leads(1000))
        receipt = add(contacts=contacts, bulk=True, outcomes_path=str(tmp_path)).execute(make_context())
        assert (receipt["contacts"], receipt["accepted"], receipt["requests"]) == (1000, 1000, 2)
        assert calls(sandbox, "ozonetel") == ["add_bulk", "add_bulk"]
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(1000)]
        assert {line["reason"] for line in outcomes_of(receipt)} == {"queued by the vendor, which adds the leads later"}

    def test_a_lost_reply_under_the_duplicate_check(
        self, sandbox: SandboxClient, make_context: MakeContext, no_waits: None
    ) -> None:
        sandbox.fault("drop", vendor="ozonetel", path="addBulkData")
        receipt = add(contacts=leads(3), bulk=True).execute(make_context())
        assert (receipt["accepted"], receipt["unknown"]) == (3, 0)
        assert sandbox.received("ozonetel")["counts"]["ozonetel"]["accepted"] == 3

    @pytest.mark.parametrize("words", ["no user found", "Authentication failed", "Please provide valid data"])
    def test_a_refusal_of_the_call_leaves_the_rest_unsent_and_a_retry_delivers(
        self, words: str, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        refusal = {"status": "failure", "message": words}
        sandbox.fault("reply", vendor="ozonetel", path="addBulkData", body=refusal)
        state: dict[str, str] = {}
        context = make_context(state=state)
        with pytest.raises(CallRefusedError, match=words):
            add(contacts=leads(10), bulk=True, batch_size=2, retries=1).execute(context)
        assert calls(sandbox, "ozonetel") == ["add_bulk"]
        assert (context["ti"].pushed["receipt"]["unsent"], contacted(sandbox, "ozonetel")) == (10, [])
        receipt = add(contacts=leads(10), bulk=True, batch_size=2, retries=1).execute(make_context(2, 1, state=state))
        assert (receipt["accepted"], receipt["unsent"]) == (10, 0)
        assert sorted(contacted(sandbox, "ozonetel")) == [lead["phoneNumber"] for lead in leads(10)]

    def test_what_the_bulk_call_would_refuse_is_invalid(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        context = make_context()
        add(contacts=[{"phoneNumber": PHONE, "Name": "Jo & Co"}, *leads(1)], bulk=True).execute(context)
        assert [line["status"] for line in context["ti"].pushed["outcomes"]] == ["invalid", "accepted"]
        assert contacted(sandbox, "ozonetel") == ["+12015550100"]


class TestPace:
    @pytest.mark.parametrize(
        ("bulk", "paces"),
        [(False, (None, 100)), (True, (None, 5)), (False, (50, 50)), (True, (2.5, 2.5)), (True, (60, 60))],
    )
    def test_it_is_the_vendors_for_each_call_unless_the_connection_names_one(
        self,
        sandbox: SandboxClient,
        make_context: MakeContext,
        monkeypatch: pytest.MonkeyPatch,
        bulk: bool,
        paces: tuple[float | None, float],
    ) -> None:
        of_the_connection, expected = paces
        connect(monkeypatch, sandbox, "ozonetel", extra={"requests_per_minute": of_the_connection})
        kept = keep_no_pace(monkeypatch)
        assert add(contacts=leads(2), bulk=bulk).execute(make_context())["accepted"] == 2
        assert kept == [expected]

    @pytest.mark.slow
    def test_leads_leave_evenly_from_the_first(
        self, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with SandboxServer(speed=60) as server:
            account = SandboxClient(server.url)
            connect(monkeypatch, account, "ozonetel", extra={"requests_per_minute": 60 * 90})
            began = account.clock()
            receipt = add(contacts=leads(46)).execute(make_context())
            minutes = (account.clock() - began) / 60
        assert receipt["accepted"] == 46
        assert minutes > 45 / 90
