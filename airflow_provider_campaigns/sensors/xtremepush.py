"""Sensor for Xtremepush campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.parameters import only_one
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.receipts import campaign_of

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook


class XtremepushCampaignSensor(CampaignSensor["XtremepushHook"]):
    """
    Wait until a campaign is live, so that it can be executed.

    The vendor documents no failed state, so only ``timeout`` ends a wait for a campaign that does not become live. Its
    pages contradict each other on ``active`` of a live campaign: 1 is taken to mean live.

    .. seealso:: https://docs.xtremepush.com/docs/api-data-monitor

    :param receipt: what ``ExecuteXtremepushCampaignOperator`` returned: waits for its campaign; this or
        ``campaign_id`` (templated)
    :param campaign_id: id of the campaign (templated)
    :param xtremepush_conn_id: id of the Airflow connection (templated)
    :return: ``{"status": "live", "active": 1}``.
    """

    hook_class = "airflow_provider_campaigns.hooks.xtremepush.XtremepushHook"
    poll_method = "poll_campaign"
    template_fields: Sequence[str] = ("receipt", "campaign_id", "xtremepush_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json"}

    def __init__(
        self,
        *,
        receipt: Any = None,
        campaign_id: str | int | None = None,
        xtremepush_conn_id: str = "xtremepush_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.receipt = receipt
        self.campaign_id = campaign_id
        self.xtremepush_conn_id = xtremepush_conn_id
        self.check_one_given("receipt", "campaign_id")

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's id."""
        if only_one({"receipt": self.receipt, "campaign_id": self.campaign_id}) == "receipt":
            return {"campaign_id": campaign_of(self.receipt, self.hook.conn_type, "campaign")}
        return {"campaign_id": self.campaign_id}
