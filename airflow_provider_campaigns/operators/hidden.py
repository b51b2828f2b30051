"""Template fields that hold recipients: rendered like any other, shown as a count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_campaigns.masking import mask


class Hidden:
    """
    Recipients in a template field.

    Airflow renders what is inside (``template_fields``), and stores and shows ``str()`` of it: a count, or masked text.
    """

    template_fields = ("value",)

    def __init__(self, value: Any, noun: str) -> None:
        self.value = value
        self.noun = noun

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return self.noun if self.value.lstrip().startswith("[") else mask(self.value)
        return f"{len(self.value):,} {self.noun}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, Hidden) else other))

    def __hash__(self) -> int:
        return id(self)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)


class HiddenField:
    """
    Descriptor of a template field whose lists, and text with addresses in it, are shown without them.

    :param noun: what the values are, in the plural.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = f"_hidden_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else getattr(instance, self.slot, None)

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, Hidden):
            value = value.value
        if _holds_recipients(value):
            value = Hidden(value, self.noun)
        object.__setattr__(instance, self.slot, value)


def shown(value: Any) -> Any:
    """Return what a hidden field really holds."""
    return value.value if isinstance(value, Hidden) else value


def _holds_recipients(value: Any) -> bool:
    """Whether ``value`` is to be hidden; a list that still waits for an upstream task must stay visible to Airflow."""
    if isinstance(value, str):
        return value.lstrip().startswith("[") or mask(value) != value
    return isinstance(value, (list, tuple)) and all(_plain(item) for item in value)


def _plain(item: Any) -> bool:
    values = item.values() if isinstance(item, Mapping) else (item,)
    return not any(hasattr(value, "iter_references") for value in values)
