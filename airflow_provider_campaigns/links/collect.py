"""Link of the Collect operators: the portal where the contact answers the request."""

from __future__ import annotations

from airflow_provider_campaigns.links.stored import StoredLink


class CollectPortalLink(StoredLink):
    """The request's portal (``portalUrl`` of "send a new request")."""

    name = "Request portal at Collect"
