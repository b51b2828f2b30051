"""TaskFlow decorator for Ozonetel CloudAgent: leads added to campaigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.decorators.base import DecoratedDelivery, decorator_of, renderers_of, template_fields_of
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskDecorator


class _DecoratedAddCampaignLeadOperator(DecoratedDelivery, AddCampaignLeadOperator):
    """``AddCampaignLeadOperator`` whose contacts a function gives."""

    custom_operator_name = "@task.add_campaign_leads"
    template_fields = template_fields_of(AddCampaignLeadOperator)
    template_fields_renderers = renderers_of(AddCampaignLeadOperator)


def add_campaign_leads_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Deliver what the function returns or yields (``@task.add_campaign_leads``).

    .. code-block:: python

        @task.add_campaign_leads(campaign_name="Evening")
        def customers():
            for customer in read_customers():
                yield {"phoneNumber": customer.phone}

    :param python_callable: the function.
    :param kwargs: the parameters of ``AddCampaignLeadOperator``, but for ``contacts`` and ``sql``.
    """
    return decorator_of(_DecoratedAddCampaignLeadOperator, python_callable, kwargs)
