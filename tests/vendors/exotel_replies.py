"""An Exotel account, and replies in the envelope of its pages."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.vendors.exotel.dialect import Exotel

ACCOUNT = Exotel(api_key="example-key", api_token="example-token", account_sid="example1")


def listing(*data: Any, total: int | None = None) -> tuple[int, dict[str, Any]]:
    found = [{"code": 200, "error_data": None, "status": "success", "data": item} for item in data]
    metadata = {} if total is None else {"metadata": {"total": total}}
    return 200, {"method": "GET", "http_code": 207, **metadata, "response": found}


def failure(code: Any, error: Any = None, **top: Any) -> dict[str, Any]:
    return {**top, "response": [{"code": code, "status": "failure", "error_data": error, "data": None}]}
