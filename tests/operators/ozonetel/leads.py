"""Leads for the sandbox's Ozonetel, and the operator that adds them."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator

PHONE = "+447700900100"
DND = "+447700900996"


def add(**changes: Any) -> AddCampaignLeadOperator:
    parameters: dict[str, Any] = {"task_id": "send", "campaign_name": "Demo", "contacts": leads(1), **changes}
    return AddCampaignLeadOperator(**parameters)


def leads(number: int) -> list[dict[str, str]]:
    """Return leads with numbers reserved for fiction: 100 of each area code."""
    return [
        {"phoneNumber": f"+1{201 + index // 100}55501{index % 100:02}", "Name": f"José {index}"}
        for index in range(number)
    ]


def position(name: str = "Demo") -> str:
    return str(add().hook.campaign_status(name)["Position"])
