"""Recipients that Airflow would store in clear, as arguments of mapped tasks, are warned of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_campaigns.exceptions import PersonalDataWarning
from tests.templating import authors
from tests.templating.authors import FIELDS, Author, dag

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
    assert warning.filename in {__file__, authors.__file__}  # where expand() is called


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("where", "build"), SILENT.values(), ids=list(SILENT))
def test_what_holds_no_recipients_is_not_warned_of(where: str, build: Callable[[Author], Any]) -> None:
    author = Author(*FIELDS[where], dag())

    with author.dag:
        assert build(author).task_id == "send"
