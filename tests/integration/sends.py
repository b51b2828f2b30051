"""The sends that tasks are killed in: which operator, how many requests in flight, of how many contacts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.collect import SendCollectRequestOperator
from airflow_provider_campaigns.operators.ozonetel import AddCampaignLeadOperator
from airflow_provider_campaigns.operators.xebo import TriggerSurveyOperator
from airflow_provider_campaigns.operators.xtremepush import ExecuteXtremepushCampaignOperator

# Ofcom keeps a thousand numbers of each of these free for drama: eleven cities with the same exchange, then others.
CITIES = (113, 114, 115, 116, 117, 118, 121, 131, 141, 151, 161)
OTHERS = (1914980, 2079460, 2896496, 2920180, 1632960, 7700900, 8081570, 3069990)
PHONES = [
    f"+44{prefix}{number:03}" for prefix in (*(f"{city}4960" for city in CITIES), *OTHERS) for number in range(1000)
]


@dataclass(frozen=True)
class SendKind:
    """
    One way to send.

    :param operator: the operator; ``parameters`` its own parameters.
    :param campaign: name of its parameter that names the campaign; ``campaign_form`` makes the name from a number.
    :param column: the contacts' only column.
    :param path: part of the path of the call that sends.
    :param safe: whether that call is safe to resend.
    :param contacts_nobody: whether a contact that is received has not been contacted yet.
    :param batch_size: contacts per request; ``max_concurrency``: requests in flight.
    """

    vendor: str
    operator: type[CampaignDeliveryOperator]
    campaign: str
    column: str
    path: str
    campaign_form: str = "{}"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    safe: bool = False
    contacts_nobody: bool = False
    batch_size: int = 1
    max_concurrency: int = 16

    def people(self, number: int) -> Sequence[str]:
        """Return the contacts' keys, nobody's."""
        people: dict[str, Callable[[int], str]] = {
            "phoneNumber": PHONES.__getitem__,
            "email": "contact{}@example.com".format,
            "user_id": "user{}".format,
        }
        return list(map(people[self.column], range(number)))

    def task(self, **parameters: Any) -> CampaignDeliveryOperator:
        """Return the task ``send``, whose campaign, contacts and outcomes are named when its DAG is triggered."""
        named: dict[str, Any] = {
            self.campaign: "{{ dag_run.conf['campaign'] }}",
            f"{self.vendor}_conn_id": "{{ dag_run.conf['conn_id'] }}",
            "on_unknown": "{{ dag_run.conf['on_unknown'] }}",
        }
        return self.operator(
            task_id="send",
            **named,
            contacts="{{ dag_run.conf['contacts'] }}",
            outcomes_path="{{ dag_run.conf['outcomes'] }}",
            batch_size=self.batch_size,
            max_concurrency=self.max_concurrency,
            **self.parameters,
            **parameters,
        )


def batched(kind: SendKind) -> SendKind:
    """Return the same send with several contacts per request."""
    return replace(kind, batch_size=3, max_concurrency=2)


XEBO = SendKind("xebo", TriggerSurveyOperator, "collector_id", "email", "/collectors/", "{:024x}")
COLLECT = SendKind("collect", SendCollectRequestOperator, "campaign_id", "email", "/request", "KYC{}")
XTREMEPUSH = SendKind("xtremepush", ExecuteXtremepushCampaignOperator, "campaign_id", "user_id", "/execute/")
OZONETEL = SendKind(
    "ozonetel",
    AddCampaignLeadOperator,
    "campaign_name",
    "phoneNumber",
    "/AddCampaign",
    "Demo{}",
    parameters={"check_duplicate": False},
)

SENDS = {
    "xebo": batched(replace(XEBO, parameters={"collector_token": "example-collector-token", "medium": "email"})),
    "xebo-links": replace(
        XEBO,
        batch_size=3,
        safe=True,
        contacts_nobody=True,
        parameters={"collector_token": "example-collector-token", "medium": None},
    ),
    "collect": batched(COLLECT),
    "xtremepush": batched(XTREMEPUSH),
    "ozonetel": OZONETEL,
    "ozonetel-checked": replace(OZONETEL, safe=True, parameters={"check_duplicate": True}),
    "ozonetel-bulk": batched(replace(OZONETEL, parameters={"check_duplicate": False, "bulk": True})),
}
