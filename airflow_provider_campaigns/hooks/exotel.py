"""Airflow connection to an Exotel account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.identity import known_region
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from airflow_provider_campaigns.vendors.exotel.dialect import REQUESTS_A_MINUTE, Exotel


class ExotelHook(CampaignHook):
    """
    Talks to Exotel's campaign API.

    Connection: ``host`` (default https://api.exotel.com; https://api.in.exotel.com for accounts in Mumbai), ``login`` =
    API key, ``password`` = API token, extra ``account_sid``; all three are under "API settings" in the dashboard.
    Extra ``region``: country of numbers without ``+``, two letters, e.g. ``IN``. Extra ``campaign_url``: URL of a
    campaign in your dashboard, with ``{campaign_id}`` and optionally ``{account_sid}``, which Exotel does not document;
    default the campaign's URL in the API, which a browser opens with API key and token.

    :param exotel_conn_id: id of the Airflow connection.
    """

    conn_type = "exotel"
    hook_name = "Exotel"
    conn_name_attr = "exotel_conn_id"
    default_conn_name = "exotel_default"
    default_host = "https://api.exotel.com"
    dialect: Exotel

    def __init__(self, exotel_conn_id: str = default_conn_name) -> None:
        super().__init__(exotel_conn_id)
        self.exotel_conn_id = exotel_conn_id

    def make_dialect(self, fields: ConnectionFields) -> Exotel:
        """Return the dialect with API key, API token and account SID."""
        return Exotel(
            api_key=fields.text("login", required="the API key"),
            api_token=fields.secret("password", required="the API token"),
            account_sid=fields.text("account_sid", required="the account SID"),
            policy=fields.policy,
        )

    def campaign_url(self, campaign_id: str) -> str:
        """Return the address of the campaign's page; see the extra ``campaign_url``."""
        page = super().campaign_url(campaign_id)
        if not page:
            return self.fields.settings.base_url + self.dialect.campaign_path(campaign_id)
        return page.replace("{account_sid}", quote(self.dialect.account_sid, safe=""))

    def check(self) -> Conversation[str]:
        """Ask for one campaign of the list."""
        return self.dialect.check()

    def create_campaign(self, campaign: CreateCampaign, *, checked: bool = False) -> dict[str, Any]:
        """
        Create a campaign, which dials at its ``send_at`` or at once, and return it with its ``id``.

        :param checked: its recipients were checked against ``only_recipients``; else they are checked here, and
            contact lists are refused with such a connection.
        :raises InputError: the campaign cannot be created as given; nothing was sent.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when the campaign may have been created.
        """
        if self.only_recipients and not checked:
            body = campaign.body()
            if "from" not in body or "lists" in body:
                self.refuse_unchecked("a campaign for contact lists")
            self.check_recipients("phone", body["from"], known_region(campaign.region))
        return self.run(self.dialect.create_campaign(campaign))

    def get_campaign(self, campaign_id: str) -> dict[str, Any]:
        """
        Return one campaign with its ``stats`` and ``summary``.

        :raises VendorError: there is no such campaign, or the call failed.
        """
        return self.run(self.dialect.get_campaign(campaign_id))

    def find_campaigns(self, name: str) -> list[dict[str, Any]]:
        """Return the campaigns of exactly this name, the newest first."""
        return self.run(self.dialect.find_by_name(name))

    def list_campaigns(
        self,
        status: str | Sequence[str] | None = None,
        name: str | None = None,
        sort_by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """
        Yield campaigns, page by page: 30 pages of 500 a minute.

        :param status: one status or several, sent as they are, e.g. ``"Created,Completed"``; default all.
        :param name: the vendor searches for it; whether whole or in part is not documented.
        :param sort_by: ``date_created:asc`` (the vendor's default), ``name:asc``, or with ``:desc``.
        :param limit: campaigns in all; default every one.
        """
        return self.stream(self.dialect.list_campaigns(status, name, sort_by, limit), REQUESTS_A_MINUTE)

    def update_campaign(self, campaign_id: str, action: str) -> dict[str, Any]:
        """
        Pause, resume, complete or archive a campaign and return it as the reply shows it, empty when it does not.

        :param action: ``pause``, ``resume``, ``complete`` (a paused one) or ``archive`` (a completed one).
        :raises InputError: it resumes, and the connection has ``only_recipients``: nobody checked whom it rings.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        if action not in {"pause", "complete", "archive"}:
            self.refuse_unchecked(f"{action} of a campaign, which rings the rest of its numbers")
        return self.run(self.dialect.update_campaign(campaign_id, action))

    def create_contacts(self, numbers: Sequence[str]) -> list[str]:
        """
        Create a contact for each of up to 5,000 phone numbers and return their ids; nobody is rung.

        :raises VendorError: the vendor refused one, or the call failed.
        """
        return self.run(self.dialect.create_contacts([{"number": number} for number in numbers]))

    def create_list(self, name: str) -> str:
        """
        Create an empty contact list, whose name must be new, and return its id.

        :raises VendorError: there is one of that name, or the call failed.
        """
        return self.run(self.dialect.create_list(name))

    def find_list(self, name: str) -> str | None:
        """Return the id of the contact list of exactly this name, None when there is none."""
        return self.run(self.dialect.find_list(name))

    def count_list(self, list_id: str) -> int | None:
        """Return how many contacts are on a list, None when the vendor does not say."""
        return self.run(self.dialect.count_list(list_id))

    def add_contacts_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        """
        Add up to 5,000 contacts to a list.

        :raises VendorError: the call failed; ``OutcomeUnknownError`` when they may have been added.
        """
        self.run(self.dialect.add_contacts_to_list(list_id, contact_ids))

    def call_details(self, campaign_id: str) -> Iterator[dict[str, Any]]:
        """Yield the calls of one campaign, page by page: 30 pages of 20 a minute."""
        return self.stream(self.dialect.call_details(campaign_id), REQUESTS_A_MINUTE)
