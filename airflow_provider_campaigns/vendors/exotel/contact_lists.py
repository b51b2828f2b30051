"""
Exotel's contacts and contact lists, which a campaign for more numbers than one request takes is created from.

Sources: developer.exotel.com/api (create-contacts, create-lists, add-contacts-to-a-list, campaigns-lists). Nobody is
rung before a campaign with the list is created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, RequestRejectedError
from airflow_provider_campaigns.protocol.dialect import json_object
from airflow_provider_campaigns.protocol.messages import Conversation, Request, Response
from airflow_provider_campaigns.protocol.retry import exchange
from airflow_provider_campaigns.vendors.common.reply_values import mapping, text
from airflow_provider_campaigns.vendors.exotel.account import ExotelAccount, results

# "Create contacts" and "add contacts to a list": contacts of one request.
MOST_CONTACTS = 5_000
# docs/campaign-lists/overview and docs/faqs/campaign-faqs: contacts of a static list.
MOST_IN_A_LIST = 100_000
# "Get bulk contacts": contacts, and by default lists, on a page.
PER_PAGE = 20


@dataclass(frozen=True, kw_only=True)
class ExotelContacts(ExotelAccount):
    """Contacts and lists of one account."""

    def create_contacts(self, contacts: Sequence[Mapping[str, Any]]) -> Conversation[list[str]]:
        """
        Create up to 5,000 contacts and return their ids, in order ("create-contacts").

        :param contacts: each with a ``number`` and, if known, ``first_name``, ``last_name``, ``company_name``,
            ``email``, ``tag``, ``custom_field``.
        :raises RequestRejectedError: the vendor refused at least one; the others may have been created.
        """
        safe = "a contact that is on no list is never rung"
        body = {"contacts": list(contacts)}
        request = Request("POST", self._path("contacts"), "write", json=body, safe_to_resend=safe)
        response = yield from exchange(self, request)
        return self._ids(response, len(contacts))

    def create_list(self, name: str, tag: str | None = None) -> Conversation[str]:
        """
        Create a list and return its id ("create-lists").

        :raises RequestRejectedError: there is one of that name.
        """
        new = {"name": name} if tag is None else {"name": name, "tag": tag}
        safe = "the name is unique: a second list of it is refused"
        request = Request("POST", self._path("lists"), "write", json={"lists": [new]}, safe_to_resend=safe)
        response = yield from exchange(self, request)
        return self._ids(response, 1)[0]

    def find_list(self, name: str) -> Conversation[str | None]:
        """Return the id of the list of exactly this name, None when there is none ("campaigns-lists")."""
        filters = {"name": name, "sort_by": "date_created:desc"}
        found, _ = yield from self._page(self._path("lists"), filters, 0, PER_PAGE)
        return next((text(one.get("sid")) for one in found if one.get("name") == name), None)

    def count_list(self, list_id: str) -> Conversation[int | None]:
        """Return how many contacts are on a list, None when the vendor's reply gives no ``total``."""
        _, total = yield from self._page(self._path("lists", list_id, "contacts"), {}, 0, 1)
        return total

    def add_contacts_to_list(self, list_id: str, contact_ids: Sequence[str]) -> Conversation[None]:
        """
        Add up to 5,000 contacts to a list ("add-contacts-to-a-list"); not repeated when its fate is unknown.

        :raises RequestRejectedError: the vendor refused at least one; the others may be on the list.
        """
        body = {"contact_references": [{"contact_sid": contact_id} for contact_id in contact_ids]}
        response = yield from exchange(
            self, Request("POST", self._path("lists", list_id, "contacts"), "write", json=body)
        )
        reply = json_object(response)
        for result in results(reply):
            self._accept(result, response)
        added = mapping(reply.get("metadata")).get("success")
        if isinstance(added, int) and added < len(contact_ids):
            message = f"only {added:,} of {len(contact_ids):,} contacts were added to the list"
            raise RequestRejectedError(self.vendor, message, status=response.status)

    def _ids(self, response: Response, count: int) -> list[str]:
        """Return the ``sid`` of each item; all must be there."""
        items = results(json_object(response))
        found = [text(self._unwrap(item, response, OutcomeUnknownError).get("sid")) for item in items]
        ids = [sid for sid in found if sid is not None]
        if len(ids) != count:
            raise OutcomeUnknownError(
                self.vendor, f"the reply names {len(ids)} ids, not {count}", status=response.status
            )
        return ids
