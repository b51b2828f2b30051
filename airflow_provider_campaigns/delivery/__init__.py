"""Many contacts, nothing twice: sources, batches, ledger, engine, outcomes and receipt; needs no Airflow."""

from airflow_provider_campaigns.delivery.plan.shards import shard_contacts
from airflow_provider_campaigns.delivery.record.outcomes import read_outcomes

__all__ = ["read_outcomes", "shard_contacts"]
