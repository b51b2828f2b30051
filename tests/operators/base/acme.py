"""An operator whose vendor is a fake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.protocol.messages import Conversation, NoReplyError, Response, T
from tests.delivery.world import AcmeSend, World, phones

MakeAcme = Callable[..., CampaignDeliveryOperator]

PEOPLE = [{"phone": phone, "name": "Jo"} for phone in phones(5)]
A, B, C = ([{"phone": phone}] for phone in phones(3))
"""Lists of one contact each."""


def people(*numbers: int) -> list[dict[str, str]]:
    """Return the contacts with these numbers, from 0."""
    return [{"phone": phones(1, first=number)[0]} for number in numbers]


class AcmeHook:
    """A hook whose vendor is a ``World``."""

    def __init__(self, world: World, only_recipients: Sequence[str]) -> None:
        self.world = world
        self.only_recipients = tuple(only_recipients)
        self.identity = {"vendor": "acme", "host": "https://api.example.com", "account": "1234"}
        self.secrets = ("top-secret-key",)

    def campaign_url(self, campaign_id: str) -> str | None:
        return self.world.campaign_url

    def requests_per_minute(self, documented: float | None) -> float | None:
        return documented

    def sending_transport(self, concurrency: int) -> Callable[..., AcmeTransport]:
        return lambda sleep, in_main_thread: AcmeTransport(self.world)


class AcmeTransport:
    """A transport to a ``World``."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def run(self, conversation: Conversation[T]) -> T:
        return self.world.run(conversation)


class AcmeOperator(CampaignDeliveryOperator):
    """Delivers to a ``World``."""

    template_fields: Sequence[str] = (*CampaignDeliveryOperator.template_fields, "campaign")

    def __init__(
        self, *, world: World, campaign: str = "spring", only_recipients: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.world = world
        self.campaign = campaign
        self.only_recipients = only_recipients

    @cached_property
    def hook(self) -> Any:
        return AcmeHook(self.world, self.only_recipients)

    def make_send(self) -> Any:
        if not self.campaign:
            raise InputError("campaign", "the name of a campaign", "nothing")
        return AcmeSend(self.campaign, batch_limit=3)


def make_acme(world: World, **parameters: Any) -> AcmeOperator:
    """Return an operator."""
    return AcmeOperator(**{"task_id": "send", "world": world, "contacts": PEOPLE, **parameters})


def refuse(number: int, keys: list[str]) -> Response:
    return Response(402, b'{"message": "no credit"}')


def refuse_after(world: World, requests: int) -> None:
    """Let the vendor refuse every call but the first ones."""
    world.answer = lambda number, keys: world.accept(keys) if number <= requests else refuse(number, keys)


def silence(number: int, keys: list[str]) -> Exception:
    return NoReplyError("nothing within 30 s")


def statuses(outcomes: Any) -> list[str]:
    return [line["status"] for line in outcomes]
