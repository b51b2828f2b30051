"""Warns of recipients in the arguments of mapped tasks, which Airflow stores as they are."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_campaigns.exceptions import PersonalDataWarning
from airflow_provider_campaigns.templating.hidden_field import hidden_fields, holds_recipients


class WarningPartial:
    """
    What ``partial`` of our operators returns: Airflow's, whose ``expand`` warns.

    :param operator_class: whose ``partial`` it is.
    :param kwargs: what ``partial`` was called with.
    :param partial: Airflow's own.
    """

    def __init__(self, operator_class: type, kwargs: Mapping[str, Any], partial: Any) -> None:
        self._names = [field.name for field in hidden_fields(operator_class) if field.personal]
        self._kwargs = kwargs
        self._partial = partial

    def expand(self, **kwargs: Any) -> Any:
        """Map over lists, as Airflow does."""
        self._warn({name: _items(value) for name, value in kwargs.items()})
        return self._partial.expand(**kwargs)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> Any:
        """Map over a list of dicts, as Airflow does."""
        rows = [row for row in _items(kwargs) if isinstance(row, Mapping)]
        self._warn({name: [row.get(name) for row in rows] for name in self._names})
        return self._partial.expand_kwargs(kwargs, strict=strict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._partial, name)

    def _warn(self, mapped: Mapping[str, Iterable[Any]]) -> None:
        names = [name for name in self._names if self._holds_recipients(name, mapped.get(name, ()))]
        if names:
            warnings.warn(
                f"task {self._kwargs.get('task_id')!r}: Airflow stores the arguments of a mapped task with the DAG, in "
                f"clear, and so the recipients in {', '.join(names)}; give the path of a file, a query, or the output "
                "of an upstream task in their place",
                PersonalDataWarning,
                stacklevel=3,
            )

    def _holds_recipients(self, name: str, mapped: Iterable[Any]) -> bool:
        return any(map(holds_recipients, (self._kwargs.get(name), *mapped)))


def _items(value: Any) -> list[Any]:
    """Return what a literal maps over; nothing for the output of an upstream task."""
    if isinstance(value, Mapping):
        return [*value.values()]
    return [*value] if isinstance(value, Sequence) else []
