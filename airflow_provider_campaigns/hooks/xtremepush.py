"""Airflow connection to an Xtremepush project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.identity import Kind
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.vendors.common.opt_outs import SubscriptionChange
from airflow_provider_campaigns.vendors.xtremepush.dialect import Xtremepush
from airflow_provider_campaigns.vendors.xtremepush.results import read_subscription


class XtremepushHook(CampaignHook):
    """
    Talks to Xtremepush.

    Connection: ``host`` (default https://external-api.xtremepush.com; https://api.us.xtremepush.com in the US),
    ``password`` = app token, from Settings > Integrations > API Integration.

    :param xtremepush_conn_id: id of the Airflow connection.
    """

    conn_type = "xtremepush"
    hook_name = "Xtremepush"
    conn_name_attr = "xtremepush_conn_id"
    default_conn_name = "xtremepush_default"
    default_host = "https://external-api.xtremepush.com"
    opt_out_fields: ClassVar[Mapping[Kind, str]] = {"id": "user_id", "email": "email_address"}
    """What names people in ``subscription_changes``; how a phone number is called there is not documented."""
    dialect: Xtremepush

    def __init__(self, xtremepush_conn_id: str = default_conn_name) -> None:
        super().__init__(xtremepush_conn_id)
        self.xtremepush_conn_id = xtremepush_conn_id

    def make_dialect(self, fields: ConnectionFields) -> Xtremepush:
        """Return the dialect with the app token."""
        return Xtremepush(
            app_token=fields.secret(
                "password", required="the app token, from Settings > Integrations > API Integration"
            ),
            policy=fields.policy,
        )

    def check(self) -> Conversation[str]:
        """Ask for one campaign of the list."""
        return self.dialect.check()

    def execute_campaign(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Execute a campaign and return the vendor's reply; everybody it targets gets the message.

        :param body: ``id``, ``target`` or ``target_with_params``, ``target_by`` …, without the token.
        :raises InputError: ``only_recipients`` of the connection does not allow a target, or there is none to check.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        self._check(body)
        return self.run(self.dialect.execute_campaign(body))

    def _check(self, body: Mapping[str, Any]) -> None:
        target = body.get("target")
        targets = [target] if isinstance(target, (str, int)) else list(target or ())
        targets += body.get("target_with_params") or ()
        if not targets:
            self.refuse_unchecked("a campaign without targets")
        self.check_recipients("email" if body.get("target_by") == "email" else "id", targets)

    def campaign_info(self, campaign_id: str | int, select: Sequence[str] = ()) -> dict[str, Any]:
        """
        Return a campaign.

        :param select: fields; empty: the vendor's choice.
        :raises VendorError: there is no such campaign, or the call failed.
        """
        return self.run(self.dialect.campaign_info(campaign_id, select))

    def list_campaigns(
        self,
        *,
        condition: Sequence[Sequence[Any]] = (),
        order: Sequence[str] = (),
        select: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """
        Yield campaigns, page by page.

        :param condition: e.g. ``[["active", "=", 1]]``.
        :param order: e.g. ``["id DESC"]``.
        :param select: fields; empty: the vendor's choice.
        """
        return self.stream(self.dialect.list_campaigns(condition=condition, order=order, select=select))

    def push_devices(self, campaign_id: str | int) -> Iterator[dict[str, Any]]:
        """Yield what became of a campaign's messages, page by page: a row per device or profile."""
        return self.stream(self.dialect.push_devices(campaign_id))

    def subscription_changes(self, since: datetime | None = None) -> Iterator[SubscriptionChange]:
        """
        Yield who opted out, or in again, page by page, the oldest changes first.

        None, unless Xtremepush logs the project's subscription changes, which is off by default.

        :param since: only changes after it.
        """
        return map(read_subscription, self.stream(self.dialect.subscription_changes(since)))
