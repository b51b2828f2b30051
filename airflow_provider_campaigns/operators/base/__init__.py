"""What the vendors' operators share; ``CampaignDeliveryOperator`` is the base of those that deliver contacts."""

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator

__all__ = ["CampaignDeliveryOperator"]
