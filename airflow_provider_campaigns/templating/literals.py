"""Finds mistakes when a DAG is parsed: in parameters that are written into it, and that no template changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, time, timedelta
from typing import Any

from airflow_provider_campaigns.templating.hidden_field import unwrap

Check = Callable[[Any], object]
"""Raises ``InputError`` for a wrong value."""

# Where an expression, a statement or a comment of Jinja begins.
MARKS = ("{{", "{%", "{#")


def check_literals(task: Any, checks: Mapping[str, Check]) -> None:
    """
    Check the parameters of an operator or sensor whose values are known already.

    :param checks: by the parameters' names, what checks them when the task runs, too.
    :raises InputError: one is wrong; raised while a DAG is parsed, it is an import error.
    """
    for name, check in checks.items():
        value = unwrap(getattr(task, name))
        if is_literal(value, task):
            check(value)


def is_literal(value: Any, task: Any) -> bool:
    """
    Whether a value is known when the DAG is parsed, and of a kind that can be judged then.

    No template, no file that is rendered as one, no output of an upstream task, nothing that another package defines.
    """
    if isinstance(value, str):
        return not (_may_be_template(value, task) or value.endswith(tuple(task.template_ext) or ("\0",)))
    if isinstance(value, Mapping):
        return all(is_literal(one, task) for one in (*value, *value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(is_literal(one, task) for one in value)
    return value is None or isinstance(value, (bool, int, float, date, time, timedelta))


def _may_be_template(text: str, task: Any) -> bool:
    dag = task.get_dag()
    # The author's own delimiters.
    return bool(dag and dag.jinja_environment_kwargs) or any(mark in text for mark in MARKS)


def given_literals(task: Any, names: Sequence[str]) -> Mapping[str, Any] | None:
    """Return some parameters by their names; None if one of them is not known when the DAG is parsed."""
    values = {name: unwrap(getattr(task, name)) for name in names}
    return values if all(_is_known(value, task) for value in values.values()) else None


def _is_known(value: Any, task: Any) -> bool:
    if hasattr(type(value), "iter_references"):
        # The output of an upstream task.
        return False
    # Of contacts only whether they are given counts: those in a list need not be looked through.
    if isinstance(value, Collection) and not isinstance(value, str):
        return True
    return is_literal(value, task)
