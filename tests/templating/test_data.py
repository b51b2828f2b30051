"""Contacts are data: whatever hands them over, they arrive as they were in the XCom."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_campaigns.templating.hidden_field import unwrap
from tests.templating.authors import NATIVE, WAYS, Author, arrives, everywhere, rendered, write

HOSTILE = ["{{ 7*7 }}", "{{ conn.get('x').password }}", "{{ ds }}", "{% X", "{% if", "}}", "name.sql", "{# c #}", "a\n"]
ROW = {text: text for text in (*HOSTILE, *NATIVE)} | {"name": HOSTILE[0], "values": [1, 1.5, None, True, ["{{ 1 }}"]]}


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


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(rows=CONTACTS)
def test_any_text_arrives_as_it_was(written: dict[str, tuple[Author, Any]], rows: list[dict[str, Any]]) -> None:
    for way, (author, task) in written.items():
        assert unwrap(rendered(author, task, rows).contacts) == arrives(way, rows), way
