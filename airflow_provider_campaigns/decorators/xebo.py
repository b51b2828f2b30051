"""TaskFlow decorator for Xebo: links for contacts, or surveys sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.decorators.base import DecoratedDelivery, decorator_of, renderers_of, template_fields_of
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import TaskDecorator


class _DecoratedTriggerSurveyOperator(DecoratedDelivery, TriggerSurveyOperator):
    """``TriggerSurveyOperator`` whose contacts a function gives."""

    custom_operator_name = "@task.trigger_survey"
    template_fields = template_fields_of(TriggerSurveyOperator)
    template_fields_renderers = renderers_of(TriggerSurveyOperator)


def trigger_survey_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Deliver what the function returns or yields (``@task.trigger_survey``).

    .. code-block:: python

        @task.trigger_survey(collector_id="…", collector_token="…")
        def customers():
            for customer in read_customers():
                yield {"extUniqueId": customer.number, "email": customer.email}

    :param python_callable: the function.
    :param kwargs: the parameters of ``TriggerSurveyOperator``, but for ``contacts`` and ``sql``.
    """
    return decorator_of(_DecoratedTriggerSurveyOperator, python_callable, kwargs)
