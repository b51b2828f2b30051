"""Sensor for Exotel campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.parameters import only_one
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.receipts import campaign_of

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.exotel import ExotelHook


class ExotelCampaignSensor(CampaignSensor["ExotelHook"]):
    """
    Wait until a campaign is completed or archived.

    It fails when the campaign is failed, canceled or deleted, or still paused when its ``end_at`` has come. Completed
    means that all or part of the calls were made, also when ``end_at`` came first: the counts are in the result.

    .. seealso:: https://support.exotel.com/support/solutions/articles/3000085835-how-does-the-campaigns-api-work

    :param receipt: what ``CreateExotelCampaignOperator`` returned (``create.output``): waits for its campaign; this or
        ``campaign_id`` (templated)
    :param campaign_id: id of the campaign (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.exotel.ExotelHook"
    poll_method = "poll_campaign"
    template_fields: Sequence[str] = ("receipt", "campaign_id", "exotel_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json"}

    def __init__(
        self,
        *,
        receipt: Any = None,
        campaign_id: str | None = None,
        exotel_conn_id: str = "exotel_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.receipt = receipt
        self.campaign_id = campaign_id
        self.exotel_conn_id = exotel_conn_id
        self.check_one_given("receipt", "campaign_id")

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's id."""
        if only_one({"receipt": self.receipt, "campaign_id": self.campaign_id}) == "receipt":
            # The campaign itself, or the extra of an outlet asset's event.
            return {"campaign_id": campaign_of(self.receipt, self.hook.conn_type, "campaign_id", "id")}
        return {"campaign_id": self.campaign_id}
