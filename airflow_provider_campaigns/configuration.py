"""Options of this package in Airflow's configuration, section ``campaigns``."""

from __future__ import annotations


def setting(name: str) -> str:
    """Return an option without blanks around it, empty when it is not set."""
    from airflow.providers.common.compat.sdk import conf

    return (conf.get("campaigns", name, fallback="") or "").strip()
