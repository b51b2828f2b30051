"""What a DAG's author writes is a template, and text stays text in native rendering."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import TaskGroup
from jinja2 import Undefined

from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator, UpdateCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import ExportXeboResponsesOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from airflow_provider_campaigns.templating.hidden_field import unwrap
from tests.templating.authors import FIELDS, NATIVE, Author, PlainOperator, dag, everywhere, rendered, write

PERSON = {"name": "{{ ds }}"}
TEMPLATES = [{"name": "Jo {{ ds }}", "tags": ["{{ ds }}", ("{{ 7*7 }}",)], "id": 5}]

# What the author writes, a field's value or a list of such values being given.
LITERALS: dict[str, Callable[[Author, Any], Any]] = {
    "task": lambda dag, value: dag.task(value),
    "partial": lambda dag, value: dag.expand_others(value),
    "partial, expand_kwargs": lambda dag, value: dag.expand_other_kwargs(value, upstream=False),
    "partial, expand_kwargs of an output": lambda dag, value: dag.expand_other_kwargs(value, upstream=True),
    "expand": lambda dag, value: dag.expand([value]),
    "expand, a dict": lambda dag, value: dag.expand({"k": value}),
    "expand_kwargs": lambda dag, value: dag.partial().expand_kwargs([{dag.field: value}]),
    "expand_kwargs, over partial": lambda dag, value: dag.partial(**{dag.field: "x"}).expand_kwargs(
        [{dag.field: value}], strict=False
    ),
    "task group": lambda dag, value: dag.in_group(lambda given: given, value=[value]),
    "task group, in the task": lambda dag, value: dag.in_group(lambda _: value, value=[1]),
}


@pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
@pytest.mark.parametrize("value", [TEMPLATES, "/data/{{ ds }}.csv", {"name": ("{{ ds }}",)}])
@pytest.mark.parametrize("way", LITERALS)
@everywhere
def test_what_the_author_writes_is_a_template_where_it_is_one_in_other_operators(
    where: str, way: str, value: Any
) -> None:
    ours, plain = (
        Author(operator, name, required, dag())
        for operator, name, required in (FIELDS[where], (PlainOperator, "value", {"other": "x"}))
    )
    values = []
    for author in (ours, plain):
        with author.dag:
            task = LITERALS[way](author, value)
        values.append(unwrap(getattr(rendered(author, task), author.field)))

    assert values[0] == values[1]


class OurLeadOperator(AddCampaignLeadOperator):
    """One whose author gives some fields himself."""

    def __init__(self, *, contacts: Any, columns: Any = "{{ ds }}", **kwargs: Any) -> None:
        super().__init__(contacts=[*contacts], columns=columns, outcomes_path="/data/{{ ds }}", **kwargs)


def test_what_expand_kwargs_did_not_give_is_a_template_of_the_authors() -> None:
    author = Author(
        OurLeadOperator, "contacts", {"campaign_name": "{{ ds }}"}, dag(default_args={"exclude": "{{ ds }}"})
    )
    with author.dag, TaskGroup("group", default_args=cast("Any", {"sql": "{{ ds }}"})):
        task = author.partial().expand_kwargs(author.xcom(lambda rows: [{"contacts": rows, "agent_id": "{{ ds }}"}]))

    done = rendered(author, task, [PERSON])

    assert unwrap(done.contacts) == [PERSON]
    assert done.agent_id == "{{ ds }}"
    assert [unwrap(done.exclude), done.campaign_name, done.columns, done.sql] == ["2026-03-01"] * 4
    assert done.outcomes_path == "/data/2026-03-01"


def test_an_authors_text_is_no_name_of_a_file(tmp_path: Any) -> None:
    (tmp_path / "name.sql").write_text("SELECT 1")
    author, task = write("contacts", "a function", template_searchpath=str(tmp_path))
    with author.dag:
        tasks = [
            author.operator(task_id=f"send_{number}", campaign_name="Demo", contacts=value)
            for number, value in enumerate([[{"name": "name.sql"}], "name.sql", ["name.sql"]])
        ]
    for task in tasks:
        task.resolve_template_files()

    values = [unwrap(rendered(author, task).contacts) for task in tasks]
    assert values == [[{"name": "name.sql"}], "name.sql", ["name.sql"]]


def test_a_query_may_be_in_a_file(tmp_path: Any) -> None:
    (tmp_path / "name.sql").write_text("SELECT {{ 1 }}")
    for native in (False, True):
        author = Author(
            AddCampaignLeadOperator,
            "sql",
            {"campaign_name": "Demo"},
            dag(template_searchpath=str(tmp_path), render_template_as_native_obj=native),
        )
        with author.dag:
            task = author.task("name.sql")

        assert rendered(author, task).sql == "SELECT 1"


def test_a_mistake_in_an_authors_template_is_an_error() -> None:
    author = Author(*FIELDS["contacts"], dag())
    with author.dag:
        task = author.task([{"name": "{% X"}])

    with pytest.raises(Exception, match="Encountered unknown tag 'X'"):
        rendered(author, task)


# -- native rendering

hidden = pytest.mark.parametrize("where", ["contacts", "exclude", "numbers", "lists", "assigned_to"])

# Written by the author, and what is to come of it where native rendering is on. The XCom is [{"name": "1_000"}].
XCOM = "ti.xcom_pull(task_ids='upstream_0')"
TEXT_FIELDS = {
    "a list of numbers": (["+15550100001", "1_000", "0x10", 5], ["+15550100001", "1_000", "0x10", 5]),
    "rows": ([{"user_id": text} for text in NATIVE], [{"user_id": text} for text in NATIVE]),
    "templates in rows": ([{"user_id": "{{ '1_000' }}", "n": "{{ 1 + 1 }}"}], [{"user_id": "1_000", "n": "2"}]),
    "a number": ("+15550100001", "+15550100001"),
    "a template of a number": ("{{ '0x1' }}0", "0x10"),
    "a template of a whole number": ("{{ 16 }}", "16"),
    "an XCom": (f"{{{{ {XCOM} }}}}", [{"name": "1_000"}]),
    "an XCom as JSON": (f"{{{{ {XCOM} | tojson }}}}", '[{"name": "1_000"}]'),
    "an XCom within text": (f"{{{{ {XCOM} }}}}.csv", "[{'name': '1_000'}].csv"),
    "part of an XCom": (f"{{{{ {XCOM}[0].name }}}}", "1_000"),
    "an XCom that is not there": ("{{ None }}", None),
    "text that looks like a list": ("[{{ 5 }}]", "[5]"),
    "a block": (f"{{% for row in {XCOM} %}}{{{{ row.name }}}},{{% endfor %}}", "1_000,"),
}


@pytest.mark.parametrize(("value", "expected"), TEXT_FIELDS.values(), ids=list(TEXT_FIELDS))
@hidden
def test_text_stays_text_in_native_rendering(where: str, value: Any, expected: Any) -> None:
    author = Author(*FIELDS[where], dag(render_template_as_native_obj=True))
    with author.dag:
        author.xcom()
        task = author.task(value)

    assert unwrap(getattr(rendered(author, task, [{"name": "1_000"}]), author.field)) == expected


def test_what_is_not_defined_is_empty_text_in_native_rendering() -> None:
    author = Author(*FIELDS["exclude"], dag(render_template_as_native_obj=True, template_undefined=Undefined))
    with author.dag:
        task = author.task("{{ nobody }}")

    assert unwrap(rendered(author, task).exclude) == ""  # which cannot be read, while None would exclude nobody


IDS: dict[str, tuple[type, Mapping[str, Any]]] = {
    "campaign_name": (AddCampaignLeadOperator, {"contacts": []}),
    "campaign_id": (SendCollectRequestOperator, {"contacts": []}),
    "items": (SendCollectRequestOperator, {"campaign_id": "KYC", "contacts": []}),
    "caller_id": (CreateExotelCampaignOperator, {"name": "Spring", "numbers": ["+447700900100"]}),
    "request_id": (UpdateCollectRequestOperator, {}),
    "request_ids": (CollectRequestSensor, {}),
    "collector_ids": (XeboResponsesSensor, {"survey_id": "5e1", "minimum_responses": 1}),
    "survey_id": (ExportXeboResponsesOperator, {"output_path": "/data/5.jsonl"}),
}


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("value", ["1_000", "0x10", "+15550100001", "614e68331256250034000000"])
def test_ids_stay_text_in_native_rendering(name: str, value: str) -> None:
    operator, required = IDS[name]
    author = Author(operator, name, required, dag(render_template_as_native_obj=True))
    given = [value] if name.endswith("s") else value
    with author.dag:
        task = author.task(given)

    assert getattr(rendered(author, task), name) == given


def test_payloads_are_native_in_native_rendering() -> None:
    author = Author(
        ExecuteXtremepushCampaignOperator,
        "overrides",
        {"campaign_id": 7, "contacts": []},
        dag(render_template_as_native_obj=True),
    )
    with author.dag:
        task = author.task({"retry_for": "{{ 1 + 1 }}"})

    assert rendered(author, task).overrides == {"retry_for": 2}
