"""Recipients in a template field are rendered, and never shown: not in the Rendered view, the stored DAG, or a log."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, ObjectStoragePath, XComArg

from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from tests.stored_dags import stored_dag

PHONES = ["+447700900000", "+447700900001"]
PEOPLE = [{"phone": phone, "name": "Jo"} for phone in PHONES]


class GreetOperator(TemplatedOperator):
    """An operator with a hidden field."""

    template_fields: Sequence[str] = ("people", "groups", "greeting")

    people = HiddenField("contacts")
    groups = HiddenField("groups", personal=False)

    def __init__(self, *, people: Any = None, groups: Any = None, greeting: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.people = people
        self.groups = groups
        self.greeting = greeting

    def execute(self, context: Any) -> Any:
        return unwrap(self.people)


class UpstreamOperator(BaseOperator):
    """Something whose output others take."""

    def execute(self, context: Any) -> Any:
        return PEOPLE


@pytest.fixture
def dag() -> Iterator[Any]:
    with DAG("greetings", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        yield dag


def rendered_view(operator: Any) -> Any:
    """Return the field as the Rendered Templates view shows it."""
    from airflow.serialization.helpers import serialize_template_field

    return serialize_template_field(operator.people, "people")


def render(operator: Any, **context: Any) -> Any:
    """Return what the field holds once Airflow has rendered the operator's copy for a run."""
    task = copy.copy(operator)
    task.render_template_fields({"ds": "2026-03-01", **context})
    return task


# -- what is shown


@pytest.mark.parametrize(
    ("value", "view"),
    [
        pytest.param(PEOPLE, "2 contacts", id="a list"),
        pytest.param(tuple(PEOPLE), "2 contacts", id="a tuple"),
        pytest.param(PEOPLE * 600, "1,200 contacts", id="a long list"),
        pytest.param(PHONES, "2 contacts", id="a list of text"),
        pytest.param(PEOPLE[0], "2 contacts", id="a dict"),
        pytest.param(set(PHONES), "2 contacts", id="a set"),
        pytest.param(iter(PEOPLE), "contacts", id="a generator"),
        pytest.param(json.dumps(PEOPLE), "contacts", id="a list rendered into text"),
        pytest.param(f" {PEOPLE}", "contacts", id="a list rendered into text that is no JSON"),
        pytest.param("+447700900000", "+44***00", id="an address"),
        pytest.param("/data/jo@example.com.csv", "/***@example.com.csv", id="an address in a path"),
        pytest.param("s3://bucket/{{ ds }}.csv", "s3://bucket/{{ ds }}.csv", id="a template"),
        pytest.param(Path("/data/contacts.csv"), "/data/contacts.csv", id="a path object"),
        pytest.param(ObjectStoragePath("s3://bucket/a.csv"), "s3://bucket/a.csv", id="an object storage path"),
        pytest.param("", "", id="empty text"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_hidden_field_is_shown_as_a_count_or_a_path(value: Any, view: str | None) -> None:
    operator = GreetOperator(task_id="greet", people=value)

    assert rendered_view(operator) == view
    if view is not None:
        assert str(operator.people) == view


@pytest.mark.parametrize(
    ("value", "view"), [(["a", "b"], '["a", "b"]'), ("a", "a"), ("{{ groups }}", "{{ groups }}"), ([], "[]")]
)
def test_what_is_not_personal_is_shown_as_it_is(value: Any, view: str) -> None:
    assert str(GreetOperator(task_id="greet", groups=value).groups) == view


def test_no_recipient_is_in_the_stored_dag(dag: Any) -> None:
    upstream = UpstreamOperator(task_id="upstream")
    GreetOperator(task_id="greet", people=PEOPLE, greeting="Dear {{ ds }}")
    GreetOperator(task_id="greet_too", people=[*PEOPLE, {"phone": XComArg(upstream)}])
    GreetOperator(task_id="greet_text", people=json.dumps(PEOPLE))

    text = stored_dag(dag)

    assert '"2 contacts"' in text
    assert '"3 contacts"' in text
    assert "Dear {{ ds }}" in text
    assert "447700900000" not in text


def test_no_recipient_is_in_the_repr() -> None:
    operator = GreetOperator(task_id="greet", people=PEOPLE)

    assert repr(operator.people) == "2 contacts"
    assert "447700900000" not in repr([operator.people])


# -- what is held


def test_the_field_can_be_read_as_what_it_holds() -> None:
    operator = GreetOperator(task_id="greet", people=PEOPLE)

    assert unwrap(operator.people) is PEOPLE
    assert operator.people == PEOPLE
    assert operator.people == operator.people
    assert operator.people != PEOPLE[:1]
    assert list(operator.people) == PEOPLE
    assert len(operator.people) == 2
    assert operator.people
    assert not GreetOperator(task_id="nobody", people=[]).people
    assert isinstance(hash(operator.people), int)
    assert isinstance(GreetOperator.people, HiddenField)


def test_a_field_never_set_is_none() -> None:
    class Lazy:
        people = HiddenField("contacts")

    assert Lazy().people is None


# -- rendering


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        pytest.param(
            [{"phone": "+447700900000", "name": "Jo {{ ds }}", "tags": ["{{ ds }}"]}],
            [{"phone": "+447700900000", "name": "Jo 2026-03-01", "tags": ["2026-03-01"]}],
            id="templates in rows",
        ),
        pytest.param(({"phone": "{{ ds }}"},), ({"phone": "2026-03-01"},), id="a tuple"),
        pytest.param("/data/{{ ds }}.csv", "/data/2026-03-01.csv", id="a path"),
        pytest.param(Path("/data/{{ ds }}.csv"), "/data/2026-03-01.csv", id="a path object"),
        pytest.param('["{{ ds }}"]', '["2026-03-01"]', id="a list in text"),
        pytest.param("+447700900000-{{ ds }}.csv", "+447700900000-2026-03-01.csv", id="a masked text"),
        pytest.param([], [], id="an empty list"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_what_is_hidden_is_rendered(value: Any, rendered: Any) -> None:
    assert unwrap(render(GreetOperator(task_id="greet", people=value)).people) == rendered


def test_a_template_that_renders_to_a_list_is_hidden(dag: Any) -> None:
    dag.render_template_as_native_obj = True
    operator = GreetOperator(task_id="greet", people="{{ people }}")

    task = render(operator, people=PEOPLE)

    assert unwrap(task.people) == PEOPLE
    assert rendered_view(task) == "2 contacts"


def test_rendering_one_run_does_not_change_the_next() -> None:
    operator = GreetOperator(task_id="greet", people=[{"name": "{{ ds }}"}])

    first, second = render(operator, ds="2026-03-01"), render(operator, ds="2026-03-02")

    assert unwrap(first.people) == [{"name": "2026-03-01"}]
    assert unwrap(second.people) == [{"name": "2026-03-02"}]
    assert unwrap(operator.people) == [{"name": "{{ ds }}"}]


def test_a_template_that_cannot_be_rendered_shows_nobody(logs: Callable[[], str]) -> None:
    operator = GreetOperator(task_id="greet", people=[*PEOPLE, {"phone": "{{ nobody.phone.number }}"}])

    with pytest.raises(Exception, match="nobody"):
        render(operator)

    assert "447700900000" not in logs()


# -- what waits for an upstream task


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda output: output, id="the output"),
        pytest.param(lambda output: [output["jo"], output["ann"]], id="a list"),
        pytest.param(lambda output: [{"phone": output["phone"]}], id="in a row"),
        pytest.param(lambda output: [{"phone": "1", "more": [{"deep": output["phone"]}]}], id="deep in a row"),
    ],
)
def test_a_dependency_on_an_upstream_task_is_kept(dag: Any, wrap: Callable[[Any], Any]) -> None:
    upstream = UpstreamOperator(task_id="upstream")

    operator = GreetOperator(task_id="greet", people=wrap(XComArg(upstream)))

    assert operator.upstream_task_ids == {"upstream"}
    assert stored_dag(dag)


def test_a_dependency_set_later_is_kept(dag: Any) -> None:
    upstream = UpstreamOperator(task_id="upstream")
    operator = GreetOperator(task_id="greet", people=PEOPLE)

    operator.people = XComArg(upstream)

    assert operator.upstream_task_ids == {"upstream"}


def test_an_upstream_output_is_hidden_once_it_is_there(dag: Any) -> None:
    upstream = UpstreamOperator(task_id="upstream")
    operator = GreetOperator(task_id="greet", people=XComArg(upstream))

    class Pulled:
        def xcom_pull(self, **_: Any) -> Any:
            return PEOPLE

    operator.people = Pulled().xcom_pull()

    assert rendered_view(operator) == "2 contacts"
    assert unwrap(operator.people) == PEOPLE


def test_a_lazy_sequence_is_hidden() -> None:
    class LazySequence(Sequence[Any]):
        def __len__(self) -> int:
            return len(PEOPLE)

        def __getitem__(self, index: Any) -> Any:
            return PEOPLE[index]

    operator = GreetOperator(task_id="greet", people=LazySequence())

    assert rendered_view(operator) == "2 contacts"
    assert list(unwrap(render(operator).people)) == PEOPLE


@pytest.mark.filterwarnings("ignore::airflow_provider_campaigns.exceptions.PersonalDataWarning")
def test_mapped_tasks_hide_what_each_of_them_holds(dag: Any) -> None:
    mapped = GreetOperator.partial(task_id="greet").expand(people=[PEOPLE, PEOPLE[:1]])

    task = mapped.unmap({"people": PEOPLE[:1]})

    assert rendered_view(task) == "1 contacts"
    assert unwrap(task.people) == PEOPLE[:1]
