"""Airflow connection to a Xebo account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.vendors.xebo.checks import MEDIA
from airflow_provider_campaigns.vendors.xebo.dialect import COMPLETE, LOGIN_URL, SEND_PATH, Xebo


class XeboHook(CampaignHook):
    """
    Talks to Xebo (formerly Survey2Connect).

    Connection: ``host`` = the data centre's address (e.g. https://az4-api.xebo.ai; required), ``login`` = e-mail and
    ``password``, or the extra ``api_key`` in their place; extras ``login_url`` (default https://api.xebo.ai),
    ``send_path``, and ``region``, the country of phone numbers without ``+``.

    :param xebo_conn_id: id of the Airflow connection.
    """

    conn_type = "xebo"
    hook_name = "Xebo"
    conn_name_attr = "xebo_conn_id"
    default_conn_name = "xebo_default"
    dialect: Xebo

    def __init__(self, xebo_conn_id: str = default_conn_name) -> None:
        super().__init__(xebo_conn_id)
        self.xebo_conn_id = xebo_conn_id

    def make_dialect(self, fields: ConnectionFields) -> Xebo:
        """Return the dialect with the API key, or with e-mail and password."""
        email, password, api_key = fields.text("login"), fields.secret("password"), fields.secret("api_key")
        if not api_key and not (email and password):
            raise fields.wrong(
                "login and password", "a user's e-mail and password, or an API key in the extra api_key", "neither"
            )
        return Xebo(
            email=email,
            password=password,
            api_key=api_key,
            login_url=fields.text("login_url") or LOGIN_URL,
            send_path=fields.text("send_path") or SEND_PATH,
            policy=fields.policy,
        )

    def check(self) -> Conversation[str]:
        """Log in, or have the API key checked."""
        return self.dialect.check()

    def links(self, collector_id: str, collector_token: str, contacts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """
        Generate a survey link for each contact and return the vendor's reply; no one is contacted.

        :param collector_id: the collector's 24-hex id.
        :param collector_token: ``collectortoken`` of the collector; left out when empty.
        :param contacts: 500 at the most, each with ``extUniqueId``, ``email`` or ``mobile``.
        """
        reply: dict[str, Any] = self.run(self.dialect.links(collector_id, collector_token, contacts))
        return reply

    def send(
        self, collector_id: str, collector_token: str, medium: int, contacts: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """
        Make Xebo send the survey and return the vendor's reply, which may refuse single contacts.

        :param medium: 1 SMS, 2 e-mail, 3 WhatsApp.
        :raises InputError: ``only_recipients`` of the connection does not allow one of them.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        by_email = medium == MEDIA["email"]
        addresses = [contact.get("email" if by_email else "mobile") for contact in contacts]
        self.check_recipients("email" if by_email else "phone", addresses)
        reply: dict[str, Any] = self.run(self.dialect.send(collector_id, collector_token, medium, contacts))
        return reply

    def responses(
        self,
        survey_id: str,
        *,
        collector_ids: Sequence[str] | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        response_status: Sequence[int] = (COMPLETE,),
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the responses to a survey, page by page.

        :param survey_id: UUID of the survey.
        :param collector_ids: UUIDs of collectors (not the 24-hex ids of ``links``); None: all.
        :param since: first day; hours are ignored.
        :param until: last day; default tomorrow. Needs ``since``.
        :param response_status: 0 partial, 1 complete (default), 2 disqualified.
        """
        return self.stream(
            self.dialect.responses(
                survey_id, collector_ids=collector_ids, since=since, until=until, response_status=response_status
            )
        )
