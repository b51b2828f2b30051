"""Contacts are data: whatever hands them over, they arrive as they were; what a DAG's author writes is a template."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskGroup, XComArg, task_group
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Undefined

from airflow_provider_campaigns.exceptions import PersonalDataWarning
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator, UpdateCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import ExportXeboResponsesOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from airflow_provider_campaigns.templating.hidden_field import unwrap

Rows = list[dict[str, Any]]

# -- every way in which Airflow hands a value to a template field


class UpstreamOperator(BaseOperator):
    """Something whose output others take."""

    def execute(self, context: Any) -> None:
        raise NotImplementedError


class PlainOperator(BaseOperator):
    """An operator of somebody else."""

    template_fields = ("value", "other")

    def __init__(self, *, value: Any = None, other: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.other = other


@dataclass
class Author:
    """
    Writes a DAG in which an operator gets its recipients from XComs.

    :param required: what else the operator needs; one of these is what tasks are mapped over in the recipients' place.
    :param xcoms: by task and key, how the XCom is made of the recipients.
    """

    operator: type
    field: str
    required: Mapping[str, Any]
    dag: Any
    xcoms: dict[tuple[str, str], Callable[[Any], Any]] = field(default_factory=dict)

    def xcom(self, shape: Callable[[Any], Any] = lambda rows: rows) -> Any:
        """Return an upstream task's output."""
        upstream = UpstreamOperator(task_id=f"upstream_{len(self.xcoms)}")
        self.xcoms[upstream.task_id, "return_value"] = shape
        return XComArg(upstream)

    def key(self, shape: Callable[[Any], Any]) -> Any:
        """Return an XCom of an upstream task that is not its output."""
        output = self.xcom(shape)
        self.xcoms[output.operator.task_id, "key"] = shape
        return output["key"]

    def task(self, value: Any) -> Any:
        return self.operator(task_id="send", **self.required, **{self.field: value})

    def partial(self, **kwargs: Any) -> Any:
        return self.operator.partial(task_id="send", **self.required, **kwargs)

    def expand(self, value: Any) -> Any:
        return self.partial().expand(**{self.field: value})

    def others(self, value: Any) -> tuple[Any, str, Any]:
        """Return a partial with the recipients, and what to map it over."""
        (name, other), *more = self.required.items()
        return self.operator.partial(task_id="send", **dict(more), **{self.field: value}), name, other

    def expand_others(self, value: Any) -> Any:
        partial, name, other = self.others(value)
        return partial.expand(**{name: [other]})

    def expand_other_kwargs(self, value: Any, *, upstream: bool) -> Any:
        partial, name, other = self.others(value)
        kwargs = [{name: other}]
        return partial.expand_kwargs(self.xcom(lambda _: kwargs) if upstream else kwargs)

    def in_group(self, give: Callable[[Any], Any], *args: Any, **kwargs: Any) -> Any:
        """Return a task in a mapped task group."""

        @task_group(group_id="group")
        def group(value: Any) -> None:
            self.task(give(value))

        group.expand(*args, **kwargs) if kwargs else group.expand_kwargs(*args)
        return self.dag.get_task("group.send")


def first(rows: Any) -> Any:
    return rows[0]


def one(rows: Any) -> Any:
    return [rows]


def name(rows: Any) -> Any:
    return rows[0]["name"]


# What the author writes, and what is to arrive of the rows, if not the rows as they are (there is one row).
Way = tuple[Callable[[Author], Any], Callable[[Any], Any] | None]

WAYS: dict[str, Way] = {
    "output": (lambda dag: dag.task(dag.xcom()), None),
    "key": (lambda dag: dag.task(dag.key(lambda rows: rows)), None),
    "in a list": (lambda dag: dag.task([dag.xcom(first)]), None),
    "in a tuple": (lambda dag: dag.task((dag.xcom(first),)), tuple),
    "in a row": (lambda dag: dag.task([{"name": dag.xcom(name)}]), lambda rows: [{"name": name(rows)}]),
    "deep in a row": (lambda dag: dag.task([{"a": [{"b": dag.key(name)}]}]), lambda rows: [{"a": [{"b": name(rows)}]}]),
    "expand": (lambda dag: dag.expand(dag.xcom(one)), None),
    "expand, a dict": (lambda dag: dag.expand(dag.xcom(lambda rows: {"k": rows})), lambda rows: ("k", rows)),
    "expand, a list of outputs": (lambda dag: dag.expand([dag.xcom(), dag.xcom()]), None),
    "expand, a list of lists": (lambda dag: dag.expand([[dag.xcom(first)]]), None),
    "expand, a list of rows": (
        lambda dag: dag.expand([[{"name": dag.xcom(name)}]]),
        lambda rows: [{"name": name(rows)}],
    ),
    "expand, a dict of outputs": (lambda dag: dag.expand({"k": dag.xcom()}), lambda rows: ("k", rows)),
    "map": (lambda dag: dag.expand(dag.xcom().map(lambda row: [row])), None),
    "map twice": (lambda dag: dag.expand(dag.xcom(one).map(lambda rows: rows[0]).map(lambda row: [dict(row)])), None),
    "zip": (lambda dag: dag.expand(dag.xcom().zip(dag.xcom())), lambda rows: (rows[0], rows[0])),
    "zip, filled": (
        lambda dag: dag.expand(dag.xcom().zip(dag.xcom(lambda _: []), fillvalue="{{ 1 }}")),
        lambda rows: (rows[0], "{{ 1 }}"),
    ),
    "concat": (lambda dag: dag.expand(dag.xcom(one).concat(dag.xcom(one))), None),
    "zip of map": (
        lambda dag: dag.expand(dag.xcom().map(lambda row: row).zip(dag.xcom()).map(list)),
        lambda rows: [*rows, *rows],
    ),
    "partial": (lambda dag: dag.expand_others(dag.xcom()), None),
    "partial, in a list": (lambda dag: dag.expand_others([dag.xcom(first)]), None),
    "partial, in a row": (
        lambda dag: dag.expand_others([{"name": dag.key(name)}]),
        lambda rows: [{"name": name(rows)}],
    ),
    "partial, expand_kwargs": (lambda dag: dag.expand_other_kwargs(dag.xcom(), upstream=False), None),
    "partial, expand_kwargs of an output": (
        lambda dag: dag.expand_other_kwargs([dag.xcom(first)], upstream=True),
        None,
    ),
    "expand_kwargs": (lambda dag: dag.partial().expand_kwargs(dag.xcom(lambda rows: [{dag.field: rows}])), None),
    "expand_kwargs, over partial": (
        lambda dag: dag.partial(**{dag.field: "{{ ds }}"}).expand_kwargs(
            dag.xcom(lambda rows: [{dag.field: rows}]), strict=False
        ),
        None,
    ),
    "expand_kwargs, map": (
        lambda dag: dag.partial().expand_kwargs(dag.xcom(one).map(lambda rows: {dag.field: [*rows]})),
        None,
    ),
    "expand_kwargs, concat": (
        lambda dag: dag.partial().expand_kwargs(
            dag.xcom(lambda rows: [{dag.field: rows}]).concat(dag.xcom(lambda _: []))
        ),
        None,
    ),
    "expand_kwargs, a list of outputs": (
        lambda dag: dag.partial().expand_kwargs([dag.xcom(lambda rows: {dag.field: rows})]),
        None,
    ),
    "expand_kwargs, a list of dicts": (lambda dag: dag.partial().expand_kwargs([{dag.field: dag.xcom()}]), None),
    "expand_kwargs, deep in dicts": (lambda dag: dag.partial().expand_kwargs([{dag.field: [dag.xcom(first)]}]), None),
    "task group": (lambda dag: dag.in_group(lambda rows: rows, value=dag.xcom(one)), None),
    "task group, in a list": (lambda dag: dag.in_group(lambda row: [row], value=dag.xcom()), None),
    "task group, expand_kwargs": (
        lambda dag: dag.in_group(lambda rows: rows, dag.xcom(lambda rows: [{"value": rows}])),
        None,
    ),
    "a function": (lambda dag: dag.task(lambda context, jinja_env: context["rows"]), None),
}

# The operator, its field, and what else it needs.
FIELDS: dict[str, tuple[type, str, Mapping[str, Any]]] = {
    "contacts": (AddCampaignLeadOperator, "contacts", {"campaign_name": "Demo"}),
    "exclude": (AddCampaignLeadOperator, "exclude", {"campaign_name": "Demo"}),
    "numbers": (CreateExotelCampaignOperator, "numbers", {"name": "Spring", "caller_id": "+442079460000"}),
    "lists": (CreateExotelCampaignOperator, "lists", {"name": "Spring", "caller_id": "+442079460000"}),
    "assigned_to": (SendCollectRequestOperator, "assigned_to", {"campaign_id": "KYC"}),
    "payload": (ExecuteXtremepushCampaignOperator, "template_params", {"campaign_id": 7}),
    "assigned_to, later": (UpdateCollectRequestOperator, "assigned_to", {"request_id": "5f"}),
}


class FakeSession:
    """What Airflow 2 asks how many tasks an output is mapped over to."""

    def scalar(self, query: Any) -> int:
        return 1

    scalar.__name__ = "scalar"


@contextmanager
def session() -> Iterator[None]:
    """Airflow 2 needs a database to render mapped tasks."""
    if AIRFLOW_V_3_0_PLUS:
        yield
        return
    from airflow.utils.task_instance_session import set_current_task_instance_session

    with ExitStack() as stack:
        fake = FakeSession()
        create = stack.enter_context(mock.patch("airflow.utils.session.create_session"))
        create.return_value.__enter__.return_value = fake
        stack.enter_context(set_current_task_instance_session(fake))
        yield


@dataclass
class FakeTaskInstance:
    xcoms: Mapping[tuple[str, str], Any]
    map_index: int
    run_id: str = "manual"
    task: Any = None

    def xcom_pull(self, task_ids: str, key: str = "return_value", **_: Any) -> Any:
        return self.xcoms[task_ids, key]

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        return None


def rendered(author: Author, task: Any, rows: Any = None) -> Any:
    """Return the task with its fields as Airflow renders them, once there are the XComs made of ``rows``."""
    mapped = hasattr(task, "expand_input")
    index = 0 if mapped or "." in task.task_id else -1
    ti = FakeTaskInstance({key: shape(rows) for key, shape in author.xcoms.items()}, index)
    run = SimpleNamespace(conf={})
    context = {"ti": ti, "run_id": ti.run_id, "dag": author.dag, "dag_run": run, "expanded_ti_count": None}
    task = task if mapped else copy.copy(task)
    ti.task = task
    with session():
        task.render_template_fields({**context, "ds": "2026-03-01", "rows": rows})
    return ti.task


def dag(**kwargs: Any) -> Any:
    return DAG("campaigns", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), **kwargs)


def write(where: str, way: str, **kwargs: Any) -> tuple[Author, Any]:
    """Return a DAG in which the author chose a way, and its task."""
    operator, name, required = FIELDS[where]
    author = Author(operator, name, required, dag(**kwargs))
    with author.dag:
        return author, WAYS[way][0](author)


def arrives(way: str, rows: Any) -> Any:
    shape = WAYS[way][1]
    return shape(rows) if shape else rows


HOSTILE = ["{{ 7*7 }}", "{{ conn.get('x').password }}", "{{ ds }}", "{% X", "{% if", "}}", "name.sql", "{# c #}", "a\n"]
# What native rendering makes other values of.
NATIVE = ["1_000", "0x10", "+15550100001", "007", "1e5", "None", "[1]", "{'a': 1}", "'a'"]
ROW = {text: text for text in (*HOSTILE, *NATIVE)} | {"name": HOSTILE[0], "values": [1, 1.5, None, True, ["{{ 1 }}"]]}

everywhere = pytest.mark.parametrize("where", FIELDS)
hidden = pytest.mark.parametrize("where", ["contacts", "exclude", "numbers", "lists", "assigned_to"])


# -- data


@pytest.mark.parametrize("way", WAYS)
@everywhere
def test_what_an_xcom_gave_arrives_as_it_was(where: str, way: str) -> None:
    for native in (False, True):
        author, task = write(where, way, render_template_as_native_obj=native)

        done = rendered(author, task, [ROW])

        assert unwrap(getattr(done, author.field)) == arrives(way, [ROW]), native


@pytest.mark.parametrize("way", ["output", "expand", "expand_kwargs", "partial, in a list", "a function"])
def test_what_is_rendered_once_more_arrives_as_it_was(way: str) -> None:
    author, task = write("contacts", way)
    done = rendered(author, task, [ROW])

    again = rendered(author, done, [ROW])

    assert unwrap(again.contacts) == [ROW]


@pytest.mark.parametrize("value", [*HOSTILE, *NATIVE, 5, 1.5, True, {"name": "{{ 1 }}"}])
@pytest.mark.parametrize("way", ["output", "expand", "expand_kwargs"])
def test_a_value_that_is_no_list_arrives_as_it_was(way: str, value: Any) -> None:
    author, task = write("assigned_to", way, render_template_as_native_obj=True)

    assert unwrap(rendered(author, task, value).assigned_to) == value


TEXTS = st.text() | st.lists(
    st.sampled_from(["{{", "}}", "{%", "%}", "{#", "#}", " ds ", "1", "raw", ".sql", "\n"])
).map("".join)
CONTACTS = st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS), min_size=1).map(lambda row: [{"name": "Jo", **row}])


@pytest.fixture(scope="module")
def written() -> dict[str, tuple[Author, Any]]:
    """A DAG for each way."""
    return {way: write("contacts", way, render_template_as_native_obj=True) for way in WAYS}


@settings(max_examples=25, deadline=None)
@given(rows=CONTACTS)
def test_any_text_arrives_as_it_was(written: dict[str, tuple[Author, Any]], rows: Rows) -> None:
    for way, (author, task) in written.items():
        assert unwrap(rendered(author, task, rows).contacts) == arrives(way, rows), way


# -- templates

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
    with author.dag, TaskGroup("group", default_args={"sql": "{{ ds }}"}):
        task = author.partial().expand_kwargs(author.xcom(lambda rows: [{"contacts": rows, "agent_id": "{{ ds }}"}]))

    done = rendered(author, task, [ROW])

    assert unwrap(done.contacts) == [ROW]
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

    assert [unwrap(rendered(author, task).contacts) for task in tasks] == [
        [{"name": "name.sql"}],
        "name.sql",
        ["name.sql"],
    ]
    assert (
        rendered(
            author, AddCampaignLeadOperator(task_id="query", campaign_name="Demo", sql="name.sql", dag=author.dag)
        ).sql
        == "SELECT 1"
    )


def test_a_mistake_in_an_authors_template_is_an_error() -> None:
    author = Author(*FIELDS["contacts"], dag())
    with author.dag:
        task = author.task([{"name": "{% X"}])

    with pytest.raises(Exception, match="Encountered unknown tag 'X'"):
        rendered(author, task)


# -- native rendering

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
    "campaign_name": (AddCampaignLeadOperator, {}),
    "campaign_id": (SendCollectRequestOperator, {}),
    "items": (SendCollectRequestOperator, {"campaign_id": "KYC"}),
    "caller_id": (CreateExotelCampaignOperator, {"name": "Spring"}),
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
        ExecuteXtremepushCampaignOperator, "overrides", {"campaign_id": 7}, dag(render_template_as_native_obj=True)
    )
    with author.dag:
        task = author.task({"retry_for": "{{ 1 + 1 }}"})

    assert rendered(author, task).overrides == {"retry_for": 2}


# -- recipients in the stored DAG

PERSON = [{"email": "jo@example.com"}]
WARNED: dict[str, tuple[str, Callable[[Author], Any]]] = {
    "partial": ("contacts", lambda dag: dag.expand_others(PERSON)),
    "partial, expand_kwargs": ("contacts", lambda dag: dag.expand_other_kwargs(PERSON, upstream=True)),
    "expand": ("contacts", lambda dag: dag.expand([PERSON])),
    "expand, one of two": ("exclude", lambda dag: dag.expand(["/data/a.csv", ["jo@example.com"]])),
    "expand, a dict": ("numbers", lambda dag: dag.expand({"k": ["+15550100001"]})),
    "expand, beside an output": ("contacts", lambda dag: dag.expand([[dag.xcom(), *PERSON]])),
    "expand, a tuple": ("exclude", lambda dag: dag.expand((("jo@example.com",),))),
    "expand, text": ("assigned_to", lambda dag: dag.expand(["jo@example.com"])),
    "expand, JSON": ("contacts", lambda dag: dag.expand(["[{}]"])),
    "expand_kwargs": ("contacts", lambda dag: dag.partial().expand_kwargs([{"contacts": PERSON}, dag.xcom()])),
}
SILENT: dict[str, tuple[str, Callable[[Author], Any]]] = {
    "a task": ("contacts", lambda dag: dag.task(PERSON)),
    "paths": ("contacts", lambda dag: dag.expand(["/data/{{ ds }}.csv", Path("/data/b.csv")])),
    "a path in partial": ("exclude", lambda dag: dag.expand_others("/data/optouts.csv")),
    "an output": ("contacts", lambda dag: dag.expand(dag.xcom())),
    "outputs": ("contacts", lambda dag: dag.expand([dag.xcom(), [dag.xcom()], [{"email": dag.xcom()}]])),
    "an output in partial": ("contacts", lambda dag: dag.expand_others(dag.xcom())),
    "kwargs of an output": ("contacts", lambda dag: dag.partial().expand_kwargs(dag.xcom())),
    "kwargs with paths": ("contacts", lambda dag: dag.partial().expand_kwargs([{"contacts": "/data/a.csv"}])),
    "ids": ("lists", lambda dag: dag.expand([["5f"]])),
    "the id of a person": ("assigned_to", lambda dag: dag.expand(["anna"])),
}


@pytest.mark.parametrize(("where", "build"), WARNED.values(), ids=list(WARNED))
def test_recipients_that_airflow_stores_are_warned_of_once(where: str, build: Callable[[Author], Any]) -> None:
    author = Author(*FIELDS[where], dag())

    with author.dag, pytest.warns(PersonalDataWarning) as warned:
        build(author)

    (warning,) = warned
    text = str(warning.message)
    assert all(word in text for word in ("'send'", where, "in clear", "path", "query", "upstream task"))
    assert "jo@" not in text
    assert "555" not in text
    assert warning.filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("where", "build"), SILENT.values(), ids=list(SILENT))
def test_what_holds_no_recipients_is_not_warned_of(where: str, build: Callable[[Author], Any]) -> None:
    author = Author(*FIELDS[where], dag())

    with author.dag:
        assert build(author).task_id == "send"
