"""Operator for Xebo: survey links, and surveys sent by SMS, e-mail or WhatsApp."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import mask_secret

from airflow_provider_campaigns.operators.base import CampaignDeliveryOperator

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.xebo import XeboHook
    from airflow_provider_campaigns.protocol.sending import Send
    from airflow_provider_campaigns.vendors.xebo_contacts import Medium


class TriggerSurveyOperator(CampaignDeliveryOperator):
    """
    Generate a survey link for each contact, or make Xebo send the survey, up to 500 contacts per call.

    Without a ``medium`` nobody is contacted: each contact's link is the ``url`` of its outcome, and the text to deliver
    its ``message``. With one, Xebo sends; ``accepted`` then means that Xebo took the contact, not that it was reached.

    Row fields: ``extUniqueId``, ``email``, ``mobile`` (6 to 15 digits, optional leading +); every other column goes
    along as the respondent's custom data. ``"email"`` needs ``email``, ``"sms"`` and ``"whatsapp"`` need ``mobile``,
    links need any of the three.

    .. seealso:: https://developer-api.xebo.ai/?p=3205 (links), https://developer-api.xebo.ai/send-surveys

    :param collector_id: the collector's 24-hex id (templated)
    :param collector_token: ``collectortoken``, copied from the platform; left out of the call when empty (templated)
    :param medium: ``"sms"``, ``"email"`` or ``"whatsapp"``: Xebo sends; default None: links only (templated)
    :param xebo_conn_id: id of the Airflow connection (templated)
    """

    template_fields: Sequence[str] = (
        *CampaignDeliveryOperator.template_fields,
        "collector_id",
        "collector_token",
        "medium",
        "xebo_conn_id",
    )

    def __init__(
        self,
        *,
        collector_id: str,
        collector_token: str,
        medium: Medium | None = None,
        xebo_conn_id: str = "xebo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collector_id = collector_id
        self.collector_token = collector_token
        self.medium = medium
        self.xebo_conn_id = xebo_conn_id

    @cached_property
    def hook(self) -> XeboHook:
        """The vendor's hook."""
        from airflow_provider_campaigns.hooks.xebo import XeboHook

        return XeboHook(self.xebo_conn_id)

    def make_send(self) -> Send:
        """Return the send of links or of surveys."""
        from airflow_provider_campaigns.vendors.xebo_contacts import TriggerSurvey

        if self.collector_token:
            mask_secret(self.collector_token)
        return TriggerSurvey(self.hook.dialect, self.collector_id, self.collector_token, self.medium)
