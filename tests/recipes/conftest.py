"""The Airflow of the integration tests, here beside the installed wheel."""

from __future__ import annotations

from tests.integration.conftest import airflow, echo_url

__all__ = ["airflow", "echo_url"]
