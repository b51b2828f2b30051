"""What the decorators share: a delivering operator whose contacts are those of a function."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DecoratedOperator, context_merge, task_decorator_factory

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context, TaskDecorator

    from airflow_provider_campaigns.delivery.record.receipt import Receipt

# Parameters of the operators that say where contacts come from.
SOURCES = ("contacts", "sql", "sql_conn_id")


class DecoratedDelivery(DecoratedOperator):
    """
    Base of the decorated operators: the first of their bases, before the vendor's operator.

    The function is called by the first try that sends; what it returns or yields is copied to where the outcomes are
    stored, as a query's result is, and later tries read the copy. Nothing of it is an XCom: the task's output is the
    receipt. Its arguments may be contacts from an upstream task, so Airflow shows them as a count.

    :param python_callable: returns or yields contacts: dicts, a table (pandas, polars, pyarrow), tables one after the
        other, or an Arrow stream; or returns the path of a file.
    :param op_args: its positional arguments (templated)
    :param op_kwargs: its keyword arguments (templated)
    """

    shallow_copy_attrs: Sequence[str] = ("python_callable",)

    op_args = HiddenField("arguments")
    op_kwargs = HiddenField("arguments")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        multiple_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        for name in SOURCES:
            if kwargs.get(name) is not None:
                raise InputError(
                    name, "nothing: the decorated function gives the contacts", type(kwargs[name]).__name__
                )
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            # A receipt is one XCom, whatever the function is annotated with.
            multiple_outputs=False,
            **kwargs,
        )

    def check_source(self) -> None:
        """Do nothing: the function gives the contacts."""

    def execute(self, context: Context) -> Receipt:
        """Deliver the contacts that the function gives."""
        return CampaignDeliveryOperator.execute(self._with_contacts(context), context)

    def execute_when_open(self, context: Context, event: Any) -> Receipt:
        """Deliver them, after a wait for ``send_window``."""
        return CampaignDeliveryOperator.execute_when_open(self._with_contacts(context), context, event)

    def _with_contacts(self, context: Context) -> Any:
        """Return this operator with what the function gives as its contacts."""
        from airflow_provider_campaigns.compat import determine_kwargs
        from airflow_provider_campaigns.delivery.plan.sources.produced import Produced

        args, kwargs = unwrap(self.op_args), unwrap(self.op_kwargs)

        def call() -> Any:
            context_merge(context, kwargs)
            return self.python_callable(*args, **determine_kwargs(self.python_callable, args, context))

        operator: Any = self
        # Default arguments of the DAG may name other ones.
        operator.contacts, operator.sql = Produced(call, _digest(self.python_callable)), None
        return operator


def template_fields_of(operator: type[CampaignDeliveryOperator[Any]]) -> Sequence[str]:
    """Return the template fields of a decorated operator."""
    return ("op_args", "op_kwargs", *(name for name in operator.template_fields if name not in SOURCES))


def renderers_of(operator: type[CampaignDeliveryOperator[Any]]) -> dict[str, str]:
    """Return how its template fields are shown."""
    return {name: kind for name, kind in operator.template_fields_renderers.items() if name not in SOURCES}


def decorator_of(operator: type[Any], python_callable: Callable[..., Any] | None, kwargs: Any) -> TaskDecorator:
    """Return the decorator of a decorated operator."""
    return task_decorator_factory(
        python_callable=python_callable, multiple_outputs=False, decorated_operator_class=operator, **kwargs
    )


def _digest(function: Callable[..., Any]) -> str:
    """Return a digest of a function's source, or of its code where there is none."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        text = repr(getattr(getattr(function, "__code__", None), "co_code", function))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
