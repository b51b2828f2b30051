"""
Xtremepush: API-triggered campaigns, executed for a list of users.

The pages: https://docs.xtremepush.com/reference/campaign-execute (execute), /docs/external-api-overview (hosts,
envelope), /docs/api-data-monitor (info), /reference/push-list-device (results),
https://support.xtremepush.com/hc/en-us/articles/115003156185 (list).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, ClassVar

from airflow_provider_campaigns.exceptions import CallRefusedError, InputError
from airflow_provider_campaigns.protocol.dialect import AccountFact, Dialect, VendorMessage, Verdict, json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response
from airflow_provider_campaigns.protocol.polling import PollResult
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.paging import pages
from airflow_provider_campaigns.vendors.common.reply_values import items, mapping, text, whole_number, words

PAGE_SIZE = 50  # as in the vendor's samples of list methods; neither default nor maximum is published
EXECUTE = "/api/external/execute/campaign"

_LIVE = frozenset({"1", "true"})
_NOT_LIVE = frozenset({"0", "false"})


@dataclass(frozen=True, kw_only=True)
class Xtremepush(Dialect):
    """
    One Xtremepush project.

    :param app_token: Settings > Integrations > API Integration; travels in each request's body.
    """

    vendor: ClassVar[str] = "xtremepush"

    app_token: str = field(repr=False)

    def authorize(self, request: Request, token: str) -> Request:
        """Put ``apptoken`` first into the body."""
        if not isinstance(request.json, Mapping | None):
            raise InputError("json", "an object: the app token is sent as one of its fields", type(request.json))
        return replace(request, json={"apptoken": self.app_token, **(request.json or {})})

    def verdict(self, response: Response) -> Verdict:
        """
        Judge by ``success`` and ``code`` too: an older page does not promise a fitting HTTP status.

        The vendor's codes are not published; they are taken for HTTP statuses, and any other refuses this request.
        """
        body = json_object(response)
        if body.get("success") is False and response.status < 500:
            response = replace(response, status=_status(body.get("code")) or max(response.status, 400))
        return super().verdict(response)

    def explain(self, response: Response) -> VendorMessage:
        """Read ``code``, ``message`` and ``errors`` of the envelope, and never repeat the token."""
        code, message = super().explain(response)
        body = json_object(response)
        said = filter(None, [text(body.get("message")), words(body.get("errors"))])
        return VendorMessage(code, "; ".join(said) or message)

    def execute_campaign(self, body: Mapping[str, Any]) -> Conversation[dict[str, Any]]:
        """
        Execute a campaign (https://docs.xtremepush.com/reference/campaign-execute) and return the reply.

        :param body: without the token.
        """
        return json_object((yield from exchange(self, Request("POST", EXECUTE, "write", json=body))))

    def campaign_info(self, campaign_id: str | int, select: Sequence[str] = ()) -> Conversation[dict[str, Any]]:
        """
        Return a campaign (https://docs.xtremepush.com/docs/api-data-monitor).

        :param select: fields; empty: the vendor's choice.
        """
        body = {"id": campaign_id} | ({"select": list(select)} if select else {})
        reply = yield from self._read("info/campaign", body)
        return dict(mapping(reply.get("model")))

    def list_campaigns(
        self,
        *,
        condition: Sequence[Sequence[Any]] = (),
        order: Sequence[str] = (),
        select: Sequence[str] = (),
    ) -> Conversation[int]:
        """
        Yield campaigns page by page and return their number.

        :param condition: e.g. ``[["active", "=", 1]]``.
        :param order: e.g. ``["id DESC"]``.
        :param select: fields; empty: the vendor's choice.
        """
        return (yield from self._list("list/campaign", condition=condition, order=order, select=select))

    def push_devices(self, campaign_id: str | int) -> Conversation[int]:
        """
        Yield what became of a campaign's messages, a row per device or profile, and return the number of rows.

        From https://docs.xtremepush.com/reference/push-list-device: push, on-site messages, e-mail and SMS.
        """
        number = int(campaign_id) if str(campaign_id).isdecimal() else campaign_id
        condition = [["campaign_id", "=", number]]
        return (yield from self._list("list/push-devices", condition=condition, order=["id ASC"]))

    def subscription_changes(self, since: datetime | None = None) -> Conversation[int]:
        """
        Yield changes of users' subscriptions, the oldest first, and return how many there are.

        From https://docs.xtremepush.com/reference/user-profile-subscription, which names ``user_id``, ``update_time``
        (seconds since the epoch), ``status`` (1: added, 0: removed) and, for e-mail, ``email_address``. The vendor
        logs them for projects that asked for it; for others there are none.

        :param since: only those after it.
        """
        condition = [["update_time", ">", int(since.timestamp())]] if since else []
        return (yield from self._list("list/profile-subscription", condition=condition, order=["update_time ASC"]))

    def poll_campaign(self, campaign_id: str | int) -> Conversation[PollResult]:
        """
        Poll whether a campaign is live: ``done`` when ``active`` is 1 or true; never ``failed``.

        The vendor publishes no other states. Its own samples of a live campaign show ``active`` 1 on one page and 0 on
        another; 1 is taken to mean live.
        """
        campaign = yield from self.campaign_info(campaign_id, select=["id", "title", "active"])
        active = campaign.get("active")
        word = str(active).lower()
        live = word in _LIVE
        details = {"active": active if isinstance(active, (int, str)) else None}
        unknown = {f"active {active!r}"} if word not in _LIVE | _NOT_LIVE else ()
        return PollResult("done" if live else "running", "live" if live else "not live", details, unknown)

    def check(self) -> Conversation[str]:
        """
        Ask for one campaign of the list, which proves the token.

        :raises VendorError: the token is not taken, or the host is not Xtremepush's.
        """
        reply = yield from self._read("list/campaign", {"limit": 1})
        if reply.get("success") is not True:
            raise CallRefusedError(self.vendor, "the reply is not Xtremepush's; check the connection's host")
        return "Xtremepush takes the app token"

    def facts(self, reply: Response) -> Sequence[AccountFact]:
        """Return whether the HTTP status is the ``code`` of the body, as newer copies of the overview say."""
        body = json_object(reply)
        projects = {text(mapping(one).get("project_id")) for one in items(body.get("data"))} - {None}
        return [
            AccountFact("app token in the body", "taken", holds=True),
            AccountFact(
                "HTTP status is the code of the body",
                f"HTTP {reply.status}, code {body.get('code')}",
                holds=body.get("code") == reply.status,
            ),
            *(AccountFact("project", str(project)) for project in projects),
        ]

    def _list(self, method: str, **filters: Sequence[Any]) -> Conversation[int]:
        """Yield a list page by page and return how many there are in it."""
        given_filters = {name: list(value) for name, value in filters.items() if value}

        def fetch(page: int) -> Conversation[list[Any]]:
            limits = {"limit": PAGE_SIZE, "offset": page * PAGE_SIZE}
            return items((yield from self._read(method, {**given_filters, **limits})).get("data"))

        return (yield from pages(self.vendor, fetch, PAGE_SIZE))

    def _read(self, method: str, body: Mapping[str, Any]) -> Conversation[dict[str, Any]]:
        """Call a method that only reads; every method is a POST."""
        request = Request("POST", f"/api/external/{method}", "read", json=body)
        return json_object((yield from exchange(self, request)))


def _status(code: object) -> int | None:
    number = whole_number(code)
    return number if number and 400 <= number < 600 else None
