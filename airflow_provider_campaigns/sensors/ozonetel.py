"""Sensor for Ozonetel CloudAgent campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.parameters import only_one
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.receipts import campaign_of

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook


class OzonetelCampaignSensor(CampaignSensor["OzonetelHook"]):
    """
    Wait until a campaign reaches a status, by default until it has dialled all its leads.

    The vendor has no failure status: a stopped campaign can be started again and is waited for. A completed campaign
    that gets more leads stays COMPLETED until it is started, so put this sensor downstream of the task that starts it.

    .. seealso:: https://docs.ozonetel.com/reference/get_ca-apis-campaignstatus

    :param receipt: what ``AddCampaignLeadOperator`` returned (``leads.output``): waits for its campaign; this or
        ``campaign_name`` (templated)
    :param campaign_name: name of the campaign (templated)
    :param target_status: ``READY``, ``RUNNING``, ``STOPPED`` or ``COMPLETED`` (default), in any case (templated)
    :param wait_for_start: also wait while the campaign is READY; default True. False fails if it is.
    :param ozonetel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.ozonetel.OzonetelHook"
    poll_method = "poll_campaign"
    template_fields: Sequence[str] = ("receipt", "campaign_name", "target_status", "ozonetel_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json"}

    def __init__(
        self,
        *,
        receipt: Any = None,
        campaign_name: str | None = None,
        target_status: str = "COMPLETED",
        wait_for_start: bool = True,
        ozonetel_conn_id: str = "ozonetel_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.receipt = receipt
        self.campaign_name = campaign_name
        self.target_status = target_status
        self.wait_for_start = wait_for_start
        self.ozonetel_conn_id = ozonetel_conn_id
        self.check_one_given("receipt", "campaign_name")

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's name and what to wait for."""
        name = self.campaign_name
        if only_one({"receipt": self.receipt, "campaign_name": name}) == "receipt":
            name = campaign_of(self.receipt, self.hook.conn_type, "campaign")
        return {
            "campaign_name": name,
            "target_status": self.target_status,
            "wait_for_start": self.wait_for_start,
        }
