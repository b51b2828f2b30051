"""
Exotel: voice campaigns, their progress, and their calls.

Sources: developer.exotel.com/api (campaigns, "bulk campaign details", update-campaign) and support.exotel.com "How does
the Campaigns API work".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from airflow_provider_campaigns.exceptions import (
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import AccountFact, json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.reply_values import mapping, text
from airflow_provider_campaigns.vendors.exotel.account import results
from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign
from airflow_provider_campaigns.vendors.exotel.checks import check_action
from airflow_provider_campaigns.vendors.exotel.contact_lists import ExotelContacts
from airflow_provider_campaigns.vendors.exotel.status import created_at, progress, without_recipients

# "Rate limiting", on the new portal alone: requests a minute to the campaign API, for the whole account.
REQUESTS_A_MINUTE = 30
# "Bulk campaign details": default 20, maximum 500. For calls only the default is documented.
MOST_CAMPAIGNS_PER_PAGE = 500
CALLS_PER_PAGE = 20
# Fewer where only the newest matter: each campaign comes with its numbers, up to 5,000.
RECENT_PER_PAGE = 50

# "Update campaign": the actions, and why those that may be repeated contact nobody.
ACTIONS = {
    "pause": "pausing twice contacts nobody",
    "resume": "",
    "complete": "completing twice contacts nobody",
    "archive": "archiving twice contacts nobody",
}


@dataclass(frozen=True, kw_only=True)
class Exotel(ExotelContacts):
    """Speaks to one Exotel account; the parameters are those of ``ExotelAccount``."""

    def check(self) -> Conversation[str]:
        """
        Ask for one campaign of the list, which proves the credentials.

        :raises VendorError: they are not taken, or the host is not the account's region.
        """
        yield from self._page(self._path("campaigns"), {}, 0, 1)
        return f"Exotel takes the API key and token (account {self.account_sid})"

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """Return what a list looks like here; whether its HTTP status is 200 or 207 no page says."""
        body = json_object(reply)
        total = mapping(body.get("metadata")).get("total")
        return [
            AccountFact("account SID", self.account_sid),
            AccountFact("API key and token of this region's host", "taken", holds=True),
            AccountFact("a list of campaigns", f"HTTP {reply.status}, http_code {body.get('http_code')}"),
            *([AccountFact("campaigns", str(total))] if isinstance(total, int) else ()),
        ]

    def list_campaigns(
        self,
        status: str | Sequence[str] | None = None,
        name: str | None = None,
        sort_by: str | None = None,
        limit: int | None = None,
        page_size: int = MOST_CAMPAIGNS_PER_PAGE,
    ) -> Conversation[int]:
        """
        Hand over campaigns as pages of dicts and return their number ("bulk campaign details").

        A campaign is its ``data`` with its ``summary`` beside it.

        :param status: one or several, sent as they are; the page writes both ``Created,Completed`` and
            ``in-progress, created``, and whether the case matters is not known.
        :param name: search by name; whether whole or in part is not known.
        :param sort_by: ``date_created:asc`` (the vendor's default), ``name:asc``, or with ``:desc``.
        :param limit: campaigns in all; None for every one.
        :param page_size: campaigns per request, 1 to 500.
        :raises InputError: another page size.
        """
        if not 1 <= page_size <= MOST_CAMPAIGNS_PER_PAGE:
            raise InputError("page_size", f"1 to {MOST_CAMPAIGNS_PER_PAGE}", page_size)
        filters = {"status": _joined(status), "name": name, "sort_by": sort_by}
        return (yield from self._pages(self._path("campaigns"), filters, limit, page_size))

    def find_by_name(self, name: str) -> Conversation[list[dict[str, Any]]]:
        """Return the campaigns of exactly this name, of the 500 newest that the vendor's search finds."""
        filters = {"name": name, "sort_by": "date_created:desc"}
        found, _ = yield from self._page(self._path("campaigns"), filters, 0, MOST_CAMPAIGNS_PER_PAGE)
        return [campaign for campaign in found if campaign.get("name") == name]

    def create_campaign(self, campaign: CreateCampaign) -> Conversation[dict[str, Any]]:
        """
        Create a campaign and return it, with its ``id``; never repeated when its fate is unknown.

        :raises InputError: the campaign cannot be created as given.
        :raises OutcomeUnknownError: also for a conflict (409): something on the way may have sent the request twice,
            and this be the reply to the second.
        """
        body = {"campaigns": [campaign.body()]}
        try:
            response = yield from exchange(self, Request("POST", self._path("campaigns"), "write", json=body))
        except RequestRejectedError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            raise OutcomeUnknownError(self.vendor, error.message, status=error.status, code=error.code) from error
        created = self._only(response, OutcomeUnknownError)
        if text(created.get("id")) is None:
            raise OutcomeUnknownError(self.vendor, "the reply names no campaign id", status=response.status)
        return created

    def get_campaign(self, campaign_id: str) -> Conversation[dict[str, Any]]:
        """Return one campaign with its ``summary``."""
        response = yield from exchange(self, Request("GET", self.campaign_path(campaign_id), "read"))
        return self._only(response, VendorUnavailableError)

    def update_campaign(self, campaign_id: str, action: str) -> Conversation[dict[str, Any]]:
        """
        Pause, resume, complete (a paused one) or archive (a completed one) a campaign; return what the reply shows.

        :param action: ``pause``, ``resume``, ``complete`` or ``archive``; resuming is not repeated when its fate is
            unknown.
        :raises InputError: another action.
        """
        check_action(action)
        request = Request(
            "PUT",
            self.campaign_path(campaign_id),
            "write",
            json={"campaigns": [{"action": action}]},
            safe_to_resend=ACTIONS[action],
        )
        response = yield from exchange(self, request)
        found = results(json_object(response))
        for result in found:
            self._accept(result, response)
        # The page shows no reply: a 2xx without a campaign in it has still been carried out.
        return dict(mapping(found[0].get("data"))) if found else {}

    def campaign_path(self, campaign_id: str) -> str:
        """Return the path of one campaign, its ``uri`` in the vendor's replies."""
        return self._path("campaigns", campaign_id)

    def poll_campaign(self, campaign_id: str) -> Conversation[PollResult]:
        """
        Poll whether the campaign is over: completed or archived, or else failed, canceled or deleted.

        A campaign still paused at its end has failed too: the pages disagree on what becomes of it, but it does not
        continue. Unknown words count as running, and are reported as such.
        """
        return progress((yield from self.get_campaign(campaign_id)), campaign_id)

    def recent_campaigns(self, since: datetime, page_size: int = RECENT_PER_PAGE) -> Conversation[list[dict[str, Any]]]:
        """
        Return the campaigns created at ``since`` or later, the newest first, without their numbers.

        :raises VendorUnavailableError: also when the vendor repeats a page.
        """
        found: list[dict[str, Any]] = []

        def keep(page: Sequence[dict[str, Any]]) -> bool:
            found.extend(without_recipients(one) for one in page if (created_at(one) or since) >= since)
            oldest = created_at(page[-1])
            return oldest is None or oldest >= since

        filters = {"sort_by": "date_created:desc"}
        yield from self._pages(self._path("campaigns"), filters, None, page_size, keep)
        return found

    def call_details(
        self,
        campaign_id: str,
        status: str | Sequence[str] | None = None,
        sort_by: str | None = None,
        limit: int | None = None,
        page_size: int = CALLS_PER_PAGE,
    ) -> Conversation[int]:
        """
        Hand over the calls of a campaign as pages of dicts and return their number.

        :param status: ``completed``, ``failed``, ``busy``, ``no-answer``.
        :param page_size: calls per request; more than the default of 20 is not documented.
        """
        filters = {"status": _joined(status), "sort_by": sort_by}
        path = self._path("campaigns", campaign_id, "call-details")
        return (yield from self._pages(path, filters, limit, page_size))


def _joined(status: str | Sequence[str] | None) -> str | None:
    return status if status is None or isinstance(status, str) else ",".join(status) or None
