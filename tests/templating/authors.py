"""Every way in which a DAG's author can have Airflow hand a value to a template field, and Airflow's own rendering."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, XComArg, task_group
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator, UpdateCollectRequestOperator
from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator


class UpstreamOperator(BaseOperator):
    """Something whose output others take."""

    def execute(self, context: Any) -> None:
        raise NotImplementedError


class PlainOperator(BaseOperator):
    """An operator of another package."""

    template_fields = ("value", "other")

    def __init__(self, *, value: Any = None, other: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.other = other


@dataclasses.dataclass
class Author:
    """
    Writes a DAG in which an operator gets its recipients from XComs.

    :param required: what else the operator needs; one of these is what tasks are mapped over in the recipients' place.
    :param xcoms: by task and key, how the XCom is made of the recipients.
    """

    operator: type[BaseOperator]
    field: str
    required: Mapping[str, Any]
    dag: Any
    xcoms: dict[tuple[str, str], Callable[[Any], Any]] = dataclasses.field(default_factory=dict)

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
FIELDS: dict[str, tuple[type[BaseOperator], str, Mapping[str, Any]]] = {
    "contacts": (AddCampaignLeadOperator, "contacts", {"campaign_name": "Demo"}),
    "exclude": (AddCampaignLeadOperator, "exclude", {"campaign_name": "Demo", "contacts": []}),
    "numbers": (CreateExotelCampaignOperator, "numbers", {"name": "Spring", "caller_id": "+442079460000"}),
    "lists": (CreateExotelCampaignOperator, "lists", {"name": "Spring", "caller_id": "+442079460000"}),
    "assigned_to": (SendCollectRequestOperator, "assigned_to", {"campaign_id": "KYC", "contacts": []}),
    "payload": (ExecuteXtremepushCampaignOperator, "template_params", {"campaign_id": 7, "contacts": []}),
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


@dataclasses.dataclass
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


# What native rendering makes other values of.
NATIVE = ["1_000", "0x10", "+15550100001", "007", "1e5", "None", "[1]", "{'a': 1}", "'a'"]

everywhere = pytest.mark.parametrize("where", FIELDS)
