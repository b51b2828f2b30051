"""Link to the campaign at the vendor."""

from __future__ import annotations

from airflow_provider_campaigns.links.stored import StoredLink


class CampaignLink(StoredLink):
    """The campaign's page in the vendor's dashboard; see ``campaign_url`` of the connection."""

    name = "Campaign"
