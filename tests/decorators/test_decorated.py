"""A decorated function gives the contacts of a delivery in the same task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, TaskDeferred, task

from airflow_provider_campaigns.delivery import read_outcomes
from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls, connect, contacted, keep_tokens_in_memory
from tests.operators.conftest import airflow_variables, clock, make_context
from tests.operators.contexts import MakeContext

__all__ = ["airflow_variables", "clock", "make_context"]

VENDORS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "xebo": (task.trigger_survey, {"collector_id": "5f3b6f0e8c1d2a4b9e7f6a5c", "collector_token": ""}, "extUniqueId"),
    "collect": (task.send_collect_requests, {"campaign_id": "KYC"}, "email"),
    "xtremepush": (task.execute_xtremepush_campaign, {"campaign_id": "7"}, "user_id"),
    "ozonetel": (task.add_campaign_leads, {"campaign_name": "Demo"}, "phoneNumber"),
}
KEYS = {
    "phoneNumber": [f"+44770090010{number}" for number in range(5)],
    "email": [f"jo{number}@example.com" for number in range(5)],
}


@pytest.fixture(autouse=True)
def connections(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient, airflow_variables: dict[str, str]) -> None:
    keep_tokens_in_memory(monkeypatch)
    for vendor in VENDORS:
        connect(monkeypatch, sandbox, vendor)


def operator_of(vendor: str, function: Callable[..., Any], *args: Any, **parameters: Any) -> Any:
    decorate, required, _ = VENDORS[vendor]
    with DAG("campaigns", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        return decorate(task_id="send", **{**required, **parameters})(function)(*args).operator


def keys_of(vendor: str) -> list[str]:
    column = VENDORS[vendor][2]
    return KEYS.get(column, [f"user-{number}" for number in range(5)])


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_function_yields_is_delivered_and_in_no_xcom(
    vendor: str, sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
) -> None:
    column = VENDORS[vendor][2]

    def people() -> Iterator[dict[str, Any]]:
        for key in keys_of(vendor):
            yield {column: key}

    context = make_context()
    receipt = operator_of(vendor, people, outcomes_path=str(tmp_path)).execute(context)

    assert receipt["accepted"] == 5
    assert sorted(contacted(sandbox, vendor)) == keys_of(vendor)
    assert not any(key in json.dumps(context["ti"].pushed) for key in keys_of(vendor))
    assert [line["key"] for line in read_outcomes(receipt)] == keys_of(vendor)


def test_it_takes_arguments_and_the_context_and_hides_them(sandbox: SandboxClient, make_context: MakeContext) -> None:
    def people(numbers: list[str], ti: Any = None) -> list[dict[str, str]]:
        return [{"phoneNumber": number, "Name": ti.task_id} for number in numbers]

    operator = operator_of("ozonetel", people, KEYS["phoneNumber"])
    context = make_context()
    operator.render_template_fields(context | {"ti": context["ti"]})

    assert operator.execute(context)["accepted"] == 5
    assert sandbox.received("ozonetel")["contacts"][0]["fields"]["Name"] == "send"
    assert str(operator.op_args) == "1 arguments"
    assert "op_args" in operator.template_fields
    assert "contacts" not in operator.template_fields


def test_a_later_try_reads_the_copy_and_does_not_call_the_function_again(
    sandbox: SandboxClient, make_context: MakeContext, tmp_path: Path
) -> None:
    called: list[int] = []

    def people() -> Iterator[dict[str, str]]:
        called.append(1)
        # Others, and in another order, whenever it is called.
        for key in KEYS["phoneNumber"][:: (-1) ** len(called)]:
            yield {"phoneNumber": key}

    state: dict[str, str] = {}
    sandbox.fault("unauthorized", vendor="ozonetel", path="AddCampaignData", skip=2, times=2)
    parameters = {"outcomes_path": str(tmp_path), "max_concurrency": 1}
    with pytest.raises(CallRefusedError):
        operator_of("ozonetel", people, **parameters).execute(make_context(state=state))

    receipt = operator_of("ozonetel", people, **parameters).execute(make_context(2, state=state))

    assert (receipt["accepted"], len(called)) == (5, 1)
    assert [line["key"] for line in read_outcomes(receipt)] == KEYS["phoneNumber"][::-1]
    assert sorted(contacted(sandbox, "ozonetel")) == KEYS["phoneNumber"]


def test_as_long_as_nobody_was_sent_to_a_corrected_function_is_called(
    sandbox: SandboxClient, make_context: MakeContext
) -> None:
    state: dict[str, str] = {}
    with pytest.raises(InputError, match="a column 'phoneNumber'"):
        operator_of("ozonetel", lambda: [{"fone": "+447700900100"}]).execute(make_context(state=state))

    receipt = operator_of("ozonetel", lambda: [{"phoneNumber": "+447700900100"}]).execute(make_context(2, state=state))

    assert receipt["accepted"] == 1


def test_a_preview_calls_it_and_sends_nothing(sandbox: SandboxClient, make_context: MakeContext) -> None:
    operator = operator_of("ozonetel", lambda: [{"phoneNumber": "+447700900100"}], preview=True)

    assert operator.execute(make_context())["unsent"] == 1
    assert calls(sandbox, "ozonetel") == []


def test_after_a_wait_for_its_window_it_delivers(
    sandbox: SandboxClient, make_context: MakeContext, clock: SimpleNamespace
) -> None:
    operator = operator_of("ozonetel", lambda: [{"phoneNumber": "+447700900100"}], send_window="09:00-20:00 UTC")
    clock.now = datetime(2026, 3, 2, 3, tzinfo=UTC)
    state: dict[str, str] = {}
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(make_context(state=state))
    clock.now = datetime(2026, 3, 2, 9, tzinfo=UTC)

    assert getattr(operator, deferred.value.method_name)(make_context(state=state), None)["accepted"] == 1


def test_without_contacts_it_is_skipped_if_that_is_asked_for(make_context: MakeContext) -> None:
    with pytest.raises(AirflowSkipException, match="at least one contact"):
        operator_of("ozonetel", list, on_empty="skip").execute(make_context())


@pytest.mark.parametrize("name", ["contacts", "sql", "sql_conn_id"])
def test_its_contacts_have_one_source_only(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: expected nothing: the decorated function gives the contacts"):
        operator_of("ozonetel", list, **{name: "leads"})


def test_a_receipt_is_one_xcom_whatever_the_function_is_annotated_with() -> None:
    def people() -> dict[str, str]:
        raise NotImplementedError

    assert operator_of("ozonetel", people).multiple_outputs is False


@pytest.mark.parametrize(
    ("vendor", "name"),
    [
        ("xebo", "@task.trigger_survey"),
        ("collect", "@task.send_collect_requests"),
        ("xtremepush", "@task.execute_xtremepush_campaign"),
        ("ozonetel", "@task.add_campaign_leads"),
    ],
)
def test_airflow_shows_it_by_the_name_of_its_decorator(vendor: str, name: str) -> None:
    assert operator_of(vendor, list).custom_operator_name == name
