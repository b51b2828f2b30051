"""Watches an Exotel campaign from the triggerer, and pauses it when a person ends the task."""

from __future__ import annotations

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
from airflow_provider_campaigns.vendors.exotel import Exotel


class PausingCampaignTrigger(CampaignStatusTrigger):
    """
    A ``CampaignStatusTrigger`` of one Exotel campaign, for ``pause_on_kill``.

    Airflow calls ``on_kill`` from 3.3 on, when somebody clears or marks the deferred task; never when the triggerer
    restarts. Pausing is all that a trigger of this package ever writes.
    """

    async def on_kill(self) -> None:
        """Pause the campaign; pausing twice does no harm."""
        campaign_id = self.arguments["campaign_id"]
        try:
            hook, transport = await self.connect()
            assert isinstance(hook.dialect, Exotel)
            await transport.run(hook.dialect.update_campaign(campaign_id, "pause"))
            self.log.info("Paused campaign %s", campaign_id)
        except CampaignError as error:
            self.log.warning("Campaign %s could not be paused: %s", campaign_id, error)
