"""What the tests of Collect share: the samples of the vendor's pages, and the requests made of them."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.collect.dialect import Collect
from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest
from tests.vendors.conversations import drive
from tests.vendors.malformed import page

SAMPLES = page("collect")
CAMPAIGN = SAMPLES["request"]["campaignId"]
COLLECT = Collect(api_key="a-key")
SEND = SendCollectRequest(COLLECT, CAMPAIGN)
ROW = {"email": "jo@example.com"}


def sent(send: SendCollectRequest, *rows: dict[str, Any]) -> Any:
    """Return the only request that a batch of ``rows`` makes."""
    _, (request,) = drive(send.request([send.contact(row) for row in rows]), (200, SAMPLES["reply"]))
    return request


def batch(*names: str) -> list[Contact]:
    return [SEND.contact({"email": name} if "@" in name else {"contactId": name}) for name in names]


def made(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    contact = {"_id": "C-9", "email": name} if "@" in name else {"_id": name}
    return {"_id": f"R-{number}", "portalUrl": f"https://portal.example.com/{number}", "contact": contact, **more}
