"""Campaigns for more numbers than one request takes: through contact lists, one campaign, everybody once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.delivery.plan.sources import Row, Source
from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    CampaignError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
)
from airflow_provider_campaigns.operators._exotel import creation, recipients
from airflow_provider_campaigns.operators._exotel import lists as contact_lists
from airflow_provider_campaigns.operators._exotel.lists import ContactLists
from airflow_provider_campaigns.operators._exotel.recipients import CampaignRecipients
from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
from airflow_provider_campaigns.operators.base.idempotent_create import lookup_delays
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, contacted
from tests.operators.conftest import FakeTaskStateStore
from tests.operators.contexts import MakeContext, State
from tests.operators.exotel.campaigns import TIMEOUT, campaigns, create, posts

PEOPLE = [f"+447700900{number:03}" for number in range(11)]
IN_A_REQUEST, ON_A_LIST = 3, 6


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests and lists take few contacts, so that a dozen need four requests and two lists."""
    monkeypatch.setattr(creation, "MOST_NUMBERS", IN_A_REQUEST)
    for module in (contact_lists, recipients):
        monkeypatch.setattr(module, "MOST_CONTACTS", IN_A_REQUEST)
        monkeypatch.setattr(module, "MOST_IN_A_LIST", ON_A_LIST)


def lists(sandbox: SandboxClient) -> dict[str, str]:
    """The contact lists at the sandbox: ids by name."""
    found = create().hook.call("GET", "/v2/accounts/sandbox1/lists", params={"limit": 100})
    return {one["data"]["name"]: one["data"]["sid"] for one in found["response"]}


def everybody_is_rung_once(sandbox: SandboxClient) -> bool:
    return posts(sandbox) == 1 and Counter(contacted(sandbox, "exotel")) == Counter(PEOPLE)


def test_numbers_in_their_thousands(
    sandbox: SandboxClient, make_context: MakeContext, change_connection: Callable[..., None]
) -> None:
    change_connection({"timeout": 60})
    numbers = [f"+447700900{number:03}" for number in range(1_000)] * 12
    campaign = create(numbers=numbers, call_duplicate_numbers=True).execute(make_context())
    made = calls(sandbox, "exotel")
    assert contacted(sandbox, "exotel") == numbers
    assert made == ["create_lists", *["create_contacts", "add_to_list"] * 3, "list_campaigns", "create_campaign"]
    assert list(lists(sandbox)) == [f"{campaign['name']} 1"]
    assert campaign["lists"] == list(lists(sandbox).values())


@pytest.mark.usefixtures("small")
class TestLists:
    def test_a_list_that_is_full_is_followed_by_another(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        campaign = create(numbers=PEOPLE).execute(make_context())
        assert list(lists(sandbox)) == [f"{campaign['name']} {number}" for number in (1, 2)]
        assert campaign["lists"] == list(lists(sandbox).values())
        assert contacted(sandbox, "exotel") == PEOPLE

    @pytest.mark.parametrize(("repeat", "rung"), [(False, PEOPLE), (True, [*PEOPLE, *PEOPLE[:2]])])
    def test_a_number_that_is_given_twice(
        self, repeat: bool, rung: list[str], sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        create(numbers=[*PEOPLE, *PEOPLE[:2]], call_duplicate_numbers=repeat).execute(make_context())
        assert contacted(sandbox, "exotel") == rung

    def test_more_than_the_lists_of_a_campaign_hold(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        with pytest.raises(InputError, match="numbers: expected at most 30 numbers, in 5 lists, got more"):
            create(numbers=PEOPLE * 3).execute(make_context())
        assert sandbox.received()["requests"] == []

    @pytest.mark.parametrize("wrong", [{"numbers": [*PEOPLE, "12"]}, {"url": None}, {"end_at": "tomorrow"}])
    def test_bad_input_is_refused_before_a_list_is_made(
        self, wrong: dict[str, Any], sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        with pytest.raises(InputError):
            create(**{"numbers": PEOPLE, **wrong}).execute(make_context())
        assert sandbox.received()["requests"] == []

    def test_a_list_of_its_name_that_is_not_empty_is_not_used(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        """The run was deleted, and made again for the same people: the names of its lists are the same."""
        first, second = (create(numbers=PEOPLE).execute(make_context(state={})) for _ in range(2))
        assert first["name"] == second["name"]
        assert not set(first["lists"]) & set(second["lists"])
        assert contacted(sandbox, "exotel") == PEOPLE * 2

    def test_spellings_of_one_number_are_one(
        self, sandbox: SandboxClient, make_context: MakeContext, change_connection: Callable[..., None]
    ) -> None:
        change_connection({"region": "GB"})
        spellings = [f"0{number.removeprefix('+44')}" for number in PEOPLE]
        context = make_context()
        create(numbers=[*PEOPLE, *spellings]).execute(context)
        assert contacted(sandbox, "exotel") == PEOPLE

    def test_a_list_that_the_vendor_refuses(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        sandbox.fault("refuse", vendor="exotel", path="/lists", method="POST")
        with pytest.raises(RequestRejectedError):
            create(numbers=PEOPLE).execute(make_context())
        assert posts(sandbox) == 0


class CrashError(BaseException):
    """The process is gone."""


class Steps:
    """
    Counts what a try stores and asks for, and lets the process end at one of these steps.

    :param crash_at: the how-manieth step the process does not survive.
    :param done: whether that step is done before it ends.
    """

    def __init__(self, crash_at: float = float("inf"), *, done: bool = True) -> None:
        self.crash_at = crash_at
        self.done = done
        self.taken: list[str] = []

    def step(self, name: str, do: Callable[[], Any]) -> Any:
        self.taken.append(name)
        if len(self.taken) == self.crash_at:
            if self.done:
                do()
            raise CrashError
        return do()

    def run(self, operator: CreateExotelCampaignOperator, context: Any) -> dict[str, Any]:
        """Execute the operator with its steps counted."""
        hook, store = operator.hook, context["task_state_store"]
        run, keep = hook.run, store.set

        def counted(conversation: Any) -> Any:
            return self.step(conversation.__name__, lambda: run(conversation))

        hook.run = counted  # type: ignore[method-assign]
        store.set = lambda key, value, **others: self.step(f"store {key}", lambda: keep(key, value, **others))
        result: dict[str, Any] = operator.execute(context)
        return result


# What a try does that nobody disturbs.
CLAIM = ["store campaign-claim-1", "store campaign-taken-1"]
RECORD = ["store campaign-1", "store campaign-latest", "store campaign-taken-1"]
BEGIN = [*CLAIM, *RECORD, *["store campaign-1"] * 2]
ONE_LIST = ["store campaign-1", "create_list", "store campaign-1"]
ONE_BATCH = ["create_contacts", "store campaign-1", "add_contacts_to_list", "store campaign-1"]
UNDISTURBED = [
    *BEGIN,
    *[*ONE_LIST, *ONE_BATCH, *ONE_BATCH] * 2,
    *["find_by_name", "store campaign-1", "create_campaign", "store campaign-1"],
]
INTENT, POST = len(UNDISTURBED) - 2, len(UNDISTURBED) - 1


@pytest.mark.usefixtures("small")
class TestCrashes:
    def test_the_steps_of_a_try(self, sandbox: SandboxClient, make_context: MakeContext) -> None:
        steps = Steps()
        steps.run(create(numbers=PEOPLE), make_context())
        assert steps.taken == UNDISTURBED

    @pytest.mark.parametrize("done", [True, False])
    @pytest.mark.parametrize("crash_at", range(1, len(UNDISTURBED) + 1))
    def test_one_campaign_and_everybody_once_wherever_a_try_crashes(
        self, crash_at: int, done: bool, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        with suppress(CrashError):
            Steps(crash_at, done=done).run(create(numbers=PEOPLE), make_context(state=state))
        if (crash_at, done) in {(INTENT, True), (POST, False)}:
            # The request never left, and nobody can know.
            with pytest.raises(AirflowFailException, match="It is not created again"):
                create(numbers=PEOPLE).execute(make_context(2, 1, state=state))
            assert posts(sandbox) == 0
            return
        campaign = create(numbers=PEOPLE).execute(make_context(2, 1, state=state))
        assert everybody_is_rung_once(sandbox)
        assert [campaign["id"]] == [one["id"] for one in campaigns(sandbox)]
        # A list is left behind only where nobody can know what is on it.
        in_doubt = {(INTENT, True), *self.adding()}
        spare = (crash_at, done) in in_doubt
        assert len(lists(sandbox)) == 2 + spare

    @staticmethod
    def adding() -> set[tuple[int, bool]]:
        """Crashes between the intent to add contacts and the request for it."""
        at = [number for number, name in enumerate(UNDISTURBED, 1) if name == "add_contacts_to_list"]
        return {crash for number in at for crash in ((number - 1, True), (number, False))}

    @pytest.mark.parametrize("first", range(5, POST, 3))
    @pytest.mark.parametrize("second", range(3, 13, 2))
    def test_one_campaign_and_everybody_once_wherever_two_tries_crash(
        self, first: int, second: int, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        for number, (crash_at, done) in enumerate([(first, True), (second, False)], 1):
            with suppress(CrashError):
                Steps(crash_at, done=done).run(create(numbers=PEOPLE, retries=2), make_context(number, 2, state=state))
        create(numbers=PEOPLE, retries=2).execute(make_context(3, 2, state=state))
        assert everybody_is_rung_once(sandbox)

    def test_other_contacts_on_a_later_try_begin_with_new_lists(
        self, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        with suppress(CrashError):
            Steps(15).run(create(numbers=PEOPLE), make_context(state=state))
        others = PEOPLE[4:]
        create(numbers=others).execute(make_context(2, 1, state=state))
        assert contacted(sandbox, "exotel") == others
        assert len(lists(sandbox)) == 3


@pytest.mark.usefixtures("small")
class TestLostReplies:
    @pytest.mark.parametrize("fault", ["drop", "500-after"])
    def test_contacts_that_arrived_are_found(
        self, fault: str, sandbox: SandboxClient, make_context: MakeContext, waits: list[float]
    ) -> None:
        sandbox.fault(fault, vendor="exotel", path="/contacts", method="POST", skip=3)
        create(numbers=PEOPLE).execute(make_context())
        assert everybody_is_rung_once(sandbox)
        assert waits == [0]
        assert len(lists(sandbox)) == 2

    def test_contacts_that_did_not_arrive_are_put_on_another_list_by_a_retry(
        self, sandbox: SandboxClient, make_context: MakeContext, waits: list[float]
    ) -> None:
        state: State = {}
        sandbox.fault("reset", vendor="exotel", path="/contacts", method="POST", skip=3)
        with pytest.raises(OutcomeUnknownError):
            create(numbers=PEOPLE).execute(make_context(state=state))
        assert waits == lookup_delays(TIMEOUT)
        create(numbers=PEOPLE).execute(make_context(2, 1, state=state))
        assert everybody_is_rung_once(sandbox)
        assert len(waits) == len(lookup_delays(TIMEOUT))
        assert len(lists(sandbox)) == 3

    def test_a_vendor_that_does_not_count(
        self, sandbox: SandboxClient, make_context: MakeContext, waits: list[float]
    ) -> None:
        state: State = {}
        sandbox.fault("drop", vendor="exotel", path="/contacts", method="POST", skip=1)
        operator = create(numbers=PEOPLE)
        operator.hook.count_list = lambda _: None  # type: ignore[assignment, method-assign]
        with pytest.raises(OutcomeUnknownError):
            operator.execute(make_context(state=state))
        assert waits == [0]
        create(numbers=PEOPLE).execute(make_context(2, 1, state=state))
        assert everybody_is_rung_once(sandbox)

    @pytest.mark.parametrize(
        ("fault", "error", "made"),
        [("refuse", RequestRejectedError, 3), ("unauthorized", CallRefusedError, 2)],
    )
    def test_contacts_that_are_refused(
        self, fault: str, error: type[CampaignError], made: int, sandbox: SandboxClient, make_context: MakeContext
    ) -> None:
        state: State = {}
        sandbox.fault(fault, vendor="exotel", path="/contacts", method="POST", skip=3)
        with pytest.raises(error):
            create(numbers=PEOPLE).execute(make_context(state=state))
        create(numbers=PEOPLE).execute(make_context(2, 1, state=state))
        assert everybody_is_rung_once(sandbox)
        assert len(lists(sandbox)) == made

    @pytest.mark.parametrize("fault", ["drop", "reset"])
    def test_a_list_whose_reply_is_lost_is_adopted(
        self,
        fault: str,
        sandbox: SandboxClient,
        make_context: MakeContext,
        change_connection: Callable[..., None],
        no_waits: None,
    ) -> None:
        change_connection({"retry_limit": 1})
        sandbox.fault(fault, vendor="exotel", path="/lists", method="POST")
        create(numbers=PEOPLE).execute(make_context())
        assert everybody_is_rung_once(sandbox)
        assert len(lists(sandbox)) == 2

    def test_contacts_that_were_created_twice_are_rung_once(
        self,
        sandbox: SandboxClient,
        make_context: MakeContext,
        change_connection: Callable[..., None],
        no_waits: None,
    ) -> None:
        change_connection({"retry_limit": 1})
        sandbox.fault("drop", vendor="exotel", path="sandbox1/contacts", method="POST")
        create(numbers=PEOPLE).execute(make_context())
        assert everybody_is_rung_once(sandbox)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("fault", [None, "refuse", "drop", "reset", "cut"])
def test_no_number_is_logged_or_kept(
    fault: str | None, sandbox: SandboxClient, make_context: MakeContext, logs: Callable[[], str]
) -> None:
    state: State = {}
    context = make_context(state=state)
    if fault:
        sandbox.fault(fault, vendor="exotel", path="/contacts", method="POST", skip=3)
    try:
        create(numbers=PEOPLE).execute(context)
        raised = ""
    except CampaignError as error:
        raised = str(error)
    for text in (logs(), json.dumps(state), json.dumps(context["ti"].pushed), raised):
        assert not any(number.removeprefix("+") in text for number in PEOPLE)


@pytest.mark.usefixtures("small")
def test_a_source_that_changes_while_it_is_read_is_refused(sandbox: SandboxClient) -> None:
    reads = iter([PEOPLE, PEOPLE[::-1]])
    source = Source("contacts", lambda: (Row(n, {"number": number}) for n, number in enumerate(next(reads), 1)))
    hook = create().hook
    checked: CampaignRecipients = recipients._checked(source, None, ())
    record = CreationRecord(FakeTaskStateStore(), "campaign")
    record.claim()
    with pytest.raises(InputError, match="contacts: expected the same numbers whenever they are read"):
        ContactLists(hook, record, "Spring 1").make(checked, repeat=False)
    assert json.dumps(record.values)
