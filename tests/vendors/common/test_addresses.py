"""Which values of a row count as addresses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_campaigns.vendors.common.addresses import addresses


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"email": "jo@localhost", "Mobile": 12345}, ("jo@localhost", "12345")),
        ({"note": "jo@example.com"}, ("jo@example.com",)),
        ({"note": "+447700900123"}, ("+447700900123",)),
        ({"note": "(020) 7946-0123"}, ("(020) 7946-0123",)),
        ({"note": 447700900123}, ("447700900123",)),
        ({"data": {"contact": {"who": ["jo@example.com", "al@example.com"]}}}, ("jo@example.com", "al@example.com")),
        ({"a": "jo@example.com", "b": "jo@example.com"}, ("jo@example.com",)),
        ({"age": 42, "born": "2000-01-02", "order": "20240102", "sum": 12345.67, "ok": True, "x": None}, ()),
        ({"note": "write to jo@example.com", "email": ""}, ()),
    ],
)
def test_addresses_are_found_by_name_or_by_form(row: dict[str, Any], found: tuple[str, ...]) -> None:
    assert addresses(row) == found
