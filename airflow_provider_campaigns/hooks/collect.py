"""Airflow connection to a Collect user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.vendors.collect.dialect import Collect


class CollectHook(CampaignHook):
    """
    Talks to Collect (usecollect.com).

    Connection: ``host`` (default https://api.usecollect.com), ``password`` = API key, from the bottom of the user's
    profile page.

    :param collect_conn_id: id of the Airflow connection.
    """

    conn_type = "collect"
    hook_name = "Collect"
    conn_name_attr = "collect_conn_id"
    default_conn_name = "collect_default"
    default_host = "https://api.usecollect.com"
    dialect: Collect

    def __init__(self, collect_conn_id: str = default_conn_name) -> None:
        super().__init__(collect_conn_id)
        self.collect_conn_id = collect_conn_id

    def make_dialect(self, fields: ConnectionFields) -> Collect:
        """Return the dialect with the API key."""
        return Collect(
            api_key=fields.secret("password", required="the API key, from the bottom of the user's profile page"),
            policy=fields.policy,
        )

    def account(self) -> str:
        """Return the API key, which is all that tells one user from another."""
        return self.dialect.api_key

    def check(self) -> Conversation[str]:
        """Ask for the team."""
        return self.dialect.check()

    def send_request(
        self, campaign_id: str, contact: str | Mapping[str, Any], options: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """
        Send a request to one contact and return the vendor's reply, whose ``errors`` may refuse it.

        :param contact: an existing contact's id, or a contact (``email``, ``firstName``, ``lastName``, ``company``,
            ``data``).
        :param options: ``items``, ``data``, ``sample``, ``dueDate``, ``createdBy``, ``assignedTo``, ``sendMessage``.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        return self.run(self.dialect.send_request(campaign_id, contact, options))

    def send_requests(
        self,
        campaign_id: str,
        contacts: Sequence[str | Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """
        Send a request to each of 50 contacts at the most and return the vendor's reply.

        :param contacts: as ``contact`` of ``send_request``.
        :param options: ``items``, ``samples``, ``dueDate``, ``assignedTo``, ``sendMessage``.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        return self.run(self.dialect.send_requests(campaign_id, contacts, options))

    def update_request(
        self,
        request_id: str,
        *,
        status: str | None = None,
        due_date: date | str | None = None,
        data: Mapping[str, Any] | None = None,
        assigned_to: str | None = None,
        send_completion_message: bool | None = None,
        send_rejection_message: bool | None = None,
        send_reopen_message: bool | None = None,
    ) -> dict[str, Any]:
        """
        Modify a request and return it; what is None stays as it is.

        :param status: ``pending``, ``completed``, ``waiting``, ``canceled``, ``archived``, or one of the account's own.
        :param assigned_to: a team member's id or e-mail; ``unset`` clears it.
        :raises InputError: nothing to change, or a due date without a time zone.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        return self.run(
            self.dialect.update_request(
                request_id,
                status=status,
                due_date=due_date,
                data=data,
                assigned_to=assigned_to,
                send_completion_message=send_completion_message,
                send_rejection_message=send_rejection_message,
                send_reopen_message=send_reopen_message,
            )
        )

    def get_request(self, request_id: str) -> dict[str, Any]:
        """Return one request; it holds signed addresses of the uploaded documents: keep it out of logs and XComs."""
        return self.run(self.dialect.get_request(request_id))

    def list_requests(
        self, campaign_id: str, *, status: str | None = None, search: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        Yield a campaign's requests, page by page.

        :param status: only these; by default all but cancelled ones, archived ones and drafts.
        :param search: only those the vendor finds by this text.
        """
        return self.stream(self.dialect.list_requests(campaign_id, status=status, search=search))

    def find_requests(self, campaign_id: str, email: str, since: datetime) -> list[dict[str, Any]]:
        """Return the requests of a campaign that were sent to ``email`` at ``since`` or later."""
        return self.run(self.dialect.find_requests(campaign_id, email, since))
