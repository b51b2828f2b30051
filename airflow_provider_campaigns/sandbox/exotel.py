"""Exotel in the sandbox: call campaigns, their call details, and the contacts and lists they may be created from."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.exotel_campaign import (
    ACCOUNT_ZONE,
    CALLS_A_MINUTE,
    MAX_NUMBERS,
    Campaign,
    InvalidItemError,
    check,
    numbers_of,
    schedule_of,
)
from airflow_provider_campaigns.sandbox.exotel_contacts import ContactBook
from airflow_provider_campaigns.sandbox.state import RateWindow
from airflow_provider_campaigns.sandbox.vendor import Call, RefusedError, Vendor, choice, reply

API_KEY = "exotel-sandbox-key"
API_TOKEN = "exotel-sandbox-token"  # noqa: S105  the sandbox's published token
ACCOUNT_SID = "sandbox1"

# "bulk campaign details": limit default 20, maximum 500.
PAGE_SIZE = 20
MAX_PAGE_SIZE = 500
# get-details-of-bulk-contacts: at most 20 a page.
MAX_CONTACT_PAGE = 20
# advanced-config/rate-limiting: campaigns 30 a minute, other calls 300.
CAMPAIGN_CALLS_A_MINUTE = 30
OTHER_CALLS_A_MINUTE = 300

# developer.exotel.com/api/http-status-codes.
MESSAGES = {
    400: "Bad Request",
    401: "Authentication failed",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# Errors that are not the campaigns' own come as references/authentication shows it.
REST_EXCEPTIONS = frozenset({401, 405, 429, 500, 503})

Item = dict[str, Any]


@dataclass
class Settings:
    """
    What ``control`` may change; the first two are questions that the pages do not answer.

    :param http_status: HTTP status line of a reply whose body says ``http_code`` 207: ``multi`` 207, ``ok`` 200,
        ``item`` the items' code if all have the same.
    :param call_details: elements of call-details: ``wrapped`` in ``{code, status, data}`` or ``flat``.
    :param starts_after: seconds of sandbox time from ``send_at`` until a campaign is InProgress.
    :param calls_per_minute: numbers that a campaign without ``throttle`` calls in a minute of sandbox time.
    """

    http_status: str = choice("multi", "ok", "item")
    call_details: str = choice("wrapped", "flat")
    starts_after: float = 60.0
    calls_per_minute: float = float(CALLS_A_MINUTE)


class Exotel(Vendor):
    """
    Exotel; the old portal's pages developer.exotel.com/api and the sample of "bulk campaign details".

    Numbers that end in 900991, 900992 and 900993 are busy, do not answer, and fail; a campaign of which every call
    fails becomes Failed. Callbacks are kept and never called. Assumed, as no page shows it: the words of refusals, code
    409 for an action that the status does not allow, 404 for a wrong account sid, and that a limit above the maximum
    counts as it.
    """

    name = "exotel"

    def reset(self) -> None:
        """Forget campaigns, contacts, lists, and what was counted."""
        self.settings = Settings()
        self.campaign_window = self.window(CAMPAIGN_CALLS_A_MINUTE, 60)
        self.other_window = self.window(OTHER_CALLS_A_MINUTE, 60)
        self.campaigns: dict[str, Campaign] = {}
        self.book = ContactBook()

    def routes(self) -> list[Route]:
        """Return the documented paths."""
        account = "/v2/accounts/{sid}"
        campaign, one_list = f"{account}/campaigns/{{campaign}}", f"{account}/lists/{{list}}"
        return [
            self.route("POST", f"{account}/campaigns", self.create_campaign),
            self.route("GET", f"{account}/campaigns", self.list_campaigns),
            self.route("GET", campaign, self.get_campaign),
            self.route("PUT", campaign, self.update_campaign),
            self.route("DELETE", campaign, self.delete_campaign),
            self.route("GET", f"{campaign}/call-details", self.call_details),
            self.route("POST", f"{account}/contacts", self.create_contacts),
            self.route("GET", f"{account}/contacts/{{contact}}", self.get_contact),
            self.route("POST", f"{account}/lists", self.create_lists),
            self.route("GET", f"{account}/lists", self.list_lists),
            self.route("GET", one_list, self.get_list),
            self.route("DELETE", one_list, self.delete_list),
            self.route("POST", f"{one_list}/contacts", self.add_to_list),
            self.route("GET", f"{one_list}/contacts", self.list_members),
        ]

    def control(self, command: Mapping[str, Any]) -> None:
        """Take ``{"campaign": id, "status": "Paused"}``: a campaign's status as it is to be read; else settings."""
        if "campaign" not in command:
            super().control(command)
            return
        if command["campaign"] not in self.campaigns:
            raise ValueError(f"exotel: there is no campaign {command['campaign']!r}")
        self.campaigns[command["campaign"]].shown = str(command["status"])

    def error(self, status: int, message: str | None = None) -> Response:
        """Return a RestException, or the campaigns' envelope with an object in ``response``."""
        if status in REST_EXCEPTIONS:
            return reply({"RestException": {"Status": status, "Message": message or MESSAGES[status]}}, status)
        item = _failed(status, message or MESSAGES[status])
        return reply({"request_id": uuid.uuid4().hex, "http_code": status, "response": item}, status)

    # -- campaigns

    def create_campaign(self, call: Call) -> Response:
        """Create campaigns: ``create-campaign``; each fails or succeeds by itself."""
        self._enter(call, self.campaign_window)
        return self._several(call, "campaigns", lambda given: self._create(call, given))

    def list_campaigns(self, call: Call) -> Response:
        """List campaigns: "bulk campaign details"."""
        self._enter(call, self.campaign_window)
        query, now = call.query, self.clock.now()
        statuses = {_plain(status) for status in query.get("status", "").split(",") if status.strip()}
        name = query.get("name", "").lower()
        for campaign in self.campaigns.values():
            campaign.catch_up(now)
        found = [
            campaign
            for campaign in self.campaigns.values()
            if name in campaign.name.lower() and (not statuses or _plain(campaign.shown or campaign.status) in statuses)
        ]
        key, _, order = query.get("sort_by", "date_created:asc").partition(":")
        found.sort(key=_sort_key(key), reverse=order == "desc")
        return self._page(call, found, self._item)

    def get_campaign(self, call: Call) -> Response:
        """Read one campaign: ``get-campaign-details``."""
        self._enter(call, self.campaign_window)
        return self._reply(call, [self._item(self._campaign(call))], 200)

    def update_campaign(self, call: Call) -> Response:
        """Do an action, or change fields: ``update-campaign``."""
        self._enter(call, self.campaign_window)
        campaign = self._campaign(call)
        return self._several(call, "campaigns", lambda given: self._update(campaign, given))

    def delete_campaign(self, call: Call) -> Response:
        """Delete a campaign that has not started."""
        self._enter(call, self.campaign_window)
        campaign = self._campaign(call)
        try:
            campaign.delete(self.clock.now())
        except InvalidItemError as problem:
            return self.error(problem.code, str(problem))
        return self._reply(call, [self._item(campaign)], 200)

    def call_details(self, call: Call) -> Response:
        """List the calls of one campaign: ``call-details-of-a-single-campaign``."""
        self._enter(call, self.campaign_window)
        campaign = self._campaign(call)
        calls = [campaign.call(position) for position in range(campaign.calls(self.clock.now()))]
        if wanted := call.query.get("status"):
            calls = [one for one in calls if one["status"] == wanted]
        if call.query.get("sort_by", "").lower() == "date_created:desc":
            calls.reverse()
        return self._page(call, calls, _done if self.settings.call_details == "wrapped" else dict)

    def _create(self, call: Call, given: Mapping[str, Any]) -> Item:
        now, identifier = self.clock.now(), f"{uuid.uuid4().hex}sbx1"
        check(given)
        send_at, end_at = schedule_of(given, now)
        try:
            numbers = numbers_of(given) if "from" in given else self.book.numbers(given["lists"])
        except InvalidItemError as problem:
            if problem.number:
                call.took(identifier, problem.number, "rejected", {"number": problem.number})
            raise
        numbers = _take(call, identifier, numbers, repeats=given.get("call_duplicate_numbers") is True)
        per_minute = given.get("throttle", 1) if given.get("mode") == "custom" else self.settings.calls_per_minute
        when = datetime.fromtimestamp(now, ACCOUNT_ZONE).strftime("%Y-%m-%d %H:%M:%S")
        self.campaigns[identifier] = Campaign(
            identifier,
            ACCOUNT_SID,
            str(given.get("name") or f"{ACCOUNT_SID}_{when}"),
            dict(given),
            numbers,
            created=now,
            send_at=send_at,
            end_at=end_at,
            start_at=max(send_at, now) + self.settings.starts_after,
            rate=float(per_minute) / 60,
            updated=now,
        )
        return self._item(self.campaigns[identifier])

    def _update(self, campaign: Campaign, given: Mapping[str, Any]) -> Item:
        now = self.clock.now()
        if fields := {name: value for name, value in given.items() if name != "action"}:
            campaign.change(fields, self.settings.starts_after, now)
        if "action" in given:
            campaign.act(given["action"], now)
        return self._item(campaign)

    def _campaign(self, call: Call) -> Campaign:
        campaign = self.campaigns.get(call.params["campaign"])
        if campaign is None:
            raise RefusedError(self.error(404))
        campaign.catch_up(self.clock.now())
        return campaign

    def _item(self, campaign: Campaign) -> Item:
        now = self.clock.now()
        return _done(campaign.as_json(now)) | {"summary": campaign.summary(now)}

    # -- contacts and lists

    def create_contacts(self, call: Call) -> Response:
        """Create contacts: ``create-contacts``; each fails or succeeds by itself."""
        self._enter(call, self.other_window)
        return self._several(call, "contacts", lambda given: _done(self.book.create_contact(given)))

    def get_contact(self, call: Call) -> Response:
        """Read one contact."""
        self._enter(call, self.other_window)
        contact = self.book.contacts.get(call.params["contact"])
        return self._reply(call, [_done(contact)], 200) if contact else self.error(404)

    def create_lists(self, call: Call) -> Response:
        """Create lists; a name that exists is code 409."""
        self._enter(call, self.other_window)
        return self._several(call, "lists", lambda given: _done(self.book.create_list(given, self.clock.now())))

    def list_lists(self, call: Call) -> Response:
        """List the lists."""
        self._enter(call, self.other_window)
        found = [one for one in self.book.lists.values() if call.query.get("name", "") in one["name"]]
        return self._page(call, found, _done)

    def get_list(self, call: Call) -> Response:
        """Read one list."""
        return self._reply(call, [_done(self.book.lists[self._list(call)])], 200)

    def delete_list(self, call: Call) -> Response:
        """Delete a list."""
        return self._reply(call, [_done(self.book.delete_list(self._list(call)))], 200)

    def add_to_list(self, call: Call) -> Response:
        """Put contacts on a list: ``add-contacts-to-a-list``."""
        sid = self._list(call)
        references = call.json().get("contact_references")
        if not isinstance(references, list) or not 0 < len(references) <= MAX_NUMBERS:
            return self.error(400)
        metadata = {"success": self.book.add(sid, references), "total": len(references)}
        return self._reply(call, [_done({"list_id": sid})], 207, metadata)

    def list_members(self, call: Call) -> Response:
        """List the contacts of a list."""
        return self._page(call, self.book.members(self._list(call)), _done, MAX_CONTACT_PAGE)

    def _list(self, call: Call) -> str:
        """Let the caller in and return the sid of the list, which exists."""
        self._enter(call, self.other_window)
        if call.params["list"] not in self.book.lists:
            raise RefusedError(self.error(404))
        return call.params["list"]

    # -- requests and replies

    def _enter(self, call: Call, window: RateWindow) -> None:
        """Refuse a caller with the wrong credentials or account, or over the limit."""
        if call.basic != (API_KEY, API_TOKEN):
            raise RefusedError(self.error(401))
        if call.params["sid"] != ACCOUNT_SID:
            raise RefusedError(self.error(404))
        if not window.take():
            response = self.error(429)
            response.headers["Retry-After"] = str(window.retry_after)
            response.headers["X-RateLimit-Limit"] = str(window.limit)
            response.headers["X-RateLimit-Remaining"] = "0"
            response.headers["X-RateLimit-Reset"] = str(int(window.free_at))
            raise RefusedError(response)

    def _several(self, call: Call, name: str, do: Callable[[Mapping[str, Any]], Item]) -> Response:
        """Do each object of the array ``name`` by itself and return an item for each."""
        given = call.json().get(name)
        if not isinstance(given, list) or not 0 < len(given) <= MAX_NUMBERS:
            return self.error(400, f"{name} should be an array")
        items = []
        for one in given:
            try:
                items.append(do(one))
            except InvalidItemError as problem:
                items.append(_failed(problem.code, str(problem)))
        return self._reply(call, items, 207)

    def _page(self, call: Call, found: list[Any], wrap: Callable[[Any], Item], most: int = MAX_PAGE_SIZE) -> Response:
        offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", PAGE_SIZE))
        if offset < 0 or limit < 1:
            return self.error(400)
        items = [wrap(one) for one in found[offset : offset + min(limit, most)]]
        metadata = {"count": len(items), "offset": offset, "total": len(found), "limit": limit}
        return self._reply(call, items, 207, metadata)

    def _reply(
        self, call: Call, items: list[Item], http_code: int, metadata: Mapping[str, int] | None = None
    ) -> Response:
        """Return the envelope; the HTTP status line of a 207 is a setting."""
        head = {"request_id": uuid.uuid4().hex, "method": call.method, "http_code": http_code}
        body = head | ({"metadata": metadata} if metadata else {}) | {"response": items}
        status = http_code
        if http_code == 207 and self.settings.http_status != "multi":
            codes = {item.get("code", 200) for item in items}
            status = codes.pop() if self.settings.http_status == "item" and len(codes) == 1 else 200
        return reply(body, status)


def _take(call: Call, campaign: str, numbers: list[str], *, repeats: bool) -> list[str]:
    """Write the numbers down and return those to call; a repeated one is called again only if ``repeats``."""
    called: dict[str, None] = {}
    for number in numbers:
        outcome = "duplicate" if number in called and not repeats else "accepted"
        call.took(campaign, number, outcome, {"number": number})
        called[number] = None
    return numbers if repeats else list(called)


def _done(data: Mapping[str, Any]) -> Item:
    return {"code": 200, "error_data": None, "status": "success", "data": data}


def _failed(code: int, message: str) -> Item:
    error = {"code": code, "message": MESSAGES[code], "description": message}
    return {"code": code, "error_data": error, "status": "failure", "data": None}


def _plain(status: str) -> str:
    """Return a status without case, hyphens and blanks: the page's own examples differ in them."""
    return status.lower().replace("-", "").replace("_", "").replace(" ", "")


def _sort_key(key: str) -> Callable[[Campaign], Any]:
    return (lambda campaign: campaign.name) if key == "name" else (lambda campaign: campaign.created)
