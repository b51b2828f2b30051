"""
One Exotel account: how requests are signed, how pages are turned, and what the envelope of a reply says.

Sources: developer.exotel.com/api ("bulk campaign details", http-status-codes). Every path is below
``/v2/accounts/<account sid>``.
"""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from airflow_provider_campaigns.exceptions import (
    InputError,
    RequestRejectedError,
    VendorError,
    VendorUnavailableError,
)
from airflow_provider_campaigns.protocol.dialect import (
    AnyVendorError,
    Dialect,
    VendorMessage,
    Verdict,
    json_object,
)
from airflow_provider_campaigns.protocol.messages import Conversation, Page, Request, Response
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.reply_values import items, mapping, text

# Pages of one list. The longest that the vendor's limits allow has 2,000,000 calls: 500,000 numbers, each called four
# times, on pages of 20.
MOST_PAGES = 100_000


@dataclass(frozen=True, kw_only=True)
class ExotelAccount(Dialect):
    """
    Speaks to one Exotel account: credentials, paths, pages, and the envelope of every reply.

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
        return super().verdict(_with_inner_status(response))

    def error(self, kind: type[AnyVendorError], response: Response) -> AnyVendorError:
        """Return an error with the status by which the reply was judged."""
        return super().error(kind, _with_inner_status(response))

    def explain(self, response: Response) -> VendorMessage:
        """Return the error of the first item that has one, of a v1 style ``RestException``, or a bare message."""
        body = json_object(response)
        found = results(body)
        for error in (*(result.get("error_data") for result in found), body.get("RestException")):
            said = _said(error)
            if said:
                return said
        code, message = super().explain(response)
        return VendorMessage(_code(code) or next((_code(result.get("code")) for result in found), None), message)

    def _path(self, *parts: str) -> str:
        """
        Return the path of a resource.

        :raises InputError: an id is empty or made of dots: the path would be that of another resource.
        """
        for part in parts:
            if part in {"", ".", ".."}:
                raise InputError("id", "the id of a campaign or list", repr(part) if part else "nothing")
        return "/".join(quote(part, safe="") for part in ("", "v2", "accounts", self.account_sid, *parts))

    def _pages(
        self,
        path: str,
        filters: Mapping[str, str | None],
        limit: int | None,
        page_size: int,
        keep: Callable[[Sequence[dict[str, Any]]], bool] | None = None,
    ) -> Conversation[int]:
        """
        Read a list page by page and return how many items there were.

        It ends at the total that the vendor gives, without one at a page that is not full, or at ``limit``.

        :param keep: takes the items of a page and returns whether the next one is wanted; without it they are yielded
            as a ``Page``.
        :raises VendorUnavailableError: a page comes a second time, or there are too many: the list would never end.
        """
        offset, seen = 0, set[bytes]()
        while limit is None or offset < limit:
            size = page_size if limit is None else min(page_size, limit - offset)
            found, total = yield from self._page(path, filters, offset, size)
            if not found:
                break
            self._check_page(found, seen, offset)
            full, found = len(found) >= size, found[:size]
            offset += len(found)
            if keep is None:
                yield Page(found)
            elif not keep(found):
                break
            if offset >= total if total is not None else not full:
                break
        return offset

    def _check_page(self, found: Sequence[dict[str, Any]], seen: set[bytes], offset: int) -> None:
        """
        Make sure that a page is a new one, and note it in ``seen``.

        :raises VendorUnavailableError: it was there before, or it is one too many.
        """
        ids = [next((item[name] for name in ("id", "call_sid") if item.get(name) is not None), item) for item in found]
        page = hashlib.sha256(json.dumps(ids, default=str).encode()).digest()
        if page in seen:
            raise VendorUnavailableError(self.vendor, f"the page at offset {offset:,} has been there before")
        if len(seen) >= MOST_PAGES:
            raise VendorUnavailableError(self.vendor, f"the list has more than {MOST_PAGES:,} pages")
        seen.add(page)

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
        return found, total if isinstance(total, int) and not isinstance(total, bool) else None

    def _only(self, response: Response, otherwise: type[VendorError]) -> dict[str, Any]:
        """Return what the only item of a reply holds, or raise ``otherwise``."""
        found = results(json_object(response))
        if len(found) != 1:
            raise otherwise(self.vendor, f"the reply holds {len(found)} items, not one", status=response.status)
        return self._unwrap(found[0], response, otherwise)

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
            said = VendorMessage(said.code or code, said.message)
            raise self.error_saying(RequestRejectedError, said, response)


def _with_inner_status(response: Response) -> Response:
    """Return a reply with the status of the error that its body holds, if it holds one."""
    if not response.ok:
        return response
    body = json_object(response)
    found = results(body)
    inner = map(_status, [body.get("http_code"), found[0].get("code") if len(found) == 1 else None])
    return next((replace(response, status=code) for code in inner if code is not None and code >= 300), response)


def results(body: Mapping[str, Any]) -> list[dict[str, Any]]:
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
