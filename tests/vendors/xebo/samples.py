"""What the tests of Xebo share: the samples of the vendor's pages, contacts, and replies about them."""

from __future__ import annotations

from typing import Any

from airflow_provider_campaigns.protocol.send import Contact
from airflow_provider_campaigns.vendors.xebo.dialect import Xebo
from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey
from tests.vendors.malformed import page

SAMPLES = page("xebo")
COLLECTOR = "66c70e71f57bd9efe12d691d"
LOGIN = Xebo(email="jo@example.com", password="s3cret")
KEY = Xebo(api_key="a-key")
LINKS = TriggerSurvey(KEY, COLLECTOR, "J/d5730267")


def contacts(*ids: str, send: TriggerSurvey = LINKS) -> list[Contact]:
    return [send.contact({"extUniqueId": name}) for name in ids]


def links_reply(data: Any = (), rejected_list: Any = (), **counts: Any) -> dict[str, Any]:
    listed = [{"extUniqueId": name, "message": f"Go to https://s2ccx.com/{name}"} for name in data]
    return {"msg": "Request data is correct", "data": listed, "rejected_list": list(rejected_list), **counts}


def statuses(replies: Any) -> list[str]:
    return [reply.status for reply in replies]
