"""Template fields that hold recipients: rendered like any other, shown as a count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XComArg
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.delivery.storage import is_path
from airflow_provider_campaigns.masking import mask

# What renders itself: Airflow 3 knows it by its ``resolve``, Airflow 2 by its class.
if TYPE_CHECKING or AIRFLOW_V_3_0_PLUS:
    ResolveMixin = object
else:
    from airflow.utils.mixins import ResolveMixin


class Hidden(ResolveMixin):
    """
    Recipients in a template field.

    It renders what is inside itself: Airflow would log the value of a nested template field when that fails. Airflow
    stores and shows ``str()`` of it: a count, or masked text.

    :param value: the recipients.
    :param noun: what they are, in the plural.
    :param render: renders a value with a context.
    """

    def __init__(self, value: Any, noun: str, render: Callable[[Any, Any], Any]) -> None:
        self.value = value
        self.noun = noun
        self._render = render

    def resolve(self, context: Mapping[str, Any], **_: Any) -> Any:
        """Return the recipients, rendered."""
        return self._render(self.value, context)

    def iter_references(self) -> Iterator[Any]:
        """Return no upstream tasks: what waits for one is not hidden."""
        return iter(())

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return self.noun if self.value.lstrip().startswith("[") else mask(self.value)
        return f"{len(self.value):,} {self.noun}" if hasattr(self.value, "__len__") else self.noun

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return bool(self.value == unwrap(other))

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

    The operator keeps the value as it is; who reads the field gets it wrapped in ``Hidden``.

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
        # Paths as text: some versions of Airflow call the ``resolve`` of a pathlib.Path to render it.
        object.__setattr__(instance, self.slot, str(value) if is_path(value) else unwrap(value))


def unwrap(value: Any) -> Any:
    """Return what a hidden field really holds."""
    return value.value if isinstance(value, Hidden) else value


def _holds_recipients(value: Any) -> bool:
    """Whether ``value`` is to be hidden; what still waits for an upstream task must stay visible to Airflow."""
    if isinstance(value, str):
        return value.lstrip().startswith("[") or mask(value) != value
    return value is not None and not any(XComArg.iter_xcom_references(value))
