"""A mistake that can be seen in the DAG is an import error; one that a template makes has the same text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from dag_runs import load_dags

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from tests.connections import connect, keep_tokens_in_memory
from tests.operators.contexts import MakeContext

# What each operator needs, beside what a mistake changes.
RIGHT: dict[str, tuple[str, dict[str, Any]]] = {
    "AddCampaignLeadOperator": (
        "operators.ozonetel",
        {"campaign_name": "Demo", "contacts": [{"phoneNumber": "+447700900100"}]},
    ),
    "SetOzonetelCampaignStatusOperator": ("operators.ozonetel", {"campaign_name": "Demo", "action": "Start"}),
    "TriggerSurveyOperator": (
        "operators.xebo",
        {"collector_id": "5f3b6f0e8c1d2a4b9e7f6a5c", "collector_token": "", "contacts": [{"email": "jo@example.com"}]},
    ),
    "SendCollectRequestOperator": (
        "operators.collect",
        {"campaign_id": "KYC", "contacts": [{"email": "jo@example.com"}]},
    ),
    "ExecuteXtremepushCampaignOperator": (
        "operators.xtremepush",
        {"campaign_id": 7, "contacts": [{"user_id": "user-1"}]},
    ),
    "CreateExotelCampaignOperator": (
        "operators.exotel",
        {"name": "Spring", "caller_id": "+442079460000", "read_via_text": "Hello", "numbers": ["+447700900100"]},
    ),
    "UpdateExotelCampaignOperator": ("operators.exotel", {"campaign_id": "c-1", "action": "pause"}),
    "OzonetelCampaignSensor": ("sensors.ozonetel", {"campaign_name": "Demo"}),
    "CollectRequestSensor": ("sensors.collect", {"request_id": "r-1"}),
    "ExotelCampaignSensor": ("sensors.exotel", {"campaign_id": "c-1"}),
    "XtremepushCampaignSensor": ("sensors.xtremepush", {"campaign_id": 7}),
}
OZONETEL, COLLECT, XEBO = "AddCampaignLeadOperator", "SendCollectRequestOperator", "TriggerSurveyOperator"
XTREMEPUSH, EXOTEL = "ExecuteXtremepushCampaignOperator", "CreateExotelCampaignOperator"
WINDOW = "'09:00-20:00 Asia/Kolkata', or a dict with start, end, timezone and perhaps days, a list of mon to sun"

# Operator, what is wrong, and the text: the field, what is expected, what is there.
MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    (OZONETEL, {"contacts": None}, "contacts, sql: expected exactly one of them, got none"),
    (OZONETEL, {"contacts": ""}, "contacts, sql: expected exactly one of them, got none"),
    (
        OZONETEL,
        {"sql": "SELECT 1", "sql_conn_id": "crm"},
        "contacts, sql: expected exactly one of them, got contacts and sql",
    ),
    (
        OZONETEL,
        {"contacts": None, "sql": "SELECT 1"},
        "sql_conn_id: expected the id of a connection to a database, got nothing",
    ),
    (OZONETEL, {"on_unknown": "ignore"}, "on_unknown: expected fail or skip or resend, got 'ignore'"),
    (OZONETEL, {"on_cleared": "skip"}, "on_cleared: expected resume or resend, got 'skip'"),
    (OZONETEL, {"on_empty": "pass"}, "on_empty: expected fail or skip, got 'pass'"),
    (OZONETEL, {"columns": "phone"}, "columns: expected a dict {vendor field: source column}, got str"),
    (OZONETEL, {"columns": {"phoneNumber": 3}}, "columns: expected names as text, got 'phoneNumber': 3"),
    (OZONETEL, {"batch_size": 0}, "batch_size: expected a whole number from 1, got 0"),
    (OZONETEL, {"max_concurrency": "many"}, "max_concurrency: expected a whole number from 1, got 'many'"),
    (OZONETEL, {"max_recipients": "few"}, "max_recipients: expected a whole number from 1, got 'few'"),
    (
        OZONETEL,
        {"max_rejected": 5.0},
        "max_rejected: expected a share of the contacts from 0.0 to 1.0, or a whole number, got 5.0",
    ),
    (
        OZONETEL,
        {"max_invalid": "few"},
        "max_invalid: expected a number of contacts (int) or a share of them (float), got 'few'",
    ),
    (OZONETEL, {"max_resends": -1}, "max_resends: expected a whole number from 0, got -1"),
    (OZONETEL, {"allow_repeats": "no"}, "allow_repeats: expected True or False, got 'no'"),
    (OZONETEL, {"preview": 1}, "preview: expected True or False, got 1"),
    (OZONETEL, {"max_outage": -1}, "max_outage: expected a whole number from 0, got -1"),
    (OZONETEL, {"ledger": "redis"}, "ledger: expected history or airflow, got 'redis'"),
    (
        OZONETEL,
        {"encoding": "cp-none"},
        "encoding: expected an encoding that Python knows, e.g. cp1252 or utf-16-le, got 'cp-none'",
    ),
    (
        OZONETEL,
        {"delimiter": ";;"},
        "delimiter: expected one character that stands between the values of a row, e.g. ';', got ';;'",
    ),
    *(
        (
            operator,
            {"frequency_cap": "once a week"},
            (
                'frequency_cap: expected caps such as "1 per 7 days" or "3 per 30 days per channel" '
                "(campaign, vendor, channel), got 'once a week'"
            ),
        )
        for operator in (OZONETEL, EXOTEL)
    ),
    (OZONETEL, {"send_window": "nine to five"}, f"send_window: expected {WINDOW}, got 'nine to five'"),
    (
        OZONETEL,
        {"send_window": "09:00-20:00 Kolkata"},
        "send_window.timezone: expected a name such as Asia/Kolkata, got 'Kolkata'",
    ),
    (
        OZONETEL,
        {"send_window": {"start": "9:00", "end": "25:00", "timezone": "UTC"}},
        "send_window.end: expected a time such as 09:00, without a zone of its own, got '25:00'",
    ),
    (OZONETEL, {"outside_window": "fail"}, "outside_window: expected wait or skip, got 'fail'"),
    (OZONETEL, {"max_age": 24}, "max_age: expected a timedelta above zero, got 24"),
    (OZONETEL, {"max_age": timedelta(0)}, "max_age: expected a timedelta above zero, got datetime.timedelta(0)"),
    (OZONETEL, {"campaign_name": ""}, "campaign_name: expected the name of an outbound campaign, got ''"),
    (OZONETEL, {"campaign_name": None}, "campaign_name: expected the name of an outbound campaign, got nothing"),
    (OZONETEL, {"action": "RUN"}, "action: expected START, STOP or None, got RUN"),
    (OZONETEL, {"check_duplicate": "maybe"}, "check_duplicate: expected True or False, got 'maybe'"),
    (OZONETEL, {"priority": 100}, "priority: expected a whole number, 1 to 99, got 100"),
    (
        OZONETEL,
        {"expiry_date": "31/12/2099"},
        "expiry_date: expected YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS, got 31/12/2099",
    ),
    (OZONETEL, {"region": "India"}, "region: expected a country of two letters, e.g. IN, got India"),
    (OZONETEL, {"bulk": "all"}, "bulk: expected True or False, got 'all'"),
    ("SetOzonetelCampaignStatusOperator", {"action": "Run"}, "action: expected Start or Stop, got Run"),
    (XEBO, {"collector_id": " "}, "collector_id: expected the id of a collector, got ' '"),
    (XEBO, {"medium": "fax"}, "medium: expected sms, email, whatsapp, or None for links, got fax"),
    (COLLECT, {"campaign_id": ""}, "campaign_id: expected the id of a campaign, got ''"),
    (
        COLLECT,
        {"due_date": "2026-12-31T09:00:00"},
        "due_date: expected a date and time with a time zone, e.g. 2026-03-01T09:00:00+00:00, got 2026-12-31T09:00:00",
    ),
    (COLLECT, {"data": "x"}, "data: expected an object, got text"),
    (COLLECT, {"samples": "x"}, "samples: expected an object, or a list of them, got str"),
    (COLLECT, {"send_message": "no"}, "send_message: expected True or False, got 'no'"),
    (COLLECT, {"send_reopen_message": "no"}, "send_reopen_message: expected True or False, got 'no'"),
    (COLLECT, {"esign_docs": "x"}, "esign_docs: expected an object or a list, got str"),
    (
        COLLECT,
        {"overrides": {"dueDate": "2026-12-31"}},
        "overrides: expected fields that no other parameter sets, got dueDate",
    ),
    (XTREMEPUSH, {"campaign_id": "None"}, "campaign_id: expected the id of a live campaign, got 'None'"),
    (XTREMEPUSH, {"target_by": ""}, "target_by: expected user_id, external_id, email, token or id, got ''"),
    (XTREMEPUSH, {"template_params": ["x"]}, "template_params: expected an object, got list"),
    (
        XTREMEPUSH,
        {"send_at": "2099-01-01 09:00"},
        "send_at: expected a date and time with a time zone, e.g. 2026-03-01T09:00:00+00:00, got 2099-01-01 09:00",
    ),
    (XTREMEPUSH, {"overrides": {"time": "x"}}, "overrides: expected fields that no other parameter sets, got time"),
    (EXOTEL, {"numbers": None}, "numbers, lists, contacts: expected exactly one of them, got none"),
    (
        EXOTEL,
        {"lists": ["l-1"]},
        "numbers, lists, contacts: expected exactly one of them, got numbers and lists",
    ),
    (EXOTEL, {"name": "Hi"}, "name: expected more than 3 characters, got Hi"),
    (EXOTEL, {"on_cleared": "again"}, "on_cleared: expected resume or resend, got 'again'"),
    (EXOTEL, {"max_age": "1 day"}, "max_age: expected a timedelta above zero, got '1 day'"),
    (EXOTEL, {"overrides": {"from": []}}, "overrides: expected fields that no other parameter sets, got from"),
    (EXOTEL, {"throttle": 0}, "throttle: expected a whole number from 1, got 0"),
    (
        EXOTEL,
        {"end_at": "tomorrow"},
        "end_at: expected a date and time with a time zone, e.g. 2026-03-01T09:00:00+00:00, got tomorrow",
    ),
    ("UpdateExotelCampaignOperator", {"action": "stop"}, "action: expected pause, resume, complete, archive, got stop"),
    (
        "OzonetelCampaignSensor",
        {"campaign_name": None},
        "receipt, campaign_name: expected exactly one of them, got none",
    ),
    (
        "CollectRequestSensor",
        {"request_ids": ["r-1"]},
        "receipt, request_id, request_ids: expected exactly one of them, got request_id and request_ids",
    ),
    (
        "ExotelCampaignSensor",
        {"campaign_id": ""},
        "receipt, campaign_id: expected exactly one of them, got none",
    ),
    (
        "XtremepushCampaignSensor",
        {"campaign_id": None},
        "receipt, campaign_id: expected exactly one of them, got none",
    ),
]
IDS = [f"{number}-{name}-{'-'.join(wrong)}" for number, (name, wrong, _) in enumerate(MISTAKES)]


@pytest.fixture(scope="module")
def import_errors(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Airflow says of a folder of DAGs, each with one mistake."""
    folder = tmp_path_factory.mktemp("dags")
    for number, (name, wrong, _) in enumerate(MISTAKES):
        module, right = RIGHT[name]
        (folder / f"mistake_{number:03}.py").write_text(
            f"""
import datetime
from datetime import UTC

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_campaigns.{module} import {name}

with DAG("mistake_{number}", schedule=None, start_date=datetime.datetime(2026, 1, 1, tzinfo=UTC)):
    {name}(task_id="task", **{ {**right, **wrong}!r})
"""
        )
    with pytest.raises(ValueError, match="InputError") as raised:
        load_dags(folder)
    return str(raised.value)


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=IDS)
def test_what_is_wrong_in_the_dag_is_an_import_error(import_errors: str, number: int) -> None:
    file = f"mistake_{number:03}.py"
    report = import_errors.partition(f"/{file}: ")[2].partition("/mistake_")[0]

    assert f"InputError: {MISTAKES[number][2]}" in report


SOURCES = {"numbers", "contacts", "sql", "lists"}


def _by_template(name: str, wrong: Mapping[str, Any]) -> bool:
    kind: Any = {
        OZONETEL: AddCampaignLeadOperator,
        COLLECT: SendCollectRequestOperator,
        XEBO: TriggerSurveyOperator,
        XTREMEPUSH: ExecuteXtremepushCampaignOperator,
        EXOTEL: CreateExotelCampaignOperator,
    }.get(name)
    return bool(kind) and all(
        field in kind.template_fields
        and field not in {"numbers", "contacts", "sql", "lists"}
        and isinstance(value, str)
        for field, value in wrong.items()
    )


@pytest.mark.parametrize(
    ("name", "wrong", "message"), [mistake for mistake in MISTAKES if _by_template(mistake[0], mistake[1])]
)
def test_what_a_template_makes_wrong_has_the_same_text_when_the_task_runs(
    *,
    name: str,
    wrong: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    sandbox: SandboxClient,
    make_context: MakeContext,
    airflow_variables: dict[str, str],
) -> None:
    keep_tokens_in_memory(monkeypatch)
    module, right = RIGHT[name]
    connect(monkeypatch, sandbox, module.rpartition(".")[2])
    kind = globals()[name]
    operator = kind(task_id="task", **{**right, **{field: f"{{{{ {field} }}}}" for field in wrong}})
    operator.render_template_fields(wrong)

    with pytest.raises(InputError) as raised:
        operator.execute(make_context())

    assert str(raised.value) == message
    assert sandbox.received()["contacts"] == []


NUMBERS = count()


class Upstream(BaseOperator):
    """Something whose output others take."""

    def execute(self, context: Any) -> None:
        raise NotImplementedError


def _dag(**options: Any) -> DAG:
    return DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), **options)


def _output() -> Any:
    return Upstream(task_id=f"upstream_{next(NUMBERS)}").output


# What must not be refused: it is only known when the task runs.
UNKNOWN: dict[str, Callable[[], object]] = {
    "an upstream task": lambda: AddCampaignLeadOperator(
        task_id="t", campaign_name=_output()["name"], contacts=_output(), action=_output()["action"]
    ),
    "a sensor's receipt": lambda: OzonetelCampaignSensor(task_id="t", receipt=_output()),
    "templates": lambda: AddCampaignLeadOperator(
        task_id="t",
        campaign_name="{{ params.campaign }}",
        contacts="{{ params.file }}",
        sql="{{ params.sql }}",
        action="{% if prod %}START{% endif %}",
        send_window={"start": "{{ params.start }}", "end": "20:00", "timezone": "UTC"},
        columns="{{ params.columns }}",
        max_recipients="{{ params.most }}",
    ),
    "partial and expand": lambda: AddCampaignLeadOperator.partial(task_id="t", on_unknown="{{ x }}").expand_kwargs(
        [{"campaign_name": "A", "contacts": "a.csv"}, {"campaign_name": "B", "sql": "b.sql", "sql_conn_id": "crm"}]
    ),
    "expand over files": lambda: AddCampaignLeadOperator.partial(task_id="t", campaign_name="A").expand(
        contacts=["a.csv", "b.csv"]
    ),
    "a table": lambda: AddCampaignLeadOperator(task_id="t", campaign_name="A", contacts=_frame()),
    "a path": lambda: AddCampaignLeadOperator(task_id="t", campaign_name="A", contacts=Path("a.csv")),
    "a list with outputs": lambda: AddCampaignLeadOperator(task_id="t", campaign_name="A", contacts=[_output()]),
    "contacts or a query, by template": lambda: AddCampaignLeadOperator(
        task_id="t", campaign_name="A", contacts="a.csv", sql="{{ params.sql }}", sql_conn_id="crm"
    ),
    "a file of SQL": lambda: AddCampaignLeadOperator(
        task_id="t", campaign_name="A", sql="queries/leads.sql", sql_conn_id="crm"
    ),
}


def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame([{"phoneNumber": "+447700900100"}])


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("how", UNKNOWN)
def test_what_is_only_known_when_the_task_runs_is_not_refused(how: str, native: bool) -> None:
    with _dag(render_template_as_native_obj=native):
        assert UNKNOWN[how]() is not None


def test_default_arguments_are_checked_as_if_they_were_written_in_the_task() -> None:
    with _dag(default_args={"on_unknown": "skip", "retries": 3, "campaign_name": "Demo"}):
        assert AddCampaignLeadOperator(task_id="right", contacts="a.csv").on_unknown == "skip"  # type: ignore[call-arg]
    with _dag(default_args={"on_unknown": "ignore"}), pytest.raises(InputError, match="on_unknown"):
        AddCampaignLeadOperator(task_id="wrong", contacts="a.csv", campaign_name="Demo")


def test_delimiters_of_the_authors_own_are_templates_too() -> None:
    with _dag(jinja_environment_kwargs={"variable_start_string": "<<", "variable_end_string": ">>"}):
        operator = AddCampaignLeadOperator(task_id="t", campaign_name="Demo", contacts="a.csv", action="<< x >>")

    assert operator.action == "<< x >>"
