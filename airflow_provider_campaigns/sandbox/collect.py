"""Collect (usecollect.com) in the sandbox: requests for documents, sent one by one or fifty at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.state import Ids
from airflow_provider_campaigns.sandbox.vendor import Call, RefusedError, Vendor, choice, reply

API_KEY = "collect-sandbox-key"

# operation-send-multiple-requests: "max 50 per call".
MAX_CONTACTS = 50
# operation-list-all-the-requests-of-a-campaign: limit "default 50, max 100".
PAGE_SIZE = 50
MAX_PAGE_SIZE = 100
# operation-get-a-specific-request: expires "default 900, max 3600" seconds.
MAX_EXPIRES = 3600

# The statuses of operation-modify-a-request, which spells "canceled" what the reads spell "cancelled".
WRITABLE = frozenset({"pending", "completed", "waiting", "canceled", "archived"})
HIDDEN = frozenset({"cancelled", "archived"})
# Contacts that do not complete: what their request becomes instead, by the start of their e-mail address.
MAGIC = {"error": "error", "pending": "pending", "waiting": "waiting", "cancelled": "cancelled"}

# The status table of every operation page; the body around the words is assumed, no page shows one.
MESSAGES = {
    400: ("Bad Request", "Your request is invalid."),
    401: ("Unauthorized", "Your API key is wrong."),
    403: ("Forbidden", "The object requested is hidden for administrators only."),
    404: ("Not Found", "The specified object could not be found."),
    405: ("Method Not Allowed", "The method is not allowed."),
    429: ("Too Many Requests", "You're requesting too many objects! Slow down!"),
    500: ("Internal Server Error", "We had a problem with our server. Try again later."),
    503: ("Service Unavailable", "We're temporarily offline for maintenance. Please try again later."),
}

USER = {
    "_id": "sandboxUser000001",
    "role": "admin",
    "status": "active",
    "email": "sandbox@example.com",
    "firstName": "Sandbox",
    "lastName": "User",
}


@dataclass
class Settings:
    """
    What ``control`` may change.

    :param completes_after: seconds of sandbox time until a contact has handed everything in.
    :param dates: ``new`` writes 2024-12-04T07:20:06Z, ``old`` writes 2024-12-04 07:20:06 UTC; both are on the pages.
    :param custom_statuses: statuses of the account beside the documented ones.
    """

    completes_after: float = 60.0
    dates: str = choice("new", "old")
    custom_statuses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Contact:
    """A person, known by e-mail address."""

    id: str
    fields: dict[str, Any]
    created: float
    requests: int = 0
    active: float = 0


@dataclass(slots=True)
class Request:
    """What one contact was asked for; ``status`` is set once a user changed it, else the clock decides."""

    id: str
    campaign: str
    contact: Contact
    created: float
    due: float | None = None
    status: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Collect(Vendor):
    """
    Collect; pages of developers.usecollect.com.

    Every campaign exists, unless its id starts with ``unknown`` (404) or ``hidden`` (403). A contact whose e-mail
    address starts with ``rejected`` comes back in ``errors`` beside a request that is null. Assumed, as no page shows
    it: the shape of ``errors`` and of error bodies, and that a list's limit above 100 counts as 100.
    """

    name = "collect"

    def reset(self) -> None:
        """Forget contacts and requests."""
        self.settings = Settings()
        self.ids = Ids()
        self.contacts: dict[str, Contact] = {}
        self.requests: dict[str, Request] = {}

    def routes(self) -> list[Route]:
        """Return the documented paths."""
        return [
            self.route("POST", "/v1/request", self.request),
            self.route("PATCH", "/v1/request", self.modify),
            self.route("POST", "/v1/requests", self.bulk),
            self.route("GET", "/v1/requests", self.list_requests),
            self.route("GET", "/v1/requests/{request}", self.get_request),
            self.route("GET", "/v1/team", self.team),
            self.route("GET", "/v1/users", self.users),
            self.route("GET", "/v1/user", self.user),
            self.route("GET", "/v1/campaigns", self.campaigns),
            self.route("GET", "/v1/campaigns/{campaign}", self.campaign),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        """Return the words of the pages' status table."""
        name, words = MESSAGES[status]
        return reply({"error": name, "message": message or words}, status)

    def control(self, command: Mapping[str, Any]) -> None:
        """Take ``{"request": id, "status": "error"}``: a request's status as it is to be read; else settings."""
        if "request" not in command:
            super().control(command)
            return
        if command["request"] not in self.requests:
            raise ValueError(f"collect: there is no request {command['request']!r}")
        self.requests[command["request"]].status = str(command["status"])

    # -- calls

    def request(self, call: Call) -> Response:
        """Send one request: ``operation-send-a-new-request``."""
        body = self._body(call)
        contact = self._contact(body.get("contact"))
        request, errors = self._send(call, body, contact)
        return reply({"request": request and self._as_json(request), "errors": errors})

    def bulk(self, call: Call) -> Response:
        """Send one request to each of up to 50 contacts: ``operation-send-multiple-requests``."""
        body = self._body(call)
        given = body.get("contacts")
        if not isinstance(given, list) or not given or len(given) > MAX_CONTACTS:
            return self.error(400)
        contacts = [self._contact(one) for one in given]  # all of them are checked before the first is sent to
        results = [self._send(call, body, contact) for contact in contacts]
        requests = [self._as_json(request) for request, _ in results if request]
        return reply({"requests": requests, "errors": [error for _, errors in results for error in errors]})

    def modify(self, call: Call) -> Response:
        """Change the request whose id is in the body: ``operation-modify-a-request``."""
        self._sign_in(call)
        body = call.json()
        request = self._find(str(body.get("requestId", "")))
        status = body.get("status")
        if status is not None and status not in WRITABLE | set(self.settings.custom_statuses):
            return self.error(400)
        if "dueDate" in body:
            request.due = self._due(body)
        if status:
            request.status = "cancelled" if status == "canceled" else status
        for name in body.keys() & {"data", "assignedTo"}:
            request.extra[name] = None if body[name] == "unset" else body[name]
        return reply({"request": self._as_json(request), "errors": []})

    def list_requests(self, call: Call) -> Response:
        """List requests: ``operation-list-all-the-requests-of-a-campaign``."""
        self._sign_in(call)
        query = call.query
        wanted, campaign, search = query.get("filter"), query.get("campaignId"), query.get("search", "").lower()
        found = [
            request
            for request in self.requests.values()
            if campaign in (None, request.campaign)
            and self._shown(request, wanted)
            and search in " ".join(map(str, request.contact.fields.values())).lower()
        ]
        return reply([self._as_json(request) for request in self._page(call, found)])

    def get_request(self, call: Call) -> Response:
        """Read one request: ``operation-get-a-specific-request``."""
        self._sign_in(call)
        if not 0 < int(call.query.get("expires", 900)) <= MAX_EXPIRES:
            return self.error(400)
        return reply(self._as_json(self._find(call.params["request"])))

    def team(self, call: Call) -> Response:
        """Read the team: ``operation-get-team-information``."""
        self._sign_in(call)
        plan = {"name": "sandbox", "end": self._date(self.clock.now() + 365 * 86_400)}
        return reply({"_id": "sandboxTeam000001", "tz": "Etc/UTC", "name": "Sandbox", "plan": plan})

    def users(self, call: Call) -> Response:
        """List the team's members: ``operation-list-all-users``."""
        self._sign_in(call)
        return reply([USER])

    def user(self, call: Call) -> Response:
        """Read one member by id or e-mail address: ``operation-get-a-specific-user``."""
        self._sign_in(call)
        known = USER["_id"] == call.query.get("id") or USER["email"] == call.query.get("email")
        return reply(USER) if known else self.error(404)

    def campaigns(self, call: Call) -> Response:
        """List the campaigns that requests were sent for: ``operation-list-all-campaigns``."""
        self._sign_in(call)
        ids = list(dict.fromkeys(request.campaign for request in self.requests.values()))
        return reply([self._campaign_as_json(campaign) for campaign in self._page(call, ids)])

    def campaign(self, call: Call) -> Response:
        """Read one campaign: ``operation-get-specific-campaign``."""
        self._sign_in(call)
        self._check_campaign(call.params["campaign"])
        return reply(self._campaign_as_json(call.params["campaign"]))

    # -- parts of a call

    def _sign_in(self, call: Call) -> None:
        if call.basic != ("", API_KEY):
            raise RefusedError(self.error(401))

    def _body(self, call: Call) -> dict[str, Any]:
        """Return the body of a send after the checks that no contact escapes."""
        self._sign_in(call)
        body = call.json()
        self._check_campaign(body.get("campaignId"))
        self._due(body)
        if body.get("createdBy", USER["_id"]) != USER["_id"]:
            raise RefusedError(self.error(400))
        return body

    def _check_campaign(self, campaign: Any) -> None:
        if not isinstance(campaign, str) or not campaign:
            raise RefusedError(self.error(400))
        if campaign.startswith("unknown"):
            raise RefusedError(self.error(404))
        if campaign.startswith("hidden"):
            raise RefusedError(self.error(403))

    def _contact(self, given: Any) -> Contact:
        """Return the contact given by id or as an object with an e-mail address; new ones are kept by ``_send``."""
        now = self.clock.now()
        if isinstance(given, str) and given:
            if given.startswith("unknown"):
                raise RefusedError(self.error(404))
            return self.contacts.get(given) or Contact(given, {"email": f"{given.lower()}@example.com"}, now)
        if not isinstance(given, dict) or "@" not in str(given.get("email", "")):
            raise RefusedError(self.error(400))
        known = self.contacts.get(given["email"])
        return known or Contact(self.ids.draw(17), given, now)

    def _send(
        self, call: Call, body: Mapping[str, Any], contact: Contact
    ) -> tuple[Request | None, list[dict[str, str]]]:
        email, campaign, now = contact.fields["email"], body["campaignId"], self.clock.now()
        rejected = email.startswith("rejected")
        sent = {name: value for name, value in body.items() if name not in ("campaignId", "contact", "contacts")}
        call.took(campaign, email, "rejected" if rejected else "accepted", {**contact.fields, **sent})
        if rejected:
            return None, [{"contact": email, "message": "The contact could not be added."}]
        contact = self.contacts.setdefault(email, contact)
        self.contacts[contact.id] = contact
        contact.requests += 1
        contact.active = now
        request = Request(self.ids.draw(17), campaign, contact, now, self._due(body))
        request.extra = {name: body[name] for name in ("data", "assignedTo") if name in body}
        self.requests[request.id] = request
        return request, []

    def _find(self, request: str) -> Request:
        if request not in self.requests:
            raise RefusedError(self.error(404))
        return self.requests[request]

    def _page(self, call: Call, items: list[Any]) -> list[Any]:
        offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", PAGE_SIZE))
        if offset < 0 or limit < 1:
            raise RefusedError(self.error(400))
        return items[offset : offset + min(limit, MAX_PAGE_SIZE)]

    def _shown(self, request: Request, wanted: str | None) -> bool:
        status = self._status(request)
        return status == wanted if wanted else status not in HIDDEN

    def _status(self, request: Request) -> str:
        """Return what a read shows: what a user set, else what the clock and the contact's name make of it."""
        if request.status:
            return request.status
        now, email = self.clock.now(), request.contact.fields["email"]
        late = request.due is not None and request.due < now
        if email.startswith("due"):
            return "due" if late else "pending"
        end = next((status for start, status in MAGIC.items() if email.startswith(start)), "completed")
        if now >= request.created + self.settings.completes_after and end != "pending":
            return end
        return "due" if late else "pending"

    def _due(self, body: Mapping[str, Any]) -> float | None:
        if body.get("dueDate") is None:
            return None
        moment = datetime.fromisoformat(str(body["dueDate"]))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    # -- replies

    def _as_json(self, request: Request) -> dict[str, Any]:
        contact = request.contact
        return {
            "_id": request.id,
            "campaignId": request.campaign,
            "createdAt": self._date(request.created),
            "portalUrl": f"https://app.usecollect.com/portal/{request.campaign}/{request.id}",
            "status": self._status(request),
            "dueDate": None if request.due is None else self._date(request.due),
            "privacy": "private",
            "contact": {
                "_id": contact.id,
                **contact.fields,
                "nbRequest": contact.requests,
                "createdAt": self._date(contact.created),
                "lastActivity": self._date(contact.active),
            },
            "branding": {"useBranding": False},
            **request.extra,
        }

    def _campaign_as_json(self, campaign: str) -> dict[str, Any]:
        return {
            "_id": campaign,
            "name": campaign,
            "status": "open",
            "documents": [],
            "forms": [],
            "texts": [],
            "pages": [],
        }

    def _date(self, at: float) -> str:
        form = "%Y-%m-%dT%H:%M:%SZ" if self.settings.dates == "new" else "%Y-%m-%d %H:%M:%S UTC"
        return datetime.fromtimestamp(at, UTC).strftime(form)
