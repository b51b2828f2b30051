"""What the Exotel operators tell of a campaign: itself, with a count in place of its numbers, and a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def described(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign with a count in place of its numbers, as it may be shown."""
    numbers = campaign.get("from")
    if isinstance(numbers, str):
        numbers = numbers.split(",")
    return dict(campaign) if numbers is None else {**campaign, "from": len(numbers)}


def receipt_of(campaign: Mapping[str, Any], counts: Mapping[str, int] | None) -> dict[str, Any]:
    """
    Return the receipt of a campaign: as the delivering operators', and ``campaign_id``.

    :param campaign: as the vendor describes it; it takes all numbers or none.
    :param counts: numbers by status, None when they are not known (lists that Exotel had already): then the receipt
        has none.
    """
    from airflow_provider_campaigns.delivery.record.receipt import make_receipt

    about = {"vendor": "exotel", "campaign": campaign.get("name"), "campaign_id": campaign["id"]}
    if counts is None:
        return about
    return {**make_receipt("exotel", str(campaign.get("name")), counts, counts["requests"], None), **about}
