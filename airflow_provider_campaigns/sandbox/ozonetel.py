"""Ozonetel CloudAgent in the sandbox: tokens, leads one by one or in bulk, campaign status, and call records."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox import ozonetel_words as words
from airflow_provider_campaigns.sandbox.ozonetel_campaign import RUNNING, Campaign, is_true
from airflow_provider_campaigns.sandbox.ozonetel_words import Answer
from airflow_provider_campaigns.sandbox.state import RateWindow
from airflow_provider_campaigns.sandbox.vendor import Call, RefusedError, Vendor, choice, reply

USER = "sandbox"
API_KEY = "ozonetel-sandbox-key"

# post_ca-apis-catoken-generatetoken: valid 60 minutes, at most 10 an hour.
TOKEN_SECONDS = 60 * 60
TOKENS_AN_HOUR = 10
# post_ca-apis-addcampaigndata-1: 100 requests a minute.
LEADS_A_MINUTE = 100
# post_cloudagentrestapi-...-addcampaignbulkdatav4: 500 rows a request, 5 requests a minute, 2,000 characters a row
# "including all headers".
MAX_ROWS = 500
BULKS_A_MINUTE = 5
MAX_ROW_LENGTH = 2000
# get_ca-reports-fetchcdrbypagination: 2 requests a minute; at most 500 a page (third-party code).
REPORTS_A_MINUTE = 2
MAX_PAGE_SIZE = 500
REPORT_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass
class Settings:
    """
    What ``control`` may change.

    :param auth_mode: the account's setting "API Authentication".
    :param http_errors: HTTP 400, 401 and 429 around refusals instead of 200; no page says which it is.
    :param seconds_per_lead: sandbox time a running campaign takes for one lead.
    """

    auth_mode: str = choice("TOKEN_AUTH", "BASIC_AUTH", "NONE")
    http_errors: bool = False
    seconds_per_lead: float = 1.0


class Ozonetel(Vendor):
    """
    Ozonetel; pages of docs.ozonetel.com/reference.

    Every campaign exists, unless its name starts with ``unknown``; names that start with ``inbound``, ``agentwise`` or
    ``skillwise`` (any case) are of that kind. Every agent and skill exists, unless it starts with ``unknown``. Numbers
    that end in 900996 are on the do-not-disturb list. Assumed, as no page shows it: HTTP 200 around refusals (see
    ``Settings.http_errors``), HTTP 429 for an eleventh token in an hour, "Invalid Token" for one that a newer one
    ended, and the replies of the bulk call.
    """

    name = "ozonetel"

    def reset(self) -> None:
        """Forget the token, what was counted, and the leads."""
        self.settings = Settings()
        self.token_window = self.window(TOKENS_AN_HOUR, 3600)
        self.lead_window = self.window(LEADS_A_MINUTE, 60)
        self.bulk_window = self.window(BULKS_A_MINUTE, 60)
        self.report_window = self.window(REPORTS_A_MINUTE, 60)
        self.access_token = ""
        self.token_ends = 0.0
        self.campaigns: dict[str, Campaign] = {}
        for name in ("Demo", "Progressive", "Inbound", "Agentwise", "Skillwise"):
            self._known(name)

    def routes(self) -> list[Route]:
        """Return the documented paths."""
        bulk = "/cloudAgentRestAPI/index.php/AddCampaignBulkDataV4/addBulkData/format/json"
        return [
            self.route("POST", "/ca_apis/AddCampaignData", self.add_lead),
            self.route("POST", "/ca_apis/CAToken/generateToken", self.token),
            self.route("PUT", "/ca_apis/setCampaignStatus", self.set_status),
            self.route("GET", "/ca_apis/campaignStatus", self.get_status),
            self.route("POST", bulk, self.add_bulk),
            self.route("GET", "/ca_reports/fetchCdrByPagination", self.call_records),
        ]

    def control(self, command: Mapping[str, Any]) -> None:
        """
        Take ``{"campaign": name, "position": "ARCHIVED"}``, a position as it is to be read, or ``{"campaign": name,
        "action": "stop"}``, what a person does in the vendor's user interface (also ``start``); else settings.
        """
        if "campaign" not in command:
            super().control(command)
            return
        campaign = self._known(str(command["campaign"]))
        if "position" in command:
            campaign.shown = str(command["position"])
        elif command.get("action") in ("start", "stop"):
            campaign.catch_up(self.clock.now(), self.settings.seconds_per_lead)
            self._act(campaign, command)
        else:
            raise ValueError("ozonetel: a campaign takes a position, or the action start or stop")

    def error(self, status: int, message: str | None = None) -> Response:
        """Return a refusal; an ended token is HTTP 200 like the vendor's other refusals."""
        word, usual = words.ERRORS[status]
        return _say((word, message or usual), 200 if status == 401 and not self.settings.http_errors else status)

    # -- calls

    def token(self, call: Call) -> Response:
        """Generate a token, which ends the earlier ones: ``post_ca-apis-catoken-generatetoken``."""
        user = call.json().get("userName")
        if self.settings.auth_mode != "TOKEN_AUTH":
            return self._refuse(words.WRONG_MODE)
        if not user:
            return self._refuse(words.TOKEN_USER_MISSING)
        if (user, call.headers.get("apikey")) != (USER, API_KEY):
            return self._refuse(words.TOKEN_USER_INVALID)
        if not self.token_window.take():
            return _say(("false", words.TOO_MANY[1]), 429)
        self.access_token = f"ozonetel-token-{secrets.token_hex(16)}"
        self.token_ends = self.clock.now() + TOKEN_SECONDS
        return reply({"token": self.access_token, "message": ""})

    def add_lead(self, call: Call) -> Response:
        """Add one lead: ``post_ca-apis-addcampaigndata``, ``-1`` and ``-2``."""
        body = call.json()
        self._sign_in(call, body, needs_key=True)
        self._count(self.lead_window)
        campaign = self._campaign(body)
        if problem := self._add(call, campaign, body, checks_duplicate=is_true(body.get("checkDuplicate"))):
            return self._refuse(problem)
        was_running = campaign.position == RUNNING
        self._act(campaign, body)
        return _say(campaign.words_for(body, was_running=was_running))

    def add_bulk(self, call: Call) -> Response:
        """Queue up to 500 leads: ``...-addcampaignbulkdatav4``; the reply says nothing of single rows."""
        body = _form_or_json(call)
        if (body.get("userName"), body.get("apiKey")) != (USER, API_KEY):
            return self._refuse(words.USER_INVALID)
        self._count(self.bulk_window)
        campaign = self._campaign(body)
        leads = _bulk_leads(body.get("bulkData"))
        if len(leads) > MAX_ROWS or any(_length(lead) > MAX_ROW_LENGTH for lead in leads):
            return self._refuse(("Error", f"Maximum {MAX_ROWS} records of {MAX_ROW_LENGTH} characters are allowed"))
        replaces = is_true(body.get("isdelete"))  # "if both are given only isdelete counts"
        for lead in leads:
            if replaces:
                campaign.forget(str(lead.get("phoneNumber")))
            self._add(call, campaign, lead, checks_duplicate=is_true(body.get("checkDuplicate")) and not replaces)
        self._act(campaign, body)
        return _say(("SUCCESS", "Data processing"))

    def set_status(self, call: Call) -> Response:
        """Start or stop a campaign: ``put_ca-apis-setcampaignstatus``."""
        body = call.json()
        given = body.get("process") is True and body.get("action") in ("Start", "Stop")
        if not given or not body.get("campaignName") or not body.get("userName"):
            return self._refuse(words.PARAMETER_MISSING)
        self._sign_in(call, body)
        campaign = self._campaign(body)
        self._act(campaign, body)
        return _say(words.status_set(campaign.name, body["action"]))

    def get_status(self, call: Call) -> Response:
        """Return every campaign of the account: ``get_ca-apis-campaignstatus``, a GET with a body."""
        body = call.json() if call.body else {}
        if not body.get("campaignName") or not body.get("userName"):
            return self._refuse(words.PARAMETER_MISSING)
        self._sign_in(call, body)
        if body["campaignName"].startswith("unknown"):
            return self._refuse(words.NO_RECORD)
        self._known(body["campaignName"])
        campaigns = self._up_to_date()
        positions = [
            {"CampaignID": one.id, "CampaignName": one.name, "UserName": USER, "Position": one.shown or one.position}
            for one in campaigns
        ]
        return reply({"status": "success", "message": positions})

    def call_records(self, call: Call) -> Response:
        """Return calls made, a page at a time: ``get_ca-reports-fetchcdrbypagination``, a GET with a body."""
        body = call.json() if call.body else {}
        self._sign_in_for_reports(call, body)
        self._count(self.report_window)
        bounds = body.get("fromDate"), body.get("toDate")
        if not all(bounds):
            return self._refuse(words.PERIOD_MISSING)
        for name, bound in zip(("fromDate", "toDate"), bounds, strict=True):
            if not REPORT_TIME.fullmatch(str(bound)):
                return self._refuse(words.wrong_time(name))
        first, last = map(str, bounds)
        wanted = body.get("campaignName") or None
        campaigns = [one for one in self._up_to_date() if wanted in (None, one.name)]
        records = [record for one in campaigns for record in one.calls_between(first, last)]
        page, size = int(call.query.get("pageNo", 1)), int(call.query.get("pageSize", MAX_PAGE_SIZE))
        if page < 1 or not 0 < size <= MAX_PAGE_SIZE:
            return self._refuse(("fail", "Invalid pageNo or pageSize"))
        details = records[(page - 1) * size : page * size]
        return reply({"status": "success", "message": "", "details": details, "totalCount": len(records)})

    # -- who is calling

    def _sign_in(self, call: Call, body: Mapping[str, Any], *, needs_key: bool = False) -> None:
        """
        Refuse credentials that are wrong, or of another mode than the account's.

        :param needs_key: the token alone is not enough; only the page of AddCampaignData asks for both.
        """
        mode, token, key = self.settings.auth_mode, call.bearer, call.headers.get("apikey")
        problem: Answer | None = None
        if mode == "NONE" or (mode == "TOKEN_AUTH") == (token is None):
            problem = words.WRONG_MODE
        elif token is not None and (bad_token := self._token_problem(token)):
            problem = bad_token
        elif key is None and (needs_key or mode == "BASIC_AUTH"):
            problem = words.KEY_MISSING
        elif key not in (None, API_KEY):
            problem = words.USER_INVALID
        elif not body.get("userName"):
            problem = words.USER_MISSING
        elif body["userName"] != USER:
            problem = words.USER_INVALID
        if problem:
            raise RefusedError(self._refuse(problem))

    def _token_problem(self, token: str) -> Answer | None:
        if not token:
            return words.TOKEN_EMPTY
        if token != self.access_token:
            return words.TOKEN_INVALID
        return words.TOKEN_EXPIRED if self.clock.now() >= self.token_ends else None

    def _sign_in_for_reports(self, call: Call, body: Mapping[str, Any]) -> None:
        """Refuse in the reports' own words and with HTTP 401, which third-party code has seen."""
        token, key = call.bearer, call.headers.get("apikey")
        problem: Answer | None = None
        if not body.get("userName") or not (token or key):
            problem = words.REPORT_USER_MISSING
        elif token and (bad_token := self._token_problem(token)):
            problem = bad_token
        elif body["userName"] != USER or key not in (None, API_KEY):
            problem = words.REPORT_USER_INVALID
        if problem:
            raise RefusedError(_say(problem, 401))

    def _count(self, window: RateWindow) -> None:
        if not window.take():
            raise RefusedError(self._refuse(words.TOO_MANY))

    # -- campaigns

    def _known(self, name: str) -> Campaign:
        if name not in self.campaigns:
            self.campaigns[name] = Campaign(str(256 + len(self.campaigns)), name)
        return self.campaigns[name]

    def _campaign(self, body: Mapping[str, Any]) -> Campaign:
        """Return the outbound campaign of a write."""
        name = str(body.get("campaignName") or "")
        if not name:
            raise RefusedError(self._refuse(words.CAMPAIGN_MISSING))
        if name.startswith("unknown"):
            raise RefusedError(self._refuse(words.CAMPAIGN_UNKNOWN))
        campaign = self._known(name)
        if campaign.is_kind("inbound"):
            raise RefusedError(self._refuse(words.CAMPAIGN_INBOUND))
        campaign.catch_up(self.clock.now(), self.settings.seconds_per_lead)
        return campaign

    def _up_to_date(self) -> list[Campaign]:
        for campaign in self.campaigns.values():
            campaign.catch_up(self.clock.now(), self.settings.seconds_per_lead)
        return list(self.campaigns.values())

    def _add(self, call: Call, campaign: Campaign, lead: Mapping[str, Any], *, checks_duplicate: bool) -> Answer | None:
        problem = campaign.add(lead, checks_duplicate=checks_duplicate)
        outcome = "accepted" if not problem else "duplicate" if problem in words.DUPLICATES else "rejected"
        fields = {name: value for name, value in lead.items() if name not in ("campaignName", "userName")}
        call.took(campaign.name, str(lead.get("phoneNumber") or ""), outcome, fields)
        return problem

    def _act(self, campaign: Campaign, body: Mapping[str, Any]) -> None:
        """Do what ``action`` says, in any case of letters; other values do nothing."""
        action = str(body.get("action") or "").lower()
        if action == "start":
            campaign.start(self.clock.now(), self.settings.seconds_per_lead)
        elif action == "stop":
            campaign.stop()

    def _refuse(self, answer: Answer) -> Response:
        if answer in words.DUPLICATES or not self.settings.http_errors:
            return _say(answer)
        return _say(answer, 429 if answer == words.TOO_MANY else 401 if answer in words.UNAUTHORIZED else 400)


def _say(answer: Answer, http_status: int = 200) -> Response:
    status, message = answer
    return reply({"status": status, "message": message} | ({"data": None} if status == "false" else {}), http_status)


def _form_or_json(call: Call) -> dict[str, Any]:
    """Return the bulk call's parameters; no page says how they are encoded."""
    if "json" in call.headers.get("content-type", ""):
        return call.json()
    return dict(parse_qsl(call.body.decode()))


def _length(lead: Mapping[str, Any]) -> int:
    return len(json.dumps(list(lead), ensure_ascii=False)) + len(json.dumps(list(lead.values()), ensure_ascii=False))


def _bulk_leads(given: Any) -> list[dict[str, Any]]:
    """Return the rows of ``bulkData`` as leads in the single call's spelling; ValueError if it is not as documented."""
    data = json.loads(given) if isinstance(given, str) else given
    # PhoneNumber, Priority, ExpiryDate, AgentId there start with a small letter in the single call; Name does not.
    names = [name if name == "Name" else name[:1].lower() + name[1:] for name in data["map"]]
    return [dict(zip(names, row, strict=True)) for row in data["data"]]
