"""Sends many contacts, each at most once: sources, batches, ledger, engine, outcomes, receipt; imports no vendor."""

from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.record.outcomes import read_outcomes

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.plan.shards import shard_contacts

__all__ = ["read_outcomes", "shard_contacts"]


def __getattr__(name: str) -> Any:
    # Every import of an operator comes through here, also when Airflow parses a DAG file; shards read all sources.
    if name == "shard_contacts":
        from airflow_provider_campaigns.delivery.plan.shards import shard_contacts

        return shard_contacts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
