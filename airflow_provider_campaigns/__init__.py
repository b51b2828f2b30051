"""Airflow provider that runs scheduled outreach campaigns at five vendors."""

__version__ = "0.1.0"
