"""Xtremepush in the sandbox: executing API-triggered campaigns, and reading campaigns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_campaigns.sandbox.vendor import Call, RefusedError, Vendor, choice, reply

APP_TOKEN = "xtremepush-sandbox-token"  # noqa: S105  the sandbox's published token

# No page gives a limit for execute; 1,000 is what the batch of events allows, and what the sandbox assumes.
MAX_TARGETS = 1000
# list methods advise "always setting a limit"; the default is assumed from the samples.
PAGE_SIZE = 50
# Support article 207958935 (old) lists the others; the default without the field is the device id.
TARGET_KINDS = frozenset({"user_id", "id", "external_id", "token", "email"})
DEVICE = "id"

MESSAGES = {
    400: "Invalid parameters",
    401: "Invalid application token",
    404: "Not found",
    405: "Method not allowed, use POST",
    429: "Too many requests",
    500: "Internal server error",
    503: "Service unavailable",
}
CAMPAIGN_TRIGGER_API = 3
# reference/push-list-device: the fields of its sample.
PUSH_FIELDS = ("action_id", "campaign_id", "create_time", "device_id", "error", "error_message")


@dataclass
class Settings:
    """
    What ``control`` may change.

    :param always_200: HTTP 200 around every error; an older copy of the overview does not say that the HTTP status
        follows.
    :param push_devices: rows of list/push-devices: ``targets``, with the field that ``target_by`` named beside the
        documented ones, or ``devices``, with these alone.
    """

    always_200: bool = False
    push_devices: str = choice("targets", "devices")


class Xtremepush(Vendor):
    """
    Xtremepush; pages of docs.xtremepush.com, all calls POST with ``apptoken`` in the body.

    Every campaign exists and is live, unless its id starts with ``unknown`` (no such campaign) or ``draft`` (not live).
    Assumed, as no page shows it: the body of a successful execute, which is the general envelope alone; the words of
    every error; a limit of 1,000 targets; ``create_time`` in UTC. Without ``target_by`` targets are device ids, as the
    pages say: ones that are not numbers reach nobody, which the journal shows as ``rejected`` while the reply is a
    success.
    """

    name = "xtremepush"

    def reset(self) -> None:
        """Forget what was executed and which campaigns were switched."""
        self.settings = Settings()
        self.live_from: dict[str, float] = {}
        self.pushes: list[dict[str, Any]] = []
        """What became of each message, as list/push-devices shows it."""
        self.subscriptions: list[dict[str, Any]] = []
        """Changes of subscriptions, the oldest first."""
        self.shown: dict[str, Any] = {}
        """``active`` of campaigns that are not live, unless it is 0."""

    def routes(self) -> list[Route]:
        """Return the documented paths."""
        return [
            self.route("POST", "/api/external/execute/campaign", self.execute),
            self.route("POST", "/api/external/info/campaign", self.info),
            self.route("POST", "/api/external/list/campaign", self.list_campaigns),
            self.route("POST", "/api/external/list/push-devices", self.list_pushes),
            self.route("POST", "/api/external/list/profile", self.list_profiles),
            self.route("POST", "/api/external/list/profile-subscription", self.list_subscriptions),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        """Return the envelope of ``external-api-overview``: the error text in ``message``, ``errors`` beside it."""
        message = message or MESSAGES[status]
        body = {"code": status, "success": False, "message": message, "errors": [message]}
        return reply(body, 200 if self.settings.always_200 else status)

    def control(self, command: Mapping[str, Any]) -> None:
        """
        Take ``{"campaign": id, "active": 0}`` or ``{"campaign": id, "live_in": seconds}``; else settings.

        Another ``active`` than 0 and 1 is shown as it is, of a campaign that is not live. ``{"subscription": {…}}``
        logs that somebody opted out; with ``"status": 1`` in it, in again.
        """
        if "subscription" in command:
            now = int(self.clock.now())
            number = len(self.subscriptions) + 1
            logged = {"id": number, "status": 0, "update_is_external": 0, "update_time": now}
            self.subscriptions.append({**logged, **command["subscription"]})
            return
        if "campaign" not in command:
            super().control(command)
            return
        campaign = str(command["campaign"])
        active = 1 if "live_in" in command else command["active"]
        in_seconds = float(command.get("live_in", 0)) if active == 1 else math.inf
        self.live_from[campaign] = self.clock.now() + in_seconds
        self.shown[campaign] = 0 if active in (0, 1) else active

    # -- calls

    def execute(self, call: Call) -> Response:
        """Execute a live template for some targets: ``reference/campaign-execute``."""
        body = self._body(call)
        campaign = self._campaign(body)
        if self._model(campaign)["active"] != 1:
            return self.error(400, "Campaign is not active")
        kind = body.get("target_by", DEVICE)
        if kind not in TARGET_KINDS:
            return self.error(400, "Invalid target_by")
        targets = _targets(body)
        if not targets:
            return self.error(400, "Set either target or target_with_params")
        if len(targets) > MAX_TARGETS:
            return self.error(400, f"More than {MAX_TARGETS} targets")
        shared = {name: body[name] for name in ("params", "time") if name in body}
        for target, params in targets:
            lost = target.startswith("rejected") or (kind == DEVICE and not target.isdecimal())
            fields = shared | {"target_by": kind, "target_params": params}
            call.took(campaign, target, "rejected" if lost else "accepted", fields)
            self.pushes.append(self._push(campaign, target, kind, lost=lost))
        return reply({"code": 200, "success": True})

    def info(self, call: Call) -> Response:
        """Read a campaign's fields: ``docs/api-data-monitor``."""
        body = self._body(call)
        model = self._model(self._campaign(body))
        return reply({"code": 200, "success": True, "model": _selected(model, body)})

    def list_campaigns(self, call: Call) -> Response:
        """List campaigns that were executed, read or switched: ``list/campaign``."""
        body = self._body(call)
        models = [model for model in map(self._model, self.live_from) if _meets(model, body.get("condition") or [])]
        offset, limit = int(body.get("offset", 0)), int(body.get("limit", PAGE_SIZE))
        data = [_selected(model, body) for model in models[offset : offset + limit]]
        return reply({"code": 200, "success": True, "data": data})

    def list_pushes(self, call: Call) -> Response:
        """List what became of messages: ``reference/push-list-device``."""
        body = self._body(call)
        shown = self.settings.push_devices == "targets"
        rows = [row for row in self.pushes if _meets(row, body.get("condition") or [])]
        offset, limit = int(body.get("offset", 0)), int(body.get("limit", PAGE_SIZE))
        data = [row if shown else {name: row[name] for name in PUSH_FIELDS} for row in rows[offset : offset + limit]]
        return reply({"code": 200, "success": True, "data": data})

    def list_subscriptions(self, call: Call) -> Response:
        """List changes of subscriptions: ``reference/user-profile-subscription``; none until ``control`` logs some."""
        body = self._body(call)
        rows = [row for row in self.subscriptions if _meets(row, body.get("condition") or [])]
        offset, limit = int(body.get("offset", 0)), int(body.get("limit", PAGE_SIZE))
        return reply({"code": 200, "success": True, "data": rows[offset : offset + limit]})

    def list_profiles(self, call: Call) -> Response:
        """List profiles; there is one, so that credentials can be checked."""
        self._body(call)
        return reply({"code": 200, "success": True, "data": [{"id": 1, "user_id": "sandbox"}]})

    # -- parts of a call

    def _body(self, call: Call) -> dict[str, Any]:
        body = call.json()
        if body.get("apptoken") != APP_TOKEN:
            raise RefusedError(self.error(401))
        return body

    def _campaign(self, body: Mapping[str, Any]) -> str:
        campaign = str(body.get("id") or "")
        if not campaign:
            raise RefusedError(self.error(400, "Campaign id is not set"))
        if campaign.startswith("unknown"):
            raise RefusedError(self.error(404, "Campaign not found"))
        self.live_from.setdefault(campaign, math.inf if campaign.startswith("draft") else 0.0)
        return campaign

    def _push(self, campaign: str, target: str, kind: str, *, lost: bool) -> dict[str, Any]:
        """Return the row of one message; targets that start with ``unregistered`` have no device any more."""
        error = "Not personalized" if lost else "DEVICE_UNREGISTERED" if target.startswith("unregistered") else None
        number = len(self.pushes) + 1
        row = {
            "id": number,
            "action_id": 1,
            "campaign_id": int(campaign) if campaign.isdecimal() else campaign,
            "create_time": datetime.fromtimestamp(self.clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "device_id": target if kind == DEVICE else 900_000 + number,
            "error": int(error is not None),
            "error_message": error,
        }
        return row if kind == DEVICE else {**row, kind: target}

    def _model(self, campaign: str) -> dict[str, Any]:
        live = self.live_from[campaign] <= self.clock.now()
        active = 1 if live else self.shown.get(campaign, 0)
        title = f"Campaign {campaign}"
        return {"id": campaign, "title": title, "trigger": CAMPAIGN_TRIGGER_API, "active": active}


def _targets(body: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return each target and its own variables, none unless exactly one of the two fields is set."""
    target, with_params = body.get("target"), body.get("target_with_params")
    if isinstance(target, list) and with_params is None:
        return [(str(one), {}) for one in target]
    if isinstance(with_params, dict) and target is None:
        return list(with_params.items())
    return []


def _selected(model: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    select = body.get("select")
    return {name: model.get(name) for name in select} if select else model


def _meets(model: Mapping[str, Any], condition: list[list[Any]]) -> bool:
    """Whether a row meets every ``[field, "=" or ">", value]``; other operators are not the sandbox's."""
    return all(
        (operator == "=" and model.get(name) == value) or (operator == ">" and model.get(name, 0) > value)
        for name, operator, value in condition
    )
