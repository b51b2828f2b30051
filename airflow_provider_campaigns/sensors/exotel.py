"""Sensor for Exotel campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.sensors.base import CampaignSensor

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.exotel import ExotelHook


class ExotelCampaignSensor(CampaignSensor["ExotelHook"]):
    """
    Wait until a campaign is completed or archived.

    It fails when the campaign is failed, canceled or deleted, or still paused when its ``end_at`` has come. Completed
    means that all or part of the calls were made, also when ``end_at`` came first: the counts are in the result.

    .. seealso:: https://support.exotel.com/support/solutions/articles/3000085835-how-does-the-campaigns-api-work

    :param campaign_id: id of the campaign (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.exotel.ExotelHook"
    poll_method = "poll_campaign"
    template_fields: Sequence[str] = ("campaign_id", "exotel_conn_id")

    def __init__(self, *, campaign_id: str, exotel_conn_id: str = "exotel_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.exotel_conn_id = exotel_conn_id

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's id."""
        return {"campaign_id": self.campaign_id}
