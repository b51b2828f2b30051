"""TaskFlow decorator for Xtremepush: campaigns executed for contacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.decorators.base import DecoratedDelivery, decorator_of, renderers_of, template_fields_of
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskDecorator


class _DecoratedExecuteXtremepushCampaignOperator(DecoratedDelivery, ExecuteXtremepushCampaignOperator):
    """``ExecuteXtremepushCampaignOperator`` whose contacts a function gives."""

    custom_operator_name = "@task.execute_xtremepush_campaign"
    template_fields = template_fields_of(ExecuteXtremepushCampaignOperator)
    template_fields_renderers = renderers_of(ExecuteXtremepushCampaignOperator)


def execute_xtremepush_campaign_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Deliver what the function returns or yields (``@task.execute_xtremepush_campaign``).

    .. code-block:: python

        @task.execute_xtremepush_campaign(campaign_id=7345)
        def customers():
            for customer in read_customers():
                yield {"user_id": customer.id}

    :param python_callable: the function.
    :param kwargs: the parameters of ``ExecuteXtremepushCampaignOperator``, but for ``contacts`` and ``sql``.
    """
    return decorator_of(_DecoratedExecuteXtremepushCampaignOperator, python_callable, kwargs)
