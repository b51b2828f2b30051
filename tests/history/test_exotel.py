"""Exotel campaigns with a history: who is not rung, and who counts as contacted, whatever becomes of the campaign."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError, LedgerError, RequestRejectedError
from airflow_provider_campaigns.history import suppression
from airflow_provider_campaigns.history.connection import History
from airflow_provider_campaigns.history.suppression import read_people
from airflow_provider_campaigns.history.tables import contacts, deliveries
from airflow_provider_campaigns.operators._exotel import creation as exotel_creation
from airflow_provider_campaigns.operators._exotel import reservation
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.operators.conftest import airflow_variables, make_context
from tests.operators.exotel.campaigns import NUMBERS, campaigns, create, killed, posts
from tests.operators.exotel.conftest import change_connection, no_choices, waits

__all__ = ["airflow_variables", "change_connection", "make_context", "no_choices", "waits"]

MakeContext = Callable[..., Any]

MORE = [*NUMBERS, "+447700900102"]
DAILY = {"frequency_cap": "1 per day", "history_conn_id": "history"}


def statuses(history: History) -> Counter[str]:
    with history.database.engine.connect() as connection:
        return Counter(connection.execute(sa.select(contacts.c.status)).scalars())


def noted(history: History) -> list[Any]:
    with history.database.engine.connect() as connection:
        return [*connection.execute(sa.select(deliveries).order_by(deliveries.c.begun)).mappings()]


def test_who_was_rung_by_another_campaign_is_not_rung(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    first = create(**DAILY).execute(make_context(run_id="first"))
    second = create(numbers=MORE, **DAILY).execute(make_context(run_id="second"))

    assert [one["from"] for one in campaigns(sandbox)] == [2, 1]
    assert (first["capped"], second["capped"], second["invalid"]) == (0, 2, 0)
    assert statuses(history) == {"accepted": 3, "capped": 2}
    rows = noted(history)
    assert [(row["state"], row["contacts"], row["accepted"], row["capped"]) for row in rows] == [
        ("complete", 2, 2, 0),
        ("complete", 3, 1, 2),
    ]
    assert {(row["vendor"], row["channel"], row["campaign"]) for row in rows} == {("exotel", "call", "Spring")}


def test_a_run_that_was_deleted_and_runs_again_is_under_the_caps(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    create(**DAILY).execute(make_context(state={}))
    with history.database.engine.begin() as connection:
        an_hour_ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
        connection.execute(sa.update(deliveries).values(begun=an_hour_ago))

    with pytest.raises(AirflowSkipException, match="2 numbers are over a frequency cap"):
        create(**DAILY).execute(make_context(state={}))

    assert [one["from"] for one in campaigns(sandbox)] == [2]
    assert statuses(history) == {"accepted": 2, "capped": 2}


def test_who_is_on_the_suppression_list_is_not_rung(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    suppression.add(history, read_people([NUMBERS[0]], "phone"))
    campaign = create(numbers=[*NUMBERS, f" {NUMBERS[0]}"], history_conn_id="history").execute(make_context())
    assert (campaign["from"], campaign["invalid"]) == (1, 1)
    assert (noted(history)[0]["duplicate"], noted(history)[0]["accepted"]) == (1, 1)


def test_caps_of_the_configuration_hold(
    connection: object, make_context: MakeContext, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__HISTORY_CONN_ID", "history")
    monkeypatch.setenv("AIRFLOW__CAMPAIGNS__FREQUENCY_CAP", "1 per 7 days")
    create().execute(make_context(run_id="first"))
    assert create(numbers=MORE).execute(make_context(run_id="second"))["capped"] == 2
    assert create(numbers=MORE, frequency_cap="").execute(make_context(run_id="third"))["capped"] == 0


def test_a_task_with_nobody_left_to_ring_is_skipped(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    create(**DAILY).execute(make_context(run_id="first"))
    with pytest.raises(AirflowSkipException, match="2 numbers are over a frequency cap"):
        create(**DAILY).execute(make_context(run_id="second"))
    assert posts(sandbox) == 1
    assert [(row["state"], row["capped"]) for row in noted(history)] == [("complete", 0), ("complete", 2)]


def test_people_whose_campaign_was_refused_may_be_rung(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    sandbox.fault("refuse", vendor="exotel", method="POST")
    with pytest.raises(RequestRejectedError):
        create(**DAILY).execute(make_context(run_id="first"))
    assert statuses(history) == {"unsent": 2}
    assert noted(history)[0]["state"] == "incomplete"
    assert create(**DAILY).execute(make_context(run_id="second"))["capped"] == 0


def test_people_whose_campaign_is_in_doubt_may_not(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    sandbox.fault("reset", vendor="exotel", method="POST")
    with pytest.raises(AirflowFailException, match="Nobody knows whether"):
        create(**DAILY).execute(make_context(run_id="first"))
    assert statuses(history) == {"unknown": 2}
    with pytest.raises(AirflowSkipException):
        create(**DAILY).execute(make_context(run_id="second"))


@pytest.mark.parametrize("method", ["create_campaign", "find_campaigns"])
def test_a_task_that_is_killed_keeps_or_gives_back(
    method: str, history: History, make_context: MakeContext, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    operator = create(**DAILY)
    request = operator.hook.create_campaign
    act = (lambda campaign: killed(request(campaign))) if method == "create_campaign" else killed
    monkeypatch.setattr(operator.hook, method, act)
    with pytest.raises(KeyboardInterrupt):
        operator.execute(make_context(state=state))
    assert statuses(history) == {"intended" if method == "create_campaign" else "unsent": 2}

    again = create(**DAILY).execute(make_context(2, 1, state=state))
    assert [again["id"]] == [one["id"] for one in campaigns(sandbox)]
    assert statuses(history) == {"accepted": 2}
    assert noted(history)[0]["state"] == "complete"


def test_whom_an_earlier_try_reserved_and_a_later_one_does_not_ring_is_free(
    history: History, make_context: MakeContext, sandbox: SandboxClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    operator = create(**DAILY)
    monkeypatch.setattr(operator.hook, "find_campaigns", killed)
    with monkeypatch.context() as patch:
        # As if it was killed at once.
        patch.setattr(reservation.Reservation, "__exit__", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            operator.execute(make_context(state=state))
    assert statuses(history) == {"intended": 2}

    create(numbers=MORE[2:], **DAILY).execute(make_context(2, 1, state=state))
    assert statuses(history) == {"unsent": 2, "accepted": 1}
    assert create(**DAILY).execute(make_context(run_id="other"))["capped"] == 0


def test_what_a_later_process_may_ring_is_not_given_back(
    sandbox: SandboxClient, history: History, make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    state: dict[str, str] = {}
    operator = create(**DAILY)
    find = operator.hook.find_campaigns

    def overtaken(name: str) -> Any:
        create(**DAILY).execute(make_context(2, 1, state=state))
        return find(name)

    monkeypatch.setattr(operator.hook, "find_campaigns", overtaken)
    with pytest.raises(LedgerError, match="another process"):
        operator.execute(make_context(state=state))
    assert (posts(sandbox), statuses(history)) == (1, {"accepted": 2})


def test_a_cleared_task_with_resend_rings_whom_the_cap_allows(
    sandbox: SandboxClient, history: History, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    create(**DAILY).execute(make_context(state=state))
    again = create(numbers=MORE, on_cleared="resend", **DAILY)
    assert again.execute(make_context(2, max_tries=2, state=state))["capped"] == 2
    assert statuses(history) == {"accepted": 3, "capped": 2}


@pytest.mark.parametrize("cap", [{"frequency_cap": "1 per day"}, {}])
def test_lists_at_exotel_cannot_be_checked(
    cap: dict[str, str],
    sandbox: SandboxClient,
    history: History,
    make_context: MakeContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    operator = create(numbers=None, lists=["list-1"], history_conn_id="history", **cap)
    if cap:
        with pytest.raises(InputError, match="frequency_cap cannot be checked for lists"):
            operator.execute(make_context())
        assert posts(sandbox) == 0
        return
    with caplog.at_level(logging.WARNING), pytest.raises(RequestRejectedError):
        operator.execute(make_context())  # the sandbox has no such list
    assert "the suppression list is not checked" in caplog.text


def test_contact_lists_are_made_again_for_others(
    sandbox: SandboxClient, history: History, make_context: MakeContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exotel_creation, "MOST_NUMBERS", 1)
    monkeypatch.setattr(reservation, "MOST_AT_A_TIME", 2)
    path = tmp_path / "numbers.csv"
    path.write_text("number\n" + "\n".join(MORE) + "\n")
    state: dict[str, str] = {}
    operator = create(numbers=None, contacts=str(path), **DAILY)
    monkeypatch.setattr(operator.hook, "create_campaign", lambda *_, **__: killed())
    monkeypatch.setattr(operator.hook, "find_campaigns", killed)
    with pytest.raises(KeyboardInterrupt):
        operator.execute(make_context(state=state))
    suppression.add(history, read_people([MORE[1]], "phone"))

    campaign = create(numbers=None, contacts=str(path), **DAILY).execute(make_context(2, 1, state=state))

    assert (campaign["invalid"], campaign["capped"]) == (1, 0)
    assert noted(history)[0]["accepted"] == 2
    with pytest.raises(AirflowSkipException, match="2 numbers are over a frequency cap, 1 on the suppression list"):
        create(numbers=MORE, **DAILY).execute(make_context(run_id="later"))
