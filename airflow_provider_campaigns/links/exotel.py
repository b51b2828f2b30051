"""Links of the Exotel operators: the campaign, and its report when there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.links.stored import StoredLink

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.exotel import ExotelHook


class ExotelCampaignLink(StoredLink):
    """The campaign's page; see ``campaign_url`` of the connection."""

    name = "Campaign at Exotel"


class ExotelReportLink(StoredLink):
    """The report (CSV), which Exotel names (``report_url``) once the campaign is completed."""

    name = "Campaign report"


def store_links(context: Mapping[str, Any], hook: ExotelHook, campaign: Mapping[str, Any]) -> None:
    """Store the links of a campaign: as soon as it exists, and again at its end."""
    ExotelCampaignLink.store(context, hook.campaign_url(str(campaign["id"])))
    ExotelReportLink.store(context, campaign.get("report_url"))
