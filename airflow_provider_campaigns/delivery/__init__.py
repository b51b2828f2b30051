"""Many contacts, nothing twice: sources, batches, ledger, engine, outcomes and receipt; needs no Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.record.outcomes import read_outcomes

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.plan.shards import shard_contacts

__all__ = ["read_outcomes", "shard_contacts"]


def __getattr__(name: str) -> Any:
    """
    Return ``shard_contacts``, which is imported only then: who parses a DAG has no need of what it imports.

    :raises AttributeError: it is another name.
    """
    if name != "shard_contacts":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_provider_campaigns.delivery.plan.shards import shard_contacts

    return shard_contacts
