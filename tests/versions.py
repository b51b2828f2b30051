"""Versions of Airflow that the oldest common-compat in the matrix has no name for."""

from __future__ import annotations

from airflow.providers.common.compat.version_compat import get_base_airflow_version_tuple

AIRFLOW_V_3_3_PLUS: bool = get_base_airflow_version_tuple() >= (3, 3, 0)
AIRFLOW_V_3_2_PLUS: bool = get_base_airflow_version_tuple() >= (3, 2, 0)
