"""Airflow connection to an Ozonetel CloudAgent account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from typing import Any

from airflow_provider_campaigns.hooks.account_tokens import CLAIM_MARGIN, SharedTokens, variable_name
from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.vendors.ozonetel.dialect import CALL_RECORD_PAGES_A_MINUTE, Ozonetel, check_call_day


class OzonetelHook(CampaignHook):
    """
    Talks to Ozonetel CloudAgent.

    Connection: ``host`` (default https://in1-ccaas-api.ozonetel.com; https://api.ccaas.ozonetel.com outside India),
    ``login`` = user name, ``password`` = API key, extra ``auth_mode`` = ``token`` (default) or ``basic``, as the
    account's "API Authentication" setting says, extra ``region`` = country of phone numbers without ``+``. In token
    mode, all tasks whose connections have the same user name and API key share one token, since each new one
    invalidates the earlier ones.

    :param ozonetel_conn_id: id of the Airflow connection.
    """

    conn_type = "ozonetel"
    hook_name = "Ozonetel CloudAgent"
    conn_name_attr = "ozonetel_conn_id"
    default_conn_name = "ozonetel_default"
    default_host = "https://in1-ccaas-api.ozonetel.com"
    dialect: Ozonetel

    def __init__(self, ozonetel_conn_id: str = default_conn_name) -> None:
        super().__init__(ozonetel_conn_id)
        self.ozonetel_conn_id = ozonetel_conn_id

    def make_dialect(self, fields: ConnectionFields) -> Ozonetel:
        """Return the dialect with user name, API key and authentication mode."""
        return Ozonetel(
            user_name=fields.text("login", required="the CloudAgent account's user name"),
            api_key=fields.secret("password", required="the account's API key"),
            auth_mode=fields.text("auth_mode") or "token",  # type: ignore[arg-type]
            policy=fields.policy,
        )

    @cached_property
    def tokens(self) -> SharedTokens:
        """The token that the account's tasks share."""
        name = variable_name(self.conn_type, self.dialect.user_name, self.dialect.api_key)
        return SharedTokens(name, claim_lifetime=self.fields.settings.timeout + CLAIM_MARGIN)

    def check(self) -> Conversation[str]:
        """Ask for a campaign's status."""
        return self.dialect.check()

    def campaign_status(self, campaign_name: str) -> dict[str, Any]:
        """
        Return one campaign as the vendor describes it: ``CampaignID``, ``CampaignName``, ``Position``.

        :raises VendorError: there is no such campaign, or the call failed.
        """
        return self.run(self.dialect.campaign_status(campaign_name))

    def set_campaign_status(self, campaign_name: str, action: str) -> str:
        """
        Start or stop a campaign and return the vendor's message; starting makes it dial.

        :param action: ``Start`` or ``Stop``.
        :raises InputError: it starts, and the connection has ``only_recipients``: nobody checked the campaign's leads.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        self.check_action(action)
        return self.run(self.dialect.set_campaign_status(campaign_name, action))

    def check_action(self, action: str | None) -> None:
        """
        Refuse to start a campaign through a connection with ``only_recipients``: it dials leads that nobody checked.

        :raises InputError: ``action`` starts it.
        """
        if str(action).strip().upper() == "START":
            self.refuse_unchecked("the start of a campaign, which dials all of its leads")

    def call_records(self, day: date, campaign_name: str | None = None) -> Iterator[dict[str, Any]]:
        """
        Yield the calls of one day, at most 15 days back, page by page: two pages of 500 a minute.

        :param campaign_name: only this campaign's; default all.
        :raises InputError: the vendor does not give the calls of this day; nothing was asked for.
        """
        check_call_day(day)
        return self.stream(self.dialect.call_records(day, campaign_name), CALL_RECORD_PAGES_A_MINUTE)
