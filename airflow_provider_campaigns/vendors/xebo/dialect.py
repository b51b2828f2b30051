"""
Xebo.ai (once Survey2Connect): survey links, survey sends, and the responses that come back.

The pages: https://developer-api.xebo.ai/?p=3205 (links), /send-surveys, /get-oauth-token-from-credentials and
/get-responses-json-format.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from airflow_provider_campaigns.exceptions import (
    LONGEST_MESSAGE,
    CallRefusedError,
    InputError,
    RequestRejectedError,
    shown,
)
from airflow_provider_campaigns.parameters import parse_date_or_datetime
from airflow_provider_campaigns.protocol.dialect import AccountFact, Dialect, VendorMessage, Verdict, json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Recall, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.paging import pages
from airflow_provider_campaigns.vendors.common.reply_values import access_token, mapping, text, whole_number, words

log = logging.getLogger(__name__)

LOGIN_URL = "https://api.xebo.ai"
LOGIN_PATH = "/api/v1/oauth/token"
SEND_PATH = "/v2/api/collectors/{collector_id}/campaigns"
"""The page's curl calls this path; its newest text names ``/v2/api/collectors/{collector_id}/combined/auto``."""

TOKEN_LIFE = 24 * 3600.0  # seconds: "this token generated is valid for 24 hours only" (?p=3205)
PAGE_SIZE = 250  # "by default it is 250" (/get-responses-json-format); the largest is not published
COMPLETE = 1  # response_status 0: partial, 1: complete, 2: disqualified (/get-responses-spss-format)
RESPONSE_STATUSES = frozenset({0, COMPLETE, 2})
NO_SURVEY = "00000000-0000-0000-0000-000000000000"

_LINKS_CONTACT_NO_ONE = "generating links contacts no one"
# Refusals that every other batch would meet too: the collector and the medium are the same for all.
_CALL_REFUSALS = ("collector not found", "invalid medium")
_STATUS_BY_NAME = {status.phrase.casefold(): status.value for status in HTTPStatus if status >= 400}


@dataclass(frozen=True, kw_only=True)
class Xebo(Dialect):
    """
    One Xebo account: an API key, or e-mail and password for 24-hour tokens.

    :param email: of the user who signs in.
    :param password: of that user.
    :param api_key: instead of e-mail and password; copied from the platform.
    :param login_url: scheme and host of the login; the path is appended.
    :param send_path: of the call that makes Xebo send, with ``{collector_id}``; the pages name two.
    """

    vendor: ClassVar[str] = "xebo"

    email: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    login_url: str = LOGIN_URL
    send_path: str = SEND_PATH

    def __post_init__(self) -> None:
        if not self.api_key and not (self.email and self.password):
            raise InputError("xebo connection", "login (e-mail) and password, or api_key in the extras", "neither")
        if not self.send_path.startswith("/") or "{collector_id}" not in self.send_path:
            raise InputError("send_path", "a path with {collector_id}", self.send_path)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Password and API key; not the e-mail, which may be a contact's as well, and is masked as an address."""
        return tuple(filter(None, (self.password, self.api_key)))

    @property
    def signs_in(self) -> bool:
        """Whether requests need a token: not with an API key."""
        return not self.api_key

    def authorize(self, request: Request, token: str) -> Request:
        """Add ``x-api-key``, or the bearer token."""
        headers = {"x-api-key": self.api_key} if self.api_key else {"Authorization": f"Bearer {token}"}
        return replace(request, headers={**request.headers, **headers})

    def sign_in(self, stale: str) -> Conversation[str]:
        """Return the stored token unless it is ``stale``, else log in."""
        stored: str | None = yield Recall()
        if stored and stored != stale:
            return stored
        grant = yield from self._log_in()
        yield grant
        return grant.token

    def verdict(self, response: Response) -> Verdict:
        """Judge by the error's name too: the pages show the error bodies without their HTTP statuses."""
        said = _said_status(json_object(response))
        if said and (response.ok or response.status == 400):
            response = replace(response, status=said)
        verdict = super().verdict(response)
        message = self.explain(response).message.casefold() if verdict is Verdict.REJECTED else ""
        return Verdict.CALL_REFUSED if any(refusal in message for refusal in _CALL_REFUSALS) else verdict

    def explain(self, response: Response) -> VendorMessage:
        """Read both error envelopes: v2 ``{"error": {"name", "message"}}``, v3 with ``code``, ``error``, ``data``."""
        body = json_object(response)
        error = body.get("error")
        if isinstance(error, Mapping):
            code, message = text(error.get("name")), text(error.get("message")) or text(error.get("name"))
        else:
            code, message = text(error) or text(body.get("code")), text(body.get("message"))
        fields = [f"{name}: {words(problem)}" for name, problem in mapping(body.get("data")).items()]
        said = " ".join(filter(None, [message or super().explain(response).message, "; ".join(fields)]))
        return VendorMessage(code, said)

    def links(
        self, collector_id: str, collector_token: str, contacts: Sequence[Mapping[str, Any]]
    ) -> Conversation[Any]:
        """
        Generate a survey link for each contact (https://developer-api.xebo.ai/?p=3205); nobody is contacted.

        :param collector_id: the 24-hex id in the collector's address.
        :param collector_token: ``collectortoken``, copied from the platform; left out when empty, as on an older page.
        :param contacts: 500 at the most.
        """
        path = f"/v2/api/collectors/{quote(collector_id, safe='')}/campaigns/external"
        body = {**_token(collector_token), "contacts": list(contacts)}
        request = Request(
            "POST", path, "write", json=body, safe_to_resend=_LINKS_CONTACT_NO_ONE, secrets=(collector_token,)
        )
        return json_object((yield from exchange(self, request)))

    def send(
        self, collector_id: str, collector_token: str, medium: int, contacts: Sequence[Mapping[str, Any]]
    ) -> Conversation[Any]:
        """
        Make Xebo send the survey (https://developer-api.xebo.ai/send-surveys).

        :param collector_token: left out when empty: a sample on the page has none.
        :param medium: 1 SMS, 2 e-mail, 3 WhatsApp.
        """
        path = self.send_path.replace("{collector_id}", quote(collector_id, safe=""))
        body = {**_token(collector_token), "medium": medium, "contacts": list(contacts)}
        request = Request("POST", path, "write", json=body, secrets=(collector_token,))
        return json_object((yield from exchange(self, request)))

    def responses(
        self,
        survey_id: str,
        *,
        collector_ids: Sequence[str] | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        response_status: Sequence[int] = (COMPLETE,),
        page_size: int = PAGE_SIZE,
    ) -> Conversation[int]:
        """
        Yield the responses to a survey, page by page, and return their number.

        :param survey_id: UUID of the survey.
        :param collector_ids: UUIDs of collectors (not the 24-hex ids that ``links`` takes); None: all.
        :param since: first day; hours are ignored, and whose midnight counts is not published.
        :param until: last day; default tomorrow. Needs ``since``.
        :param response_status: 0 partial, 1 complete, 2 disqualified.
        :param page_size: responses per request.
        """
        body = _filters(survey_id, collector_ids, since, until, response_status)
        return (yield from pages(self.vendor, lambda page: self._responses(body, page, page_size), page_size))

    def count_responses(
        self,
        survey_id: str,
        minimum: int,
        collector_ids: Sequence[str] | None = None,
        since: date | str | None = None,
    ) -> Conversation[PollResult]:
        """Poll whether ``minimum`` complete responses are there; counts no further. Filters as in ``responses``."""
        body = _filters(survey_id, collector_ids, since, None, (COMPLETE,))
        number = yield from pages(
            self.vendor,
            lambda page: self._responses(body, page, PAGE_SIZE),
            PAGE_SIZE,
            keep=lambda _: None,
            enough=minimum,
        )
        return PollResult(
            state="done" if number >= minimum else "running",
            status=f"{number} of {minimum} responses",
            details={"responses": number},
        )

    def check(self) -> Conversation[str]:
        """
        Prove the credentials without sending anything, and return what was proved.

        With e-mail and password: a login. With an API key, for which Xebo publishes no call that only reads the
        account: the export of a survey that cannot exist. Xebo's refusal of the survey proves the key; 401 refuses it.

        :raises VendorError: the credentials are not taken, or the host is not Xebo's.
        """
        if not self.api_key:
            yield from self._log_in()
            return f"Signed in at {self.login_url}"
        try:
            yield from self._responses(_filters(NO_SURVEY, None, None, None, (COMPLETE,)), 0, 1)
        except (CallRefusedError, RequestRejectedError) as refusal:
            is_answer = isinstance(refusal, RequestRejectedError) or refusal.status == 404
            if not is_answer or refusal.code is None:
                raise
        return "Xebo takes the API key"

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """Return in which form the login answered, or how Xebo refuses a survey that there is not."""
        if self.api_key:
            return [AccountFact("export of an unknown survey", f"HTTP {reply.status}")]
        whole = json_object(reply)
        body = mapping(whole.get("data")) or whole
        forms = {"expires_at": "current form (expires_at)", "expires_in": "old form (expires_in)"}
        form = next((form for name, form in forms.items() if body.get(name)), "no time at which the token ends")
        return [AccountFact("the login's reply", form, holds="expires_at" in form)]

    def _responses(self, body: Mapping[str, Any], page: int, page_size: int) -> Conversation[list[Any]]:
        path = "/api/v1/export/responses/json"
        query = {"page": page + 1, "page_size": page_size}
        response = yield from exchange(self, Request("POST", path, "read", json=body, params=query))
        return self._rows(response)

    def _rows(self, response: Response) -> list[Any]:
        """
        Return the responses in a reply whose form is not published.

        A bare list, or the first list under a likely name, also one level down; without one there are no responses.
        """
        body = response.json()
        if isinstance(body, list):
            return body
        outer = _likely(mapping(body))
        inner = [value for held in outer for value in _likely(mapping(held))]
        for value in outer + inner:
            if isinstance(value, list):
                return value
        names = shown(self.redactor(response.secrets)(", ".join(mapping(body)), longest=LONGEST_MESSAGE))
        log.warning("xebo: no list of responses in the reply; it has %s", names or "no fields")
        return []

    def _log_in(self) -> Conversation[Keep]:
        login = _Login(policy=self.policy, email=self.email, password=self.password, login_url=self.login_url)
        body = {"email": self.email, "password": self.password}
        url = f"{self.login_url.rstrip('/')}{LOGIN_PATH}"
        # A login changes nothing at the vendor that a second one would change again.
        response = yield from exchange(login, Request("POST", url, "read", json=body))
        return _grant(response)


def _token(collector_token: str) -> dict[str, str]:
    return {"collectortoken": collector_token} if collector_token else {}


class _Login(Xebo):
    """The login itself: no credentials in its headers, and any refusal is final."""

    @property
    def signs_in(self) -> bool:
        return False

    def authorize(self, request: Request, token: str) -> Request:
        return request

    def verdict(self, response: Response) -> Verdict:
        verdict = super().verdict(response)
        return Verdict.CALL_REFUSED if verdict is Verdict.REJECTED else verdict

    def explain(self, response: Response) -> VendorMessage:
        code, message = super().explain(response)
        return VendorMessage(code, f"{message} (check the connection's login, password and login_url)")


def _grant(response: Response) -> Keep:
    """Read a login's reply: the current form, the old one (milliseconds, ``expires_in``), the oldest (in ``data``)."""
    reply = json_object(response)
    body = mapping(reply.get("data")) or reply
    token = access_token(body.get("access_token"))
    if token is None:
        raise CallRefusedError(
            Xebo.vendor, "the login's reply holds no access_token; check login_url", status=response.status
        )
    ends = _seconds(body.get("expires_at"))
    begins, life = _seconds(body.get("created_at")), _number(body.get("expires_in"))
    if not ends and begins and life:
        ends = begins + life
    return Keep(token, expires_at=ends or time.time() + TOKEN_LIFE)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and 1 < value < 1e15 else 0.0


def _seconds(value: object) -> float:
    """Return an epoch in seconds; the old login gives milliseconds."""
    number = _number(value)
    return number / 1000 if number > 1e11 else number


def _said_status(body: Mapping[str, Any]) -> int | None:
    """Return the HTTP status an error envelope stands for; None when the body is none."""
    error = body.get("error")
    if isinstance(error, Mapping) and (text(error.get("name")) or text(error.get("message"))):
        return _STATUS_BY_NAME.get(str(error.get("name")).casefold(), 400)
    if body.get("success") is False:
        code = whole_number(body.get("code"))
        return code if code and 400 <= code < 600 else 400
    return None


def _filters(
    survey_id: str,
    collector_ids: Sequence[str] | None,
    since: date | str | None,
    until: date | str | None,
    response_status: Sequence[int],
) -> dict[str, Any]:
    """Return the body of the export, as on https://developer-api.xebo.ai/get-responses-json-format."""
    body: dict[str, Any] = {"survey_id": survey_id, "data_structure": "flat"}
    if until and not since:
        raise InputError("since", "a first day when until is given", since)
    if since:
        # Tomorrow, for the vendor's day may have begun before ours.
        tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
        first = _day("since", since)
        last = _day("until", until) if until else max(first, tomorrow)
        if last < first:
            raise InputError("until", f"{first} or a later day", last)
        body["date_filter"] = {"operand": [first, last], "type": "between"}
    if not response_status or not set(response_status) <= RESPONSE_STATUSES:
        raise InputError("response_status", "some of 0 (partial), 1 (complete), 2 (disqualified)", response_status)
    body["response_status"] = list(response_status)
    if collector_ids:
        body["collector_ids"] = list(collector_ids)
    return body


def _day(name: str, value: date | str) -> str:
    return parse_date_or_datetime(name, value).isoformat()[:10]


def _likely(body: Mapping[str, Any]) -> list[Any]:
    return [body.get(name) for name in ("data", "responses", "result", "results", "rows")]
