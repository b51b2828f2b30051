"""
Exotel: voice campaigns, their progress, their calls, and the contact lists they may dial.

Sources: developer.exotel.com/api (campaigns, "bulk campaign details", update-campaign, create-contacts,
add-contacts-to-a-list) and support.exotel.com "How does the Campaigns API work". Every path is below
``/v2/accounts/<account sid>``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_campaigns.exceptions import (
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import Dialect, VendorMessage, Verdict, json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Page, Request, Response
from airflow_provider_campaigns.protocol.repeating import exchange
from airflow_provider_campaigns.protocol.watching import Progress
from airflow_provider_campaigns.vendors.exotel_campaign import CreateCampaign
from airflow_provider_campaigns.vendors.instants import parse_instant
from airflow_provider_campaigns.vendors.replies import items, mapping, text

# "Rate limiting", on the new portal alone: requests a minute to the campaign API, for the whole account.
REQUESTS_A_MINUTE = 30
# "Bulk campaign details": default 20, maximum 500. For calls only the default is documented.
MOST_CAMPAIGNS_PER_PAGE = 500
CALLS_PER_PAGE = 20

# "How does the Campaigns API work" names the final states; archiving (update-campaign) needs a completed campaign.
DONE = frozenset({"completed", "archived"})
FAILED = frozenset({"failed", "canceled", "deleted"})

# "Update campaign": the actions, and why those that may be repeated contact nobody.
ACTIONS = {
    "pause": "pausing twice contacts nobody",
    "resume": "",
    "complete": "completing twice contacts nobody",
    "archive": "archiving twice contacts nobody",
}


@dataclass(frozen=True, kw_only=True)
class Exotel(Dialect):
    """
    Speaks to one Exotel account.

    :param api_key: user name of HTTP Basic authentication.
    :param api_token: its password.
    :param account_sid: the account, part of every path; the dashboard shows all three under "API settings".
    """

    vendor = "exotel"

    api_key: str = field(repr=False)
    api_token: str = field(repr=False)
    account_sid: str

    def authorize(self, request: Request, token: str) -> Request:
        """Add HTTP Basic authentication."""
        credentials = b64encode(f"{self.api_key}:{self.api_token}".encode()).decode()
        return replace(request, headers={**request.headers, "Authorization": f"Basic {credentials}"})

    def verdict(self, response: Response) -> Verdict:
        """Judge by the HTTP status, then by the ``http_code`` of the body, then by the ``code`` of an only item."""
        if response.ok:
            body = json_object(response)
            results = _results(body)
            inner = [body.get("http_code"), results[0].get("code") if len(results) == 1 else None]
            for code in map(_status, inner):
                if code is not None and code >= 300:
                    return super().verdict(replace(response, status=code))
        return super().verdict(response)

    def explain(self, response: Response) -> VendorMessage:
        """Return the error of the first item that has one, of a v1 style ``RestException``, or a bare message."""
        body = json_object(response)
        results = _results(body)
        for error in (*(result.get("error_data") for result in results), body.get("RestException")):
            said = _said(error)
            if said:
                return said
        code, message = super().explain(response)
        return VendorMessage(_code(code) or next((_code(result.get("code")) for result in results), None), message)

    def check(self) -> Conversation[str]:
        """
        Ask for one campaign of the list, which proves the credentials.

        :raises VendorError: they are not taken, or the host is not the account's region.
        """
        yield from self._page(self._path("campaigns"), {}, 0, 1)
        return f"Exotel takes the API key and token (account {self.account_sid})"

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
        """
        body = {"campaigns": [campaign.body()]}
        response = yield from exchange(self, Request("POST", self._path("campaigns"), "write", json=body))
        created = self._only(response, OutcomeUnknownError)
        if text(created.get("id")) is None:
            raise OutcomeUnknownError(self.vendor, "the reply names no campaign id", status=response.status)
        return created

    def get_campaign(self, campaign_id: str) -> Conversation[dict[str, Any]]:
        """Return one campaign with its ``summary``."""
        response = yield from exchange(self, Request("GET", self._path("campaigns", campaign_id), "read"))
        return self._only(response, VendorUnavailableError)

    def update_campaign(self, campaign_id: str, action: str) -> Conversation[dict[str, Any]]:
        """
        Pause, resume, complete (a paused one) or archive (a completed one) a campaign; return what the reply shows.

        :param action: ``pause``, ``resume``, ``complete`` or ``archive``; resuming is not repeated when its fate is
            unknown.
        :raises InputError: another action.
        """
        if action not in ACTIONS:
            raise InputError("action", ", ".join(ACTIONS), action)
        request = Request(
            "PUT",
            self._path("campaigns", campaign_id),
            "write",
            json={"campaigns": [{"action": action}]},
            safe_to_resend=ACTIONS[action],
        )
        response = yield from exchange(self, request)
        results = _results(json_object(response))
        for result in results:
            self._accept(result, response)
        # The page shows no reply: a 2xx without a campaign in it has still been carried out.
        return dict(mapping(results[0].get("data"))) if results else {}

    def watch_campaign(self, campaign_id: str) -> Conversation[Progress]:
        """
        Look whether the campaign is over: completed or archived, or else failed, canceled or deleted.

        A campaign still paused at its end has failed too: the pages disagree on what becomes of it, but it does not
        go on. Unknown words count as going on.
        """
        campaign = yield from self.get_campaign(campaign_id)
        status = text(campaign.get("status")) or ""
        shown = {name: campaign.get(name) for name in ("name", "status", "stats", "summary", "report_url")}
        details = {"campaign_id": campaign_id, **shown}
        word = normalise(status)
        if word in DONE:
            return Progress("done", status, details)
        if word in FAILED:
            return Progress("failed", status, details)
        if word == "paused" and _has_ended(campaign):
            return Progress("failed", status, {**details, "reason": "paused when its end_at came"})
        return Progress("going_on", status, details)

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

    def create_contacts(self, contacts: Sequence[Mapping[str, Any]]) -> Conversation[list[str]]:
        """
        Create up to 5,000 contacts and return their ids, in order ("create-contacts").

        :param contacts: each with a ``number`` and, if known, ``first_name``, ``last_name``, ``company_name``,
            ``email``, ``tag``, ``custom_field``.
        :raises RequestRejectedError: the vendor refused at least one; the others may have been created.
        """
        response = yield from self._write("contacts", json={"contacts": list(contacts)})
        return self._ids(response, len(contacts))

    def create_list(self, name: str, tag: str | None = None) -> Conversation[str]:
        """
        Create a list and return its id.

        :raises RequestRejectedError: there is one of that name.
        """
        new = {"name": name} if tag is None else {"name": name, "tag": tag}
        response = yield from self._write("lists", json={"lists": [new]})
        return self._ids(response, 1)[0]

    def add_contacts_to_list(self, list_id: str, contact_ids: Sequence[str]) -> Conversation[None]:
        """Add up to 5,000 contacts to a list ("add-contacts-to-a-list")."""
        references = [{"contact_sid": contact_id} for contact_id in contact_ids]
        response = yield from self._write("lists", list_id, "contacts", json={"contact_references": references})
        for result in _results(json_object(response)):
            self._accept(result, response)

    def _path(self, *parts: str) -> str:
        """
        Return the path of a resource.

        :raises InputError: an id is empty: the path would be that of another resource.
        """
        if not all(parts):
            raise InputError("id", "the id of a campaign or list", "nothing")
        return "/".join(quote(part, safe="") for part in ("", "v2", "accounts", self.account_sid, *parts))

    def _write(self, *parts: str, json: Any) -> Conversation[Response]:
        return exchange(self, Request("POST", self._path(*parts), "write", json=json))

    def _pages(
        self, path: str, filters: Mapping[str, str | None], limit: int | None, page_size: int
    ) -> Conversation[int]:
        """Yield pages until the total the vendor gives, without one until a page that is not full, or ``limit``."""
        offset = 0
        while limit is None or offset < limit:
            size = page_size if limit is None else min(page_size, limit - offset)
            found, total = yield from self._page(path, filters, offset, size)
            if found:
                yield Page(found[:size])
            offset += min(len(found), size)
            if not found or (len(found) < size if total is None else offset >= total):
                break
        return offset

    def _page(
        self, path: str, filters: Mapping[str, str | None], offset: int, size: int
    ) -> Conversation[tuple[list[dict[str, Any]], int | None]]:
        query = {"offset": offset, "status": filters.get("status"), "limit": size, **filters}
        response = yield from exchange(self, Request("GET", path, "read", params=query))
        body = json_object(response)
        if not isinstance(body.get("response"), list):
            raise self.error(VendorUnavailableError, response)
        total = mapping(body.get("metadata")).get("total")
        found = [self._unwrap(item, response, VendorUnavailableError) for item in body["response"]]
        return found, total if isinstance(total, int) else None

    def _only(self, response: Response, otherwise: type[VendorError]) -> dict[str, Any]:
        """Return what the only item of a reply holds, or raise ``otherwise``."""
        results = _results(json_object(response))
        if len(results) != 1:
            raise otherwise(self.vendor, f"the reply holds {len(results)} campaigns, not one", status=response.status)
        return self._unwrap(results[0], response, otherwise)

    def _unwrap(self, item: Any, response: Response, otherwise: type[VendorError]) -> dict[str, Any]:
        """
        Return an item's ``data`` with its ``summary``; call details may come without this wrapping, says one page.

        :raises RequestRejectedError: the item is an error.
        """
        if isinstance(item, dict):
            self._accept(item, response)
            wrapped = "data" in item or "code" in item
            data = item.get("data") if wrapped else item
            if isinstance(data, dict):
                return {**data, "summary": item["summary"]} if wrapped and "summary" in item else data
        raise otherwise(self.vendor, "an item of the reply cannot be read", status=response.status)

    def _accept(self, item: Mapping[str, Any], response: Response) -> None:
        """Raise what the vendor says of an item that is an error."""
        error, code = item.get("error_data"), _status(item.get("code"))
        if error or (code is not None and code >= 300):
            said = _said(error) or VendorMessage(code, "no message")
            raise RequestRejectedError(self.vendor, said.message, status=response.status, code=said.code or code)

    def _ids(self, response: Response, count: int) -> list[str]:
        results = _results(json_object(response))
        found = [text(self._unwrap(result, response, OutcomeUnknownError).get("sid")) for result in results]
        ids = [sid for sid in found if sid is not None]
        if len(ids) != count:
            raise OutcomeUnknownError(
                self.vendor, f"the reply names {len(ids)} ids, not {count}", status=response.status
            )
        return ids


def normalise(status: str) -> str:
    """Return a status in one spelling: the pages write ``InProgress``, ``in-progress`` and ``in_progress``."""
    return status.lower().translate(str.maketrans("", "", "-_ "))


def _joined(status: str | Sequence[str] | None) -> str | None:
    return status if status is None or isinstance(status, str) else ",".join(status) or None


def _has_ended(campaign: Mapping[str, Any]) -> bool:
    try:
        return parse_instant(str(mapping(campaign.get("schedule")).get("end_at"))) < datetime.now(UTC)
    except ValueError:
        return False


def _results(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the items of ``response``: usually a list, for some errors one object."""
    found = body.get("response")
    return [item for item in (items(found) or [found]) if isinstance(item, dict)]


def _said(error: object) -> VendorMessage | None:
    """Return the code and words of an error; its keys are lower case in ``error_data``, not in ``RestException``."""
    said = {name.lower(): value for name, value in mapping(error).items()}
    message = ": ".join(dict.fromkeys(filter(None, (text(said.get("message")), text(said.get("description"))))))
    message = message or text(error) or ""
    return VendorMessage(_code(said.get("code", said.get("status"))), message) if message else None


def _code(value: object) -> str | int | None:
    return value if isinstance(value, (str, int)) else None


def _status(value: object) -> int | None:
    """Return an HTTP status that stands in a body, as a number or as text."""
    written = text(value)
    return int(written) if written and re.fullmatch("[1-5][0-9][0-9]", written) else None
