"""What a person chooses for one task instance, in a Variable of Airflow; see also operators/base/test_choices."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.state.overrides import VARIABLE, find_override, instructions, remove_override
from airflow_provider_campaigns.state.shards import ShardRegister
from tests.operators.conftest import FakeTaskInstance
from tests.state.conftest import Stored

TASK = {"dag_id": "campaigns", "run_id": "manual__2026-03-01", "task_id": "send"}
RESEND = {"on_cleared": "resend"}


@pytest.mark.parametrize("index", [-1, 0, 12])
def test_the_instructions_are_what_is_found(stored: Stored, index: int) -> None:
    ti = FakeTaskInstance(map_index=index)
    text = instructions(ti, RESEND)
    value = text[text.index("[") : text.index("]") + 1]
    variables.write(VARIABLE, value, "")

    found = find_override(ti)

    assert (found.resend, found.on_unknown, len(found.consumed)) == (True, "", 1)
    assert find_override(ti, found.consumed).consumed == ()
    assert not find_override(FakeTaskInstance(map_index=index, run_id="another")).resend
    assert remove_override(ti)
    assert VARIABLE not in stored()


@pytest.mark.parametrize("value", [TASK | RESEND, [TASK | RESEND]])
def test_one_entry_may_stand_alone(stored: Stored, value: Any) -> None:
    variables.write(VARIABLE, json.dumps(value), "")

    assert find_override(FakeTaskInstance()).resend
    assert stored()


@pytest.mark.parametrize(
    ("entries", "index"), [([TASK | RESEND, TASK | {"run_id": "x"} | RESEND], -1), ([TASK | RESEND], 3)]
)
def test_a_list_and_an_entry_for_all_map_indexes_are_not_removed(
    stored: Stored, entries: list[dict[str, str]], index: int
) -> None:
    variables.write(VARIABLE, json.dumps(entries), "")

    assert find_override(FakeTaskInstance(map_index=index)).resend
    assert not remove_override(FakeTaskInstance(map_index=index))
    assert VARIABLE in stored()


def test_a_register_of_shards_is_shared_by_the_map_indexes_of_a_task(stored: Stored) -> None:
    zero, one, other = (
        ShardRegister(FakeTaskInstance(map_index=index, task_id=task), None)
        for index, task in ((0, "send"), (1, "send"), (1, "remind"))
    )
    assert zero.other_owner("abc") is None
    one.claim("abc")

    assert (zero.other_owner("abc"), one.other_owner("abc"), other.other_owner("abc")) == (1, None, None)
    zero.release("abc")
    assert zero.other_owner("abc") == 1, "it is not its own"
    one.release("abc")
    assert zero.other_owner("abc") is None
    assert stored() == {}
