"""The contacts and lists of the sandbox's Exotel, from which a campaign may be created."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from airflow_provider_campaigns.sandbox.exotel_campaign import NUMBER, InvalidItemError, written

# developer.exotel.com/api/campaigns: up to 5 static lists.
MAX_LISTS = 5


class ContactBook:
    """Contacts and lists by their sid; the methods return ``data`` of an item, or raise ``InvalidItemError``."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, dict[str, Any]] = {}
        self._members: dict[str, list[str]] = {}

    def create_contact(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Create a contact, which needs a number."""
        number = str(given.get("number", ""))
        if not NUMBER.fullmatch(number):
            raise InvalidItemError(f"Invalid number {number}")
        sid = uuid.uuid4().hex
        self.contacts[sid] = {"sid": sid, **given}
        return self.contacts[sid]

    def create_list(self, given: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Create an empty list, whose name must be new."""
        name = given.get("name")
        if not name:
            raise InvalidItemError("name is mandatory")
        if any(known["name"] == name for known in self.lists.values()):
            raise InvalidItemError("List name already exists", 409)
        sid = uuid.uuid4().hex
        self.lists[sid] = {"sid": sid, "name": name, "tag": given.get("tag"), "date_created": written(now)}
        self._members[sid] = []
        return self.lists[sid]

    def delete_list(self, sid: str) -> dict[str, Any]:
        """Delete a list; its contacts stay."""
        del self._members[sid]
        return self.lists.pop(sid)

    def add(self, sid: str, references: list[dict[str, Any]]) -> int:
        """Put known contacts on a list and return how many were known."""
        known = [one["contact_sid"] for one in references if one.get("contact_sid") in self.contacts]
        self._members[sid] += known
        return len(known)

    def members(self, sid: str) -> list[dict[str, Any]]:
        """Return the contacts of a list."""
        return [self.contacts[contact] for contact in self._members[sid]]

    def numbers(self, lists: Any) -> list[str]:
        """Return the numbers on some lists."""
        if not isinstance(lists, list) or not 0 < len(lists) <= MAX_LISTS or not set(lists) <= self.lists.keys():
            raise InvalidItemError("Invalid lists")
        return [str(contact["number"]) for sid in lists for contact in self.members(sid)]
