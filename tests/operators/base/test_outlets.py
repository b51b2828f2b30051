"""The receipt in the events of outlet assets (Datasets on Airflow 2)."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_campaigns.operators.base.outlets import publish_receipt
from tests.operators.conftest import FakeOutletEvents

RECEIPT = {"vendor": "exotel", "accepted": 2}
CALLS, REPORTS = Asset("exotel://account/calls"), Asset("exotel://account/reports")


def announced(outlets: Any) -> dict[str, Any]:
    """Announce the receipt and return what the events of these outlets hold."""
    events = FakeOutletEvents()
    publish_receipt({"outlet_events": events}, outlets, RECEIPT)
    return events.extras


def test_each_outlet_gets_the_receipt() -> None:
    assert announced([CALLS, REPORTS]) == {CALLS.uri: RECEIPT, REPORTS.uri: RECEIPT}


def test_what_is_no_asset_is_left_as_it_is() -> None:
    assert announced([AssetAlias("calls"), {"table": "calls"}, CALLS]) == {CALLS.uri: RECEIPT}


def test_without_outlets_or_events_nothing_happens() -> None:
    assert announced(None) == announced([]) == {}
    publish_receipt({}, [CALLS], RECEIPT)
