"""TaskFlow decorator for Collect: requests sent to contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.decorators.base import DecoratedDelivery, decorator_of, renderers_of, template_fields_of
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskDecorator


class _DecoratedSendCollectRequestOperator(DecoratedDelivery, SendCollectRequestOperator):
    """``SendCollectRequestOperator`` whose contacts a function gives."""

    custom_operator_name = "@task.send_collect_requests"
    template_fields = template_fields_of(SendCollectRequestOperator)
    template_fields_renderers = renderers_of(SendCollectRequestOperator)


def send_collect_requests_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Deliver what the function returns or yields (``@task.send_collect_requests``).

    .. code-block:: python

        @task.send_collect_requests(campaign_id="…")
        def customers():
            for customer in read_customers():
                yield {"email": customer.email}

    :param python_callable: the function.
    :param kwargs: the parameters of ``SendCollectRequestOperator``, but for ``contacts`` and ``sql``.
    """
    return decorator_of(_DecoratedSendCollectRequestOperator, python_callable, kwargs)
