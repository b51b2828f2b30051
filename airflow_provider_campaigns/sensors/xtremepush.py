"""Sensor for Xtremepush campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.sensors.base import CampaignSensor

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook


class XtremepushCampaignSensor(CampaignSensor["XtremepushHook"]):
    """
    Wait until a campaign is live, so that it can be executed.

    The vendor publishes no other states, so this sensor never fails by the campaign's state; give it a ``timeout``. Its
    pages contradict each other on ``active`` of a live campaign: 1 is taken to mean live.

    .. seealso:: https://docs.xtremepush.com/docs/api-data-monitor

    :param campaign_id: id of the campaign (templated)
    :param xtremepush_conn_id: id of the Airflow connection (templated)
    :return: ``{"status": "live", "active": 1}``.
    """

    hook_class = "airflow_provider_campaigns.hooks.xtremepush.XtremepushHook"
    poll_method = "poll_campaign"
    template_fields: Sequence[str] = ("campaign_id", "xtremepush_conn_id")

    def __init__(
        self, *, campaign_id: str | int, xtremepush_conn_id: str = "xtremepush_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.xtremepush_conn_id = xtremepush_conn_id

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's id."""
        return {"campaign_id": self.campaign_id}
