"""Airflow connection to a Collect user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Unpack

from airflow_provider_campaigns.hooks.base import CampaignHook
from airflow_provider_campaigns.hooks.fields import ConnectionFields
from airflow_provider_campaigns.protocol.messages import Conversation
from airflow_provider_campaigns.protocol.reading import read_only
from airflow_provider_campaigns.vendors.collect.changes import RequestChanges
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
        :raises InputError: ``only_recipients`` of the connection does not allow the contact.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        self._check([contact])
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
        :raises InputError: ``only_recipients`` of the connection does not allow one of them.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        self._check(contacts)
        return self.run(self.dialect.send_requests(campaign_id, contacts, options))

    def _check(self, contacts: Sequence[str | Mapping[str, Any]]) -> None:
        for contact in contacts:
            if isinstance(contact, Mapping):
                self.check_recipients("email", [contact.get("email")])
            else:
                self.check_recipients("id", [contact])

    def update_request(self, request_id: str, **changes: Unpack[RequestChanges]) -> dict[str, Any]:
        """
        Modify a request and return it; what is None stays as it is.

        :param changes: ``status`` (``pending``, ``completed``, ``waiting``, ``canceled``, ``archived``, or one of the
            account's own), ``due_date``, ``data``, ``assigned_to`` (a team member's id or e-mail; ``unset`` clears it),
            ``send_completion_message``, ``send_rejection_message``, ``send_reopen_message``.
        :raises InputError: nothing to change, or a due date without a time zone; or the connection has
            ``only_recipients``: a change may send a message, and the request's contact is not known here.
        :raises VendorError: the call failed; ``OutcomeUnknownError`` when it may have been carried out.
        """
        self.refuse_unchecked("a change to a request, which may send its contact a message")
        return self.run(self.dialect.update_request(request_id, **changes))

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

    def look_up(self, campaign: str, key: str, since: datetime) -> str | None:
        """Return which requests the campaign has to a contact; one that is given by its id cannot be searched for."""
        if "@" not in key:
            return None
        # A clock may differ from Collect's by as much.
        since -= timedelta(minutes=1)
        found = self.run(read_only(self.dialect.find_requests(campaign, key, since)))
        if not found:
            return "no request found since then (among those that are neither cancelled nor archived)"
        states = ", ".join(sorted(str(request.get("status")) for request in found))
        return f"{len(found)} request{'' if len(found) == 1 else 's'} sent since then: {states}"
