"""Xebo (Survey2Connect) in the sandbox: login, survey links, sending surveys, and the export of responses."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.state import Ids
from airflow_provider_campaigns.sandbox.vendor import Call, RefusedError, Vendor, choice, reply

API_KEY = "xebo-sandbox-key"
EMAIL = "sandbox@example.com"
PASSWORD = "xebo-sandbox-password"  # noqa: S105  the sandbox's published login

# get-oauth-token-from-credentials: expires_at - created_at in the sample; "valid for 24 hours only".
TOKEN_SECONDS = 24 * 60 * 60
# apidocs.survey2connect.com/campaigns/generate-survey-links (old): "at most 500 links per call".
MAX_CONTACTS = 500
# get-responses-json-format: page_size "default 250".
PAGE_SIZE = 250
# export-survey-links: "'extUniqueId' is mandatory".
LINKS_FIELD = "extUniqueId"
# send-surveys: the field each medium needs; the page is silent on 3 (WhatsApp), taken to be like 1 (SMS).
MEDIUM_FIELDS = {1: "mobile", 2: "email", 3: "mobile"}
KEY_FIELDS = ("extUniqueId", "email", "mobile")
# Response statuses: 0 partial, 1 complete, 2 disqualified (get-responses-spss-format, old).
STATUSES = {"partial": 0, "disqualified": 2}
COMPLETE = 1

INVITATION = (
    "We are conducting a survey and your input would be appreciated. Open the link below to start the survey. "
    "Thank you for your participation! https://s2ccx.com/{code}"
)
V2_MESSAGES = {
    400: "Collector not found",
    401: "The authorization token was not provided.",
    500: "We were not able to process your request",
}


@dataclass
class Settings:
    """
    What ``control`` may change.

    :param response_after: seconds of sandbox time until an invited contact has answered.
    :param rejected_shape: elements of ``rejected_list``, which no page shows: ``object``, the contact and a reason, or
        ``key``.
    """

    response_after: float = 60.0
    rejected_shape: str = choice("object", "key")


class Answer(NamedTuple):
    """A survey response, visible once the clock has reached ``at``."""

    at: float
    collector: str
    status: int
    contact: Mapping[str, Any]


class Xebo(Vendor):
    """
    Xebo; pages of developer-api.xebo.ai.

    Every collector and survey exists, unless its id starts with ``unknown``. Assumed, as no page shows it: the body of
    a successful send (the links' envelope without links), the body of the export (``{"data": [...], "total": n}``,
    times in UTC), the shape of ``rejected_list``, and that WhatsApp needs ``mobile``.
    """

    name = "xebo"

    def reset(self) -> None:
        """Forget tokens and responses."""
        self.settings = Settings()
        self.ids = Ids()
        self.tokens: dict[str, float] = {}
        self.answers: list[Answer] = []

    def routes(self) -> list[Route]:
        """Return the documented paths."""
        collector = "/v2/api/collectors/{collector}"
        return [
            self.route("POST", f"{collector}/campaigns/external", self.links),
            self.route("POST", f"{collector}/campaigns", self.send),
            self.route("POST", f"{collector}/combined/auto", self.send),
            self.route("POST", "/api/v1/oauth/token", self.token),
            self.route("POST", "/api/v1/export/responses/json", self.responses),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        """Return the v2 envelope of the ``campaigns/external`` page."""
        phrase = HTTPStatus(status).phrase
        return reply({"error": {"name": phrase, "message": message or V2_MESSAGES.get(status, phrase)}}, status)

    def control(self, command: Mapping[str, Any]) -> None:
        """Take ``{"answers": n, "collector": id, "status": 1}``: n responses that came in just now; else settings."""
        if "answers" not in command:
            super().control(command)
            return
        collector, status = str(command.get("collector", "")), int(command.get("status", COMPLETE))
        now = self.clock.now()
        self.answers += [
            Answer(now, collector, status, {"extUniqueId": self.ids.draw(8)}) for _ in range(int(command["answers"]))
        ]

    # -- calls

    def token(self, call: Call) -> Response:
        """Sign in: ``get-oauth-token-from-credentials``."""
        login = call.json()
        missing = {name: ["This field is required."] for name in ("email", "password") if not login.get(name)}
        if missing:
            return _v3_error(400, "invalid", "Invalid input.", missing)
        if (login["email"], login["password"]) != (EMAIL, PASSWORD):
            return _v3_error(401, "no_active_account", "Incorrect email or password")
        now = int(self.clock.now())
        token = f"xebo-token-{secrets.token_hex(16)}"
        self.tokens[token] = now + TOKEN_SECONDS
        return reply(
            {
                "refresh_token": f"xebo-refresh-{secrets.token_hex(16)}",
                "access_token": token,
                "expires_at": now + TOKEN_SECONDS,
                "created_at": now,
            }
        )

    def links(self, call: Call) -> Response:
        """Draw a link per contact and send nothing: ``export-survey-links``, ``?p=3205``."""
        return self._campaign(call, None)

    def send(self, call: Call) -> Response:
        """Send surveys by SMS, e-mail or WhatsApp: ``send-surveys``."""
        medium = call.json().get("medium")
        if medium not in MEDIUM_FIELDS or isinstance(medium, bool):
            self._sign_in(call)
            return self.error(400, "Invalid medium")
        return self._campaign(call, MEDIUM_FIELDS[medium])

    def responses(self, call: Call) -> Response:
        """Export responses, a page at a time: ``get-responses-json-format``; the reply's body is assumed."""
        if problem := self._not_signed_in(call):
            return _v3_error(401, "AUTHENTICATION_ERROR", problem)
        query = call.json()
        survey = str(query.get("survey_id") or "")
        if not survey:
            return _v3_error(400, "invalid", "Invalid input.", {"survey_id": ["This field is required."]})
        if survey.startswith("unknown"):
            return _v3_error(404, "not_found", "Survey not found")
        try:
            size, page = _positive(call.query.get("page_size", PAGE_SIZE)), _positive(call.query.get("page", 1))
            found = self._matching(query)
        except (ValueError, TypeError):
            return _v3_error(400, "invalid", "Invalid input.")
        rows = found[(page - 1) * size : page * size]
        return reply({"data": [_row(survey, answer) for answer in rows], "total": len(found)})

    # -- parts of a call

    def _campaign(self, call: Call, needed: str | None) -> Response:
        self._sign_in(call)
        body, collector = call.json(), call.params["collector"]
        if collector.startswith("unknown") or str(body.get("collectortoken", "")).startswith("unknown"):
            return self.error(400)
        contacts = body.get("contacts")
        if not isinstance(contacts, list) or not all(isinstance(contact, dict) for contact in contacts):
            return self.error(400, "contacts must be an array of objects")
        if len(contacts) > MAX_CONTACTS:
            return self.error(400, f"Maximum {MAX_CONTACTS} contacts are allowed in one request")
        data, rejected = [], []
        answers_at = self.clock.now() + self.settings.response_after
        for contact in contacts:
            key = next((str(contact[name]) for name in KEY_FIELDS if contact.get(name)), "")
            if reason := _why_rejected(contact, key, needed or LINKS_FIELD):
                rejected.append({**contact, "message": reason} if self.settings.rejected_shape == "object" else key)
                call.took(collector, key, "rejected", contact)
                continue
            status = next((value for word, value in STATUSES.items() if key.startswith(word)), COMPLETE)
            self.answers.append(Answer(answers_at, collector, status, contact))
            call.took(collector, key, "accepted", contact)
            if needed is None:
                data.append(self._link(contact))
        accepted = len(contacts) - len(rejected)
        counts = {"rejected_list": rejected, "accepted": accepted, "rejected": len(rejected)}
        return reply({"msg": "Request data is correct", "data": data, **counts})

    def _link(self, contact: Mapping[str, Any]) -> dict[str, Any]:
        return {LINKS_FIELD: contact[LINKS_FIELD], "message": INVITATION.format(code=self.ids.draw(7))}

    def _sign_in(self, call: Call) -> None:
        if problem := self._not_signed_in(call):
            raise RefusedError(self.error(401, problem))

    def _not_signed_in(self, call: Call) -> str | None:
        """Return what is wrong with the credentials; the words for a wrong or ended token are assumed."""
        if key := call.headers.get("x-api-key"):
            return None if key == API_KEY else "The api key is not valid."
        if not call.bearer:
            return V2_MESSAGES[401]
        live = self.tokens.get(call.bearer, 0) > self.clock.now()
        return None if live else "The authorization token is invalid or has expired."

    def _matching(self, query: Mapping[str, Any]) -> list[Answer]:
        """Return the responses that the export's filters let through, oldest first."""
        statuses, collectors = query.get("response_status"), query.get("collector_ids")
        first, last = _period(query)
        now = self.clock.now()
        return [
            answer
            for answer in self.answers
            if answer.at <= now
            and (not statuses or answer.status in statuses)
            and (not collectors or answer.collector in collectors or export_id(answer.collector) in collectors)
            and first <= _written(answer.at)[: len(first)]
            and (not last or _written(answer.at)[: len(last)] <= last)
        ]


def export_id(collector: str) -> str:
    """Return the UUID under which the export knows the collector of the v2 path; the two ids differ at Xebo."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"xebo-collector:{collector}"))


def _why_rejected(contact: Mapping[str, Any], key: str, needed: str) -> str | None:
    if not contact.get(needed):
        return f"{needed} is mandatory"
    return "The contact is not valid" if key.startswith("rejected") else None


def _positive(number: str | int) -> int:
    if int(number) < 1:
        raise ValueError(number)
    return int(number)


def _period(query: Mapping[str, Any]) -> tuple[str, str]:
    """Return ``date_filter`` or ``time_filter`` as written, empty where it is open; ValueError if it is no date."""
    dates, times = query.get("date_filter") or {}, query.get("time_filter") or {}
    first, last = dates.get("operand") or (times.get("start", ""), times.get("end", ""))
    if any(bound and not re.match(r"\d{4}-\d\d-\d\d", bound) for bound in (first, last)):
        raise ValueError(first, last)
    return first.replace("T", " "), last.replace("T", " ")


def _row(survey: str, answer: Answer) -> dict[str, Any]:
    known = {"survey_id": survey, "collector_id": export_id(answer.collector), "response_status": answer.status}
    return {**known, "submitted_at": _written(answer.at), **answer.contact}


def _written(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _v3_error(status: int, error: str, message: str, data: Mapping[str, Any] | None = None) -> Response:
    """Return the envelope of the v3 pages and of the login."""
    body = {"success": False, "code": status, "status": HTTPStatus(status).phrase, "error": error, "message": message}
    return reply(body | ({"data": data} if data else {}), status)
