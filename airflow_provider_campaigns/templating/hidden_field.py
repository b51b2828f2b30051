"""Template fields that hold recipients: rendered like any other, shown as a count."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XComArg
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.delivery.storage import is_path
from airflow_provider_campaigns.masking import mask

if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.definitions._internal.mixins import ResolveMixin
else:
    from airflow.utils.mixins import ResolveMixin


class Hidden(ResolveMixin):
    """
    Recipients in a template field, which a ``TemplatedOperator`` renders.

    Airflow stores, shows and logs ``str()`` of it: a count, or masked text.

    :param value: the recipients.
    :param field: the descriptor of the field.
    :param rendered: they are no template, or one no more.
    """

    def __init__(self, value: Any, field: HiddenField, *, rendered: bool = False) -> None:
        self.value = value
        self.field = field
        self.rendered = rendered

    def replaced(self, value: Any) -> Hidden:
        """Return what the field holds once it is rendered."""
        return Hidden(value, self.field, rendered=True)

    def iter_references(self) -> Iterator[Any]:
        """Return the upstream tasks that the recipients come from."""
        return XComArg.iter_xcom_references(self.value)

    def __str__(self) -> str:
        noun, value = self.field.noun, self.value
        if isinstance(value, XComArg):
            return str(value)
        if not self.field.personal:
            return value if isinstance(value, str) else json.dumps(value, default=str)
        if is_path(value):
            return noun if _is_list(str(value)) else mask(str(value))
        return f"{len(value):,} {noun}" if hasattr(value, "__len__") else noun

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        try:
            return bool(self.value == unwrap(other))
        except (TypeError, ValueError):
            # Tables are compared value by value.
            return self.value is unwrap(other)

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return bool(len(self.value) if hasattr(self.value, "__len__") else self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)


class HiddenField:
    """
    Descriptor of a template field with recipients: who reads the field gets them as one and the same ``Hidden``.

    :param noun: what the values are, in the plural.
    :param personal: False: they may be shown, but are rendered as recipients are.
    """

    def __init__(self, noun: str, *, personal: bool = True) -> None:
        self.noun = noun
        self.personal = personal

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.slot = f"_hidden_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else getattr(instance, self.slot, None)

    def __set__(self, instance: Any, value: Any) -> None:
        if value is not None and not isinstance(value, Hidden):
            value = Hidden(value, self)
        object.__setattr__(instance, self.slot, value)


def unwrap(value: Any) -> Any:
    """Return what a hidden field really holds."""
    return value.value if isinstance(value, Hidden) else value


def hidden_fields(operator_class: type) -> list[HiddenField]:
    """Return the hidden fields of an operator's class."""
    fields = [getattr(operator_class, name, None) for name in getattr(operator_class, "template_fields", ())]
    return [field for field in fields if isinstance(field, HiddenField)]


def holds_recipients(value: Any) -> bool:
    """Whether a DAG's author wrote recipients into ``value``, and not only a path, or what upstream tasks return."""
    if value is None or isinstance(value, ResolveMixin):
        return False
    if is_path(value):
        return _is_list(str(value)) or mask(str(value)) != str(value)
    return _holds_data(value)


def _holds_data(value: Any) -> bool:
    if isinstance(value, ResolveMixin):
        return False
    if isinstance(value, Mapping):
        return _holds_data([*value.values()])
    if isinstance(value, Collection) and not isinstance(value, str):
        return any(map(_holds_data, value))
    return True


def _is_list(text: str) -> bool:
    return text.lstrip().startswith("[")
