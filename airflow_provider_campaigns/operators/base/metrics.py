"""Counts what was delivered in Airflow's metrics (statsd, OpenTelemetry)."""

from __future__ import annotations

from collections.abc import Mapping

METRICS = ("accepted", "duplicate", "rejected", "invalid", "unknown", "requests")


def count_contacts(vendor: str, counts: Mapping[str, int]) -> None:
    """
    Add to the counters ``campaigns.<status>``, tagged with the vendor, and ``campaigns.<status>.<vendor>``.

    The second are for a statsd without tags, as Airflow's own metrics have them.

    :param counts: contacts by status, and requests, of one try: not those that an earlier one has counted.
    """
    from airflow_provider_campaigns.compat import Stats

    for name in METRICS:
        if (number := counts.get(name, 0)) > 0:
            Stats.incr(f"campaigns.{name}", number, tags={"vendor": vendor})
            Stats.incr(f"campaigns.{name}.{vendor}", number)
