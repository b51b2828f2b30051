"""``resend`` and ``skip`` set what a cleared task reads, once, and say what that will do."""

from __future__ import annotations

import io
import json
import shlex
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_campaigns.overview.delivery import TaskId
from airflow_provider_campaigns.state import variables
from airflow_provider_campaigns.state.overrides import VARIABLE, find_override, instructions, remove_override
from tests.commands.conftest import Run
from tests.commands.noted import deliveries
from tests.overview.metadata import put

DAG = f"choices_{uuid4().hex[:8]}"


@pytest.fixture(scope="module", autouse=True)
def noted() -> None:
    put(deliveries(DAG))


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The Variables, none at first."""
    values: dict[str, str] = {}
    monkeypatch.setattr(variables, "read", values.get)
    monkeypatch.setattr(variables, "write", lambda name, text, description: values.__setitem__(name, text))
    monkeypatch.setattr(variables, "delete", values.pop)
    return values


def chosen(task: TaskId, consumed: tuple[str, ...] = ()) -> Any:
    return find_override(task, consumed)


@pytest.mark.parametrize(
    ("argv", "choices", "said"),
    [
        (["resend"], {"on_unknown": "resend"}, "sends again to contacts whose outcome is unknown: 2"),
        (["resend", "--everybody"], {"on_cleared": "resend"}, "sends to everybody again: 4"),
        (["skip"], {"on_unknown": "skip"}, "accepts that outcomes are unknown: 2"),
    ],
)
def test_a_choice_is_made_for_one_task_and_counts_once(
    run: Run, stored: dict[str, str], argv: list[str], choices: dict[str, str], said: str
) -> None:
    task = TaskId(DAG, "unknown", "send")
    ran = run(argv[0], *task[:3], *argv[1:], "--yes", "-o", "json")

    assert (ran.code, said in ran.err, "1 accepted, 1 rejected, 2 unknown" in ran.err) == (0, True, True)
    assert {name: ran.json[name] for name in choices} == choices
    found = chosen(task)
    assert found.choices == choices
    assert chosen(task, found.consumed).choices == {}
    assert chosen(TaskId(DAG, "new", "send")).choices == {}

    # The same choice again is a new one.
    run(argv[0], *task[:3], *argv[1:], "--yes")
    assert chosen(task, found.consumed).choices == choices
    assert len(json.loads(stored[VARIABLE])) == 1
    assert remove_override(task)


@pytest.mark.parametrize("choices", [{"on_unknown": "resend"}, {"on_cleared": "resend"}, {"on_unknown": "skip"}])
@pytest.mark.parametrize(("run_id", "index"), [("unknown", -1), ("mapped", 2)])
def test_the_command_that_a_failed_task_names_makes_its_choice(
    run: Run, run_id: str, index: int, choices: dict[str, str]
) -> None:
    task = TaskId(DAG, run_id, "send", index)
    named = instructions(task, choices).split("`")[1]

    assert run(*shlex.split(named)[3:], "--yes").code == 0
    assert chosen(task).choices == choices


def test_other_tasks_choices_stay(run: Run, stored: dict[str, str]) -> None:
    stored[VARIABLE] = json.dumps({"dag_id": DAG, "run_id": "new", "task_id": "send", "on_unknown": "skip"})
    run("skip", DAG, "mapped", "send", "--map-index", "2", "--yes")
    run("resend", DAG, "unknown", "send", "--yes")

    assert chosen(TaskId(DAG, "new", "send")).choices == {"on_unknown": "skip"}
    assert chosen(TaskId(DAG, "mapped", "send", 2)).choices == {"on_unknown": "skip"}
    assert chosen(TaskId(DAG, "mapped", "send", 1)).choices == {}
    assert chosen(TaskId(DAG, "unknown", "send")).choices == {"on_unknown": "resend"}


def test_a_task_instance_that_noted_nothing_can_be_chosen_for(run: Run) -> None:
    ran = run("resend", DAG, "sensor", "send", "--everybody", "--yes")
    assert (ran.code, "no delivery is known" in ran.err) == (0, True)


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("", 1), ("no", 1)])
def test_a_person_is_asked(
    run: Run, stored: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    terminal = SimpleNamespace(isatty=lambda: True, readline=io.StringIO(f"{answer}\n").readline)
    monkeypatch.setattr("sys.stdin", terminal)
    ran = run("skip", DAG, "unknown", "send")
    assert ran.code == code
    assert ran.err.rstrip().partition("Set the Variable campaigns_override? [y/N]")[1]
    assert (VARIABLE in stored) == (code == 0)


@pytest.mark.parametrize(
    ("argv", "stored_value", "said"),
    [
        (["skip", DAG, "none", "send", "--yes"], None, "a task instance that there is"),
        (["skip", DAG, "mapped", "send", "--yes"], None, "--map-index"),
        (["skip", DAG, "unknown", "send"], None, "--yes: expected it, where nobody can be asked"),
        (["skip", DAG, "unknown", "send", "--yes"], "no JSON", "Airflow Variable campaigns_override: expected a JSON"),
    ],
)
def test_bad_input_changes_nothing(
    run: Run, stored: dict[str, str], argv: list[str], stored_value: str | None, said: str
) -> None:
    if stored_value:
        stored[VARIABLE] = stored_value
    ran = run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert stored.get(VARIABLE) == stored_value
