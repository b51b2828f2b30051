"""
Ozonetel CloudAgent: leads for outbound campaigns, starting and stopping them, their status and their calls.

Sources: docs.ozonetel.com/reference, e.g. "Add Campaign Data (Token authentication)". The pages give no HTTP statuses,
so replies are judged by their words.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from itertools import count
from typing import Any, Literal

from airflow_provider_campaigns.exceptions import (
    CallRefusedError,
    InputError,
    OutcomeUnknownError,
    RequestRejectedError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import (
    AccountFact,
    Dialect,
    RetryPolicy,
    VendorMessage,
    Verdict,
    json_object,
)
from airflow_provider_campaigns.protocol.messages import Conversation, Keep, Page, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.reply_values import access_token, text
from airflow_provider_campaigns.vendors.common.shared_token import shared_token
from airflow_provider_campaigns.vendors.ozonetel.checks import check_status_action

log = logging.getLogger(__name__)

SIGN_IN_PATH = "/ca_apis/CAToken/generateToken"
ADD_PATH = "/ca_apis/AddCampaignData"
BULK_PATH = "/cloudAgentRestAPI/index.php/AddCampaignBulkDataV4/addBulkData/format/json"
SET_STATUS_PATH = "/ca_apis/setCampaignStatus"
STATUS_PATH = "/ca_apis/campaignStatus"
CALLS_PATH = "/ca_reports/fetchCdrByPagination"

# "Generate Token": valid 60 minutes, 10 an hour, and each new one ends all earlier ones.
TOKEN_LIFETIME = 60 * 60.0
TOKENS_AN_HOUR = 10
# Seconds before its end at which a token is no longer used: a request that is being sent must arrive in time.
TOKEN_MARGIN = 5 * 60.0
# "Fetch CDR by pagination": the largest page, and requests a minute.
MOST_CALLS_PER_PAGE = 500
CALL_RECORD_PAGES_A_MINUTE = 2
# "Fetch CDR": days back that can be asked for; a day begins at midnight in India.
CALL_RECORD_DAYS = 15
INDIA = timezone(timedelta(hours=5, minutes=30))

# "Campaign Status" shows READY and COMPLETED; the guide to outbound campaigns names all four.
POSITIONS = frozenset({"ready", "running", "stopped", "completed"})

SUCCESS = "success"
FAILURES = frozenset({"false", "fail", "error", "failure"})
"""What ``status`` says of a refusal, in any case."""

# What a reply that is no success means, by a phrase of its message and whatever its HTTP status. Words that no page
# has are judged by ``status`` and the HTTP status.
MEANINGS = {
    "already exist": Verdict.ANSWERED,
    "token expired": Verdict.SIGNED_OUT,
    "invalid token": Verdict.SIGNED_OUT,
    "token should not be null": Verdict.SIGNED_OUT,
    "max limit exceeded": Verdict.THROTTLED,
    "request limit exhausted": Verdict.THROTTLED,
    "already one process is running": Verdict.THROTTLED,
    "invalid action": Verdict.CALL_REFUSED,
    "invalid user details": Verdict.CALL_REFUSED,
    "api key should not be null": Verdict.CALL_REFUSED,
    "username should not be null": Verdict.CALL_REFUSED,
    "username is null": Verdict.CALL_REFUSED,
    "invalid username or apikey": Verdict.CALL_REFUSED,
    "username or apikey is invalid": Verdict.CALL_REFUSED,
    "missing username or apikey": Verdict.CALL_REFUSED,
    "please provide campaign details": Verdict.CALL_REFUSED,
    # "No User Found or Campaign Name is Invalid", and the older bulk page's "no user found".
    "no user found": Verdict.CALL_REFUSED,
    "api_key or campaign_name is invalid or not found": Verdict.CALL_REFUSED,
    "passed campaign are invalid": Verdict.CALL_REFUSED,
    "authentication failed": Verdict.CALL_REFUSED,
    "please provide valid data": Verdict.CALL_REFUSED,
    "the selected campaign is not outbound": Verdict.CALL_REFUSED,
    "phone number should be numeric": Verdict.REJECTED,
    "dnd number": Verdict.REJECTED,
    "priority value must be numeric": Verdict.REJECTED,
    "invalid date format": Verdict.REJECTED,
    "agent is empty": Verdict.REJECTED,
    "agent is not correctly mapped": Verdict.REJECTED,
    "please provide valid skill": Verdict.REJECTED,
    "all parameters are mandatory": Verdict.REJECTED,
    "no record found": Verdict.REJECTED,
}
# "Invalid action." is the page's answer to a token while the account is set to BASIC_AUTH or NONE, and the reverse.
WRONG_MODE = (
    " (not the operator's action: the account's \"API Authentication\" setting is another one than the connection's"
    " extra auth_mode; set auth_mode to the account's: token or basic)"
)
# What the reports answer instead; a wrong key or user name reads the same.
PERHAPS_WRONG_MODE = (
    " (also when the account's \"API Authentication\" setting is another one than the connection's extra auth_mode;"
    " set auth_mode to the account's: token or basic)"
)
HINTS = {
    "invalid action": WRONG_MODE,
    "missing username or apikey": PERHAPS_WRONG_MODE,
    "username or apikey is invalid": PERHAPS_WRONG_MODE,
}
TOKEN_REFUSED = ("token expired", "invalid token", "token should not be null")


@dataclass(frozen=True, kw_only=True)
class Ozonetel(Dialect):
    """
    The protocol of one CloudAgent account.

    :param user_name: the account's user name; goes into every body.
    :param api_key: the account's API key; always sent as a header, also beside a token, as the page says.
    :param auth_mode: the account's "API Authentication" setting: ``token`` (TOKEN_AUTH) or ``basic`` (BASIC_AUTH).
    :raises InputError: another ``auth_mode``.
    """

    vendor = "ozonetel"

    user_name: str
    api_key: str = field(repr=False)
    auth_mode: Literal["token", "basic"] = "token"

    def __post_init__(self) -> None:
        if self.auth_mode not in {"token", "basic"}:
            raise InputError("auth_mode", "token or basic", self.auth_mode)

    @property
    def signs_in(self) -> bool:
        """Whether the account wants a token."""
        return self.auth_mode == "token"

    def authorize(self, request: Request, token: str) -> Request:
        """Add the API key (for bulk V4 into the body too, where its page wants it) and the token."""
        headers = {**request.headers, "apiKey": self.api_key}
        if self.signs_in:
            headers["Authorization"] = f"Bearer {token}"
        body = {"apiKey": self.api_key, **request.json} if request.path == BULK_PATH else request.json
        return replace(request, headers=headers, json=body)

    def sign_in(self, stale: str) -> Conversation[str]:
        """
        Return the token that the account's tasks share, or a new one.

        :raises VendorError: the vendor gives no token.
        """
        return (yield from shared_token(self, stale, self._new_token, TOKENS_AN_HOUR))

    def _new_token(self) -> Conversation[Keep]:
        """Ask for a new token, which ends all earlier ones (reference "Generate Token")."""
        # Signed as in basic mode, for it must not ask for a token itself; no repeats, for each one would count.
        asking = replace(self, auth_mode="basic", policy=RetryPolicy(retry_limit=0, max_wait=0))
        body = {"userName": self.user_name}
        safe = "a token contacts nobody"
        asked_at = time.time()
        response = yield from exchange(asking, Request("POST", SIGN_IN_PATH, "write", json=body, safe_to_resend=safe))
        token = access_token(reply_object(response).get("token"))
        if token is None:
            raise CallRefusedError(self.vendor, "the reply holds no token", status=response.status)
        return Keep(token, asked_at + TOKEN_LIFETIME - TOKEN_MARGIN)

    def verdict(self, response: Response) -> Verdict:
        """Judge a reply by its words, which may come with any HTTP status; only ``success`` is a success."""
        body = reply_object(response)
        if not succeeded(body):
            words = message_of(body).casefold()
            for phrase, verdict in MEANINGS.items():
                if phrase in words:
                    return verdict
            if response.ok and words and _status(body) in FAILURES:
                return Verdict.REJECTED
        return Verdict.ANSWERED if response.ok and body else super().verdict(response)

    def explain(self, response: Response) -> VendorMessage:
        """Return the vendor's words; it has no codes."""
        message = message_of(reply_object(response))
        return VendorMessage(None, f"{message}{self._hint(message)}" or f"no message ({len(response.body)} bytes)")

    def _hint(self, message: str) -> str:
        said = message.casefold()
        if not self.signs_in and any(words in said for words in TOKEN_REFUSED):
            return PERHAPS_WRONG_MODE
        return next((hint for words, hint in HINTS.items() if words in said), "")

    def check(self) -> Conversation[str]:
        """
        Ask for the status of a campaign that need not exist, which proves the credentials and changes nothing.

        :raises VendorError: they are not taken, or the host is not Ozonetel's.
        """
        try:
            yield from self._campaigns("connection test")
        except RequestRejectedError as refusal:
            if "no record found" not in refusal.message.casefold():
                raise
        return f"Ozonetel takes the API key and user name (auth_mode {self.auth_mode})"

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """Return the account's setting, and how it answers for a campaign that there is not, which no page says."""
        listed = reply_object(reply).get("message")
        others = f"{len(listed)} others are listed" if isinstance(listed, list) else "no others are listed"
        return [
            AccountFact(
                "API Authentication", {"token": "TOKEN_AUTH", "basic": "BASIC_AUTH"}[self.auth_mode], holds=True
            ),
            AccountFact("campaignStatus is a GET with a JSON body", f"HTTP {reply.status}", holds=True),
            AccountFact("campaignStatus of an unknown campaign", f"HTTP {reply.status}, {others}"),
        ]

    def set_campaign_status(self, campaign_name: str, action: str, *, process: bool = True) -> Conversation[str]:
        """
        Start or stop a campaign (reference "Set Campaign Status") and return the vendor's message.

        :param action: ``Start`` or ``Stop``, in any case. Starting is not repeated when its fate is unknown.
        :param process: sent as given; the page makes it mandatory and says no more.
        :raises InputError: another action.
        """
        check_status_action(action)
        wanted = str(action).capitalize()
        body = {"userName": self.user_name, "campaignName": campaign_name, "action": wanted, "process": process}
        safe = "stopping twice contacts nobody" if wanted == "Stop" else ""
        response = yield from exchange(self, Request("PUT", SET_STATUS_PATH, "write", json=body, safe_to_resend=safe))
        reply = reply_object(response)
        if not succeeded(reply):
            raise self.error(OutcomeUnknownError, response)
        return message_of(reply)

    def campaign_status(self, campaign_name: str) -> Conversation[dict[str, Any]]:
        """
        Return the campaign's ``CampaignID``, ``CampaignName``, ``UserName`` and ``Position`` (ref. "Campaign Status").

        The page's sample lists campaigns that were not asked for, so the exact name is looked for here.

        :raises CallRefusedError: there is no such campaign.
        """
        try:
            campaigns = yield from self._campaigns(campaign_name)
        except RequestRejectedError as refusal:
            message = f"campaign {campaign_name!r}: {refusal.message}"
            raise CallRefusedError(self.vendor, message, status=refusal.status) from refusal
        for campaign in campaigns:
            if isinstance(campaign, dict) and campaign.get("CampaignName") == campaign_name:
                return campaign
        raise CallRefusedError(self.vendor, f"there is no campaign {campaign_name!r}")

    def poll_campaign(
        self, campaign_name: str, target_status: str = "COMPLETED", *, wait_for_start: bool = True
    ) -> Conversation[PollResult]:
        """
        Poll whether the campaign has reached ``target_status``, in any case.

        The guide names Ready, Running, Stopped and Completed; none is a failure: a stopped campaign can be started
        again. Other words count as running, and are reported as unknown.

        :param wait_for_start: whether a campaign that is still READY is waited for; otherwise it has failed.
        """
        campaign = yield from self.campaign_status(campaign_name)
        position = str(campaign.get("Position") or "")
        details = {"campaign_id": campaign.get("CampaignID"), "position": position}
        if position.casefold() == target_status.strip().casefold():
            return PollResult("done", position, details)
        if position.casefold() == "ready" and not wait_for_start:
            return PollResult("failed", position, {**details, "reason": "the campaign was not started"})
        return PollResult("running", position, details, unknown=() if position.casefold() in POSITIONS else (position,))

    def call_records(
        self, day: date, campaign_name: str | None = None, page_size: int = MOST_CALLS_PER_PAGE
    ) -> Conversation[int]:
        """
        Yield the calls of one day page by page and return their number (ref. "Fetch CDR by pagination").

        Two pages a minute are given, counted from 1.

        :param day: a day of Indian time; see ``check_call_day``.
        :raises VendorUnavailableError: the vendor does not turn the page.
        """
        body = {
            "fromDate": f"{day:%Y-%m-%d} 00:00:00",
            "toDate": f"{day:%Y-%m-%d} 23:59:59",
            "userName": self.user_name,
        }
        if campaign_name is not None:
            body["campaignName"] = campaign_name
        seen, total, before = 0, None, None
        for number in count(1):
            calls, total = yield from self._calls(body, number, page_size)
            if calls and calls == before:
                raise VendorUnavailableError(self.vendor, f"page {number} of the calls is the one before it again")
            if calls:
                yield Page(calls)
            seen += len(calls)
            if _is_last(calls, page_size, seen, total):
                break
            before = calls
        if total is not None and seen < total:
            # Whether the total minds the campaign is not documented.
            log.warning("ozonetel: %s calls were returned, of %s that the vendor counts", f"{seen:,}", f"{total:,}")
        return seen

    def _calls(self, body: Mapping[str, str], page: int, page_size: int) -> Conversation[tuple[list[Any], int | None]]:
        """Return the calls of a page, and how many there are in all if the vendor says so."""
        query = {"pageNo": page, "pageSize": page_size}
        response = yield from exchange(self, Request("GET", CALLS_PATH, "read", json=body, params=query))
        reply = reply_object(response)
        calls, total = reply.get("details"), text(reply.get("totalCount"))
        if calls is None and succeeded(reply) and total in {None, "0"}:
            calls = []
        if not isinstance(calls, list):
            raise self.error(VendorUnavailableError, response)
        return calls, int(total) if total and total.isdecimal() else None

    def _campaigns(self, campaign_name: str) -> Conversation[list[Any]]:
        body = {"userName": self.user_name, "campaignName": campaign_name}
        response = yield from exchange(self, Request("GET", STATUS_PATH, "read", json=body))
        campaigns = reply_object(response).get("message")
        if not isinstance(campaigns, list):
            raise self.error(VendorUnavailableError, response)
        return campaigns


def _is_last(calls: Sequence[Any], page_size: int, seen: int, total: int | None) -> bool:
    """Whether a page is the last one: an empty one, else by the total, else the first that is not full."""
    return not calls or (len(calls) < page_size if total is None else seen >= total)


def check_call_day(day: date) -> None:
    """
    Refuse a day whose calls the vendor does not give: for one too old it answers that there were none.

    :raises InputError: it is more than 15 days ago, or to come (tomorrow is left to the vendor, as clocks differ).
    """
    today = datetime.now(INDIA).date()
    oldest = today - timedelta(days=CALL_RECORD_DAYS)
    if not oldest <= day <= today + timedelta(days=1):
        raise InputError("day", f"one of the last {CALL_RECORD_DAYS} days in India, from {oldest} to {today}", day)


def reply_object(response: Response) -> dict[str, Any]:
    """Return the reply as an object, also when its braces are missing, as in some of the page's samples."""
    return json_object(response) or json_object(replace(response, body=b"{%b}" % response.body))


def message_of(reply: Mapping[str, Any]) -> str:
    """Return the vendor's words; empty when ``message`` holds something else, such as a list of results."""
    message = reply.get("message")
    return message if isinstance(message, str) else ""


def succeeded(reply: Mapping[str, Any]) -> bool:
    """Whether ``status`` says success, in any case."""
    return _status(reply) == SUCCESS


def _status(reply: Mapping[str, Any]) -> str:
    return str(reply.get("status")).strip().casefold()
