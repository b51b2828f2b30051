"""Template fields that hold recipients: rendered like any other, shown as a count."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import XComArg

from airflow_provider_campaigns.masking import mask


class Hidden:
    """
    Recipients in a template field.

    Airflow renders what is inside, and stores and shows ``str()`` of it: a count, or masked text.

    :param value: the recipients.
    :param noun: what they are, in the plural.
    :param render: renders a value with a context.
    """

    # Airflow 2 renders these. Airflow 3 calls ``resolve``, and could log the value of a nested field in clear.
    template_fields = ("value",)

    def __init__(self, value: Any, noun: str, render: Callable[[Any, Any], Any]) -> None:
        self.value = value
        self.noun = noun
        self._render = render

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the recipients, rendered."""
        return self._render(self.value, context)

    def __str__(self) -> str:
        if isinstance(self.value, (str, os.PathLike)):
            text = str(self.value)
            return self.noun if text.lstrip().startswith("[") else mask(text)
        return f"{len(self.value):,} {self.noun}" if hasattr(self.value, "__len__") else self.noun

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return bool(self.value == shown(other))

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)


class HiddenField:
    """
    Descriptor of a template field whose values, but for paths and templates without addresses in them, are hidden.

    The operator keeps the value as it is; whoever reads the field gets a ``Hidden`` of his own. Airflow renders that in
    place, and a copy of the operator must not change what the DAG's next run renders.

    :param noun: what the values are, in the plural.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = f"_hidden_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = getattr(instance, self.slot, None)
        return Hidden(value, self.noun, instance.render_template) if _holds_recipients(value) else value

    def __set__(self, instance: Any, value: Any) -> None:
        object.__setattr__(instance, self.slot, shown(value))


def shown(value: Any) -> Any:
    """Return what a hidden field really holds."""
    return value.value if isinstance(value, Hidden) else value


def _holds_recipients(value: Any) -> bool:
    """Whether ``value`` is to be hidden; what still waits for an upstream task must stay visible to Airflow."""
    if isinstance(value, (str, os.PathLike)):
        text = str(value)
        return text.lstrip().startswith("[") or mask(text) != text
    return value is not None and not any(XComArg.iter_xcom_references(value))
