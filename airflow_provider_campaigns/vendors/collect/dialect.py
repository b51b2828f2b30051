"""
Collect (usecollect.com): requests for documents and forms, sent to contacts; what became of them.

The pages: https://developers.usecollect.com/operation/operation-send-a-new-request, -send-multiple-requests,
-modify-a-request, -get-a-specific-request, -list-all-the-requests-of-a-campaign and -get-team-information.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Literal, Unpack
from urllib.parse import quote

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
)
from airflow_provider_campaigns.parameters import parse_timestamp
from airflow_provider_campaigns.protocol.dialect import AccountFact, Dialect, VendorMessage, json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.collect.changes import RequestChanges, changes_body
from airflow_provider_campaigns.vendors.collect.replies import is_sent_to
from airflow_provider_campaigns.vendors.common.paging import pages
from airflow_provider_campaigns.vendors.common.reply_values import items, mapping, text, words

PAGE_SIZE = 100  # "limit", at the most (-list-all-the-requests-of-a-campaign)
MOST_LISTED = 100  # requests named one by one in a sensor's details, which end in an XCom

COMPLETED = "completed"
# The pages spell it "cancelled" where they list requests and "canceled" where they modify one. Past its due date
# ("due") a request can still be completed, and an account may have statuses of its own: neither is an end.
FAILED = frozenset({"error", "cancelled", "canceled", "archived"})
UNFINISHED = frozenset({"pending", "waiting", "due"})
UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True)
class Collect(Dialect):
    """
    One Collect user.

    :param api_key: at the bottom of the user's profile page.
    """

    vendor: ClassVar[str] = "collect"
    # "503: We're temporarily offline for maintenance. Please try again later." (every operation's page). The 500 says
    # so too, but a server that failed half-way may have sent the request.
    tries_again_later: ClassVar[frozenset[int]] = frozenset({503})

    api_key: str = field(repr=False)

    def authorize(self, request: Request, token: str) -> Request:
        """Add HTTP Basic with an empty user and the key as password (the sample's user is a placeholder)."""
        basic = b64encode(f":{self.api_key}".encode()).decode()
        return replace(request, headers={**request.headers, "Authorization": f"Basic {basic}"})

    def explain(self, response: Response) -> VendorMessage:
        """Read an error's body, whose form is not published, and never repeat the key."""
        said = words(json_object(response).get("errors"))
        code, message = super().explain(response)
        return VendorMessage(code, said or message)

    def send_request(
        self, campaign_id: str, contact: str | Mapping[str, Any], options: Mapping[str, Any] | None = None
    ) -> Conversation[dict[str, Any]]:
        """
        Send a request to one contact (-send-a-new-request); returns the reply, whose ``errors`` may refuse it.

        A campaign that does not exist and a contact id that does not are both answered 404.

        :param contact: an existing contact's id, or a contact.
        :param options: ``items, data, sample, dueDate, createdBy, assignedTo, sendMessage, sendCompletionMessage,
            sendRejectionMessage, sendReopenMessage, esignDocs, esignTriggers``.
        """
        body = {"campaignId": campaign_id, "contact": contact, **(options or {})}
        return json_object((yield from exchange(self, Request("POST", "/v1/request", "write", json=body))))

    def send_requests(
        self,
        campaign_id: str,
        contacts: Sequence[str | Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
    ) -> Conversation[dict[str, Any]]:
        """
        Send a request to each of 50 contacts at the most (-send-multiple-requests); returns the reply.

        :param contacts: ids of existing contacts, or contacts.
        :param options: ``items, samples, dueDate, assignedTo, sendMessage``.
        """
        body = {"campaignId": campaign_id, "contacts": list(contacts), **(options or {})}
        return json_object((yield from exchange(self, Request("POST", "/v1/requests", "write", json=body))))

    def update_request(self, request_id: str, **changes: Unpack[RequestChanges]) -> Conversation[dict[str, Any]]:
        """
        Modify a request (-modify-a-request) and return it; what is None stays as it is.

        Not declared safe to resend: a change of status may send a message.

        :raises InputError: nothing to change, or a due date without a time zone.
        :raises RequestRejectedError: the reply holds errors.
        """
        body = {"requestId": request_id, **changes_body(changes)}
        return self._updated((yield from exchange(self, Request("PATCH", "/v1/request", "write", json=body))))

    def get_campaign(self, campaign_id: str) -> Conversation[dict[str, Any]]:
        """
        Return one campaign (-get-specific-campaign).

        :raises CallRefusedError: there is none of that id, or the user may not see it.
        """
        path = f"/v1/campaigns/{quote(campaign_id, safe='')}"
        return json_object((yield from exchange(self, Request("GET", path, "read"))))

    def get_request(self, request_id: str) -> Conversation[dict[str, Any]]:
        """
        Return one request (-get-a-specific-request).

        It holds signed addresses of the uploaded documents, good for 15 minutes: keep it out of logs and XComs.
        """
        path = f"/v1/requests/{quote(request_id, safe='')}"
        return json_object((yield from exchange(self, Request("GET", path, "read"))))

    def list_requests(
        self, campaign_id: str, *, status: str | None = None, search: str | None = None
    ) -> Conversation[int]:
        """
        Yield a campaign's requests page by page and return their number (-list-all-the-requests-of-a-campaign).

        :param status: only these; by default all but cancelled ones, archived ones and drafts.
        :param search: only those the vendor finds by this text.
        """
        return (yield from pages(self.vendor, lambda page: self._list(campaign_id, page, status, search), PAGE_SIZE))

    def find_requests(self, campaign_id: str, email: str, since: datetime) -> Conversation[list[dict[str, Any]]]:
        """
        Return the requests of a campaign that were sent to ``email`` at ``since`` or later.

        Whole seconds count, as the vendor's dates have no others. A request whose creation date cannot be read is not
        among them: it proves nothing.
        """
        found: list[Any] = []
        since = since.replace(microsecond=0)

        def keep(page: Sequence[Any]) -> None:
            # Only these: a vendor that does not search lists all of the campaign's.
            found.extend(one for one in page if is_sent_to(one, campaign_id, email) and _created(one, since))

        yield from pages(self.vendor, lambda page: self._list(campaign_id, page, None, email), PAGE_SIZE, keep=keep)
        return found

    def poll_requests(self, request_ids: Sequence[str], campaign_id: str | None = None) -> Conversation[PollResult]:
        """
        Poll requests: ``done`` when all are completed, ``failed`` when one never will be.

        The details count requests by status and name the first hundred, unfinished ones first.

        :param campaign_id: all requests are of this campaign: its list is read, as long as that takes fewer calls than
            asking for each; those that it leaves out (cancelled and archived ones) are asked for.
        :raises InputError: no ids.
        """
        ids = [request_ids] if isinstance(request_ids, str) else list(request_ids)
        if not ids:
            raise InputError("request_ids", "at least one id", "none")
        listed = (yield from self._listed(ids, campaign_id)) if campaign_id else {}
        statuses: dict[str, str] = {}
        for request_id in ids:
            if request_id in listed:
                statuses[request_id] = listed[request_id]
            else:
                request = yield from self.get_request(request_id)
                statuses[request_id] = text(request.get("status")) or UNREADABLE
        return _progress(statuses)

    def _listed(self, request_ids: Sequence[str], campaign_id: str) -> Conversation[dict[str, str]]:
        """Return the statuses of requests that the first pages of a campaign's list have, half as many as there are."""
        wanted, before = set(request_ids), list[Any]()
        found: dict[str, str] = {}
        for page in range(len(request_ids) // 2):
            requests = yield from self._list(campaign_id, page, None, None)
            ids = {text(mapping(request).get("_id")): request for request in requests}
            found.update({one: text(ids[one].get("status")) or UNREADABLE for one in ids.keys() & wanted if one})
            if len(requests) < PAGE_SIZE or len(found) == len(wanted) or requests == before:
                break
            before = requests
        return found

    def check(self) -> Conversation[str]:
        """
        Ask for the team (-get-team-information), which proves the key, and say which it is.

        :raises VendorError: the key is not taken, or the host is not Collect's.
        """
        response = yield from exchange(self, Request("GET", "/v1/team", "read"))
        team = json_object(response)
        if not text(team.get("_id")):
            raise CallRefusedError(
                self.vendor, "the reply holds no team; check the connection's host", status=response.status
            )
        return f"Collect takes the API key (team {text(team.get('name')) or team['_id']})"

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """Return which team and plan the key belongs to (-get-team-information)."""
        team = json_object(reply)
        plan = mapping(team.get("plan"))
        named = {
            "team": team.get("name"),
            "time zone": team.get("tz"),
            "plan": plan.get("name"),
            "plan ends": plan.get("end"),
        }
        basic = AccountFact("API key as password of HTTP Basic, without a user name", "taken", holds=True)
        return [basic, *(AccountFact(name, said) for name, value in named.items() if (said := text(value)))]

    def _list(self, campaign_id: str, page: int, status: str | None, search: str | None) -> Conversation[list[Any]]:
        query: dict[str, str | int | None] = {
            "campaignId": campaign_id,
            "offset": page * PAGE_SIZE,
            "limit": PAGE_SIZE,
            "filter": status,
            "search": search,
        }
        return items((yield from exchange(self, Request("GET", "/v1/requests", "read", params=query))).json())

    def _updated(self, response: Response) -> dict[str, Any]:
        """Read the reply to a change: errors beside the request refuse it, also on a 200."""
        body = json_object(response)
        if words(body.get("errors")):
            raise self.error(RequestRejectedError, response)
        request = body.get("request")
        if not isinstance(request, dict):
            raise OutcomeUnknownError(self.vendor, "neither a request nor errors in the reply", status=response.status)
        return request


def parse_date(value: object) -> datetime | None:
    """Return a date of a reply: ``2022-07-04 07:20:06 UTC``, newer ``2024-12-04T07:20:06Z``; None for anything else."""
    try:
        return parse_timestamp(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _created(request: Any, since: datetime) -> bool:
    created = parse_date(mapping(request).get("createdAt"))
    return created is not None and created >= since


def _progress(statuses: Mapping[str, str]) -> PollResult:
    counts = Counter(statuses.values())
    state: Literal["running", "done", "failed"] = "running"
    if counts.keys() & FAILED:
        state = "failed"
    elif counts.keys() == {COMPLETED}:
        state = "done"
    status = (
        ", ".join(f"{number} {name}" for name, number in counts.items()) if len(statuses) > 1 else next(iter(counts))
    )
    unfinished_first = sorted(statuses.items(), key=lambda entry: entry[1] == COMPLETED)
    details = {"counts": dict(counts), "requests": dict(islice(unfinished_first, MOST_LISTED))}
    return PollResult(state, status, details, unknown=counts.keys() - FAILED - UNFINISHED - {COMPLETED})
