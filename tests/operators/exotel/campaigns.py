"""Campaigns to create at the sandbox's Exotel, and what it has of them."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.operators.exotel import CreateExotelCampaignOperator, ListExotelCampaignsOperator
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from tests.connections import calls

NUMBERS = ["+447700900100", "+447700900101"]
BUSY, FAILING = "+447700900991", "+447700900993"
FLOW = "http://my.exotel.com/sandbox1/exoml/start_voice/4"
TIMEOUT = 3.0


def create(**options: Any) -> CreateExotelCampaignOperator:
    given = {"numbers": NUMBERS, "name": "Spring", "caller_id": "02025550100", "url": FLOW, "retries": 1}
    every: dict[str, Any] = {"poke_interval": 0.01, **given, **options}
    return CreateExotelCampaignOperator(task_id="call", **every)


def posts(sandbox: SandboxClient) -> int:
    """How many requests created campaigns."""
    return calls(sandbox, "exotel").count("create_campaign")


def campaigns(sandbox: SandboxClient) -> list[dict[str, Any]]:
    found = ListExotelCampaignsOperator(task_id="list").execute({})
    assert isinstance(found, list)
    return found


def killed(*_: object) -> Any:
    raise KeyboardInterrupt
