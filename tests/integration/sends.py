"""The sends that tasks are killed in: which operator, how many requests in flight, of how many contacts each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import BaseOperator

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
    operator: type[BaseOperator]
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

    def task(self, **parameters: Any) -> BaseOperator:
        """Return the task ``send``, whose campaign, contacts and outcomes are named when its DAG is triggered."""
        return self.operator(
            task_id="send",
            **{self.campaign: "{{ dag_run.conf['campaign'] }}"},
            contacts="{{ dag_run.conf['contacts'] }}",
            outcomes_path="{{ dag_run.conf['outcomes'] }}",
            on_unknown="{{ dag_run.conf['on_unknown'] }}",
            **{f"{self.vendor}_conn_id": "{{ dag_run.conf['conn_id'] }}"},
            batch_size=self.batch_size,
            max_concurrency=self.max_concurrency,
            **self.parameters,
            **parameters,
        )


BATCHES = {"batch_size": 3, "max_concurrency": 2}
XEBO = {
    "vendor": "xebo",
    "operator": TriggerSurveyOperator,
    "campaign": "collector_id",
    "campaign_form": "{:024x}",
    "column": "email",
    "path": "/collectors/",
}
OZONETEL = {
    "vendor": "ozonetel",
    "operator": AddCampaignLeadOperator,
    "campaign": "campaign_name",
    "campaign_form": "Demo{}",
    "column": "phoneNumber",
    "path": "/AddCampaign",
}

SENDS = {
    "xebo": SendKind(**XEBO, **BATCHES, parameters={"collector_token": "t", "medium": "email"}),
    "xebo-links": SendKind(
        **XEBO, batch_size=3, safe=True, contacts_nobody=True, parameters={"collector_token": "t", "medium": None}
    ),
    "collect": SendKind("collect", SendCollectRequestOperator, "campaign_id", "email", "/request", "KYC{}", **BATCHES),
    "xtremepush": SendKind(
        "xtremepush",
        ExecuteXtremepushCampaignOperator,
        "campaign_id",
        "user_id",
        "/execute/",
        **BATCHES,
    ),
    "ozonetel": SendKind(**OZONETEL, parameters={"check_duplicate": False}),
    "ozonetel-checked": SendKind(**OZONETEL, safe=True, parameters={"check_duplicate": True}),
    "ozonetel-bulk": SendKind(**OZONETEL, **BATCHES, parameters={"check_duplicate": False, "bulk": True}),
}
