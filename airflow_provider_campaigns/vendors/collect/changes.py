"""What may be changed about a request, named once for dialect, hook and operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, TypedDict

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import parse_date_or_datetime

# Our names, and the vendor's (-modify-a-request).
FIELDS = {
    "status": "status",
    "due_date": "dueDate",
    "data": "data",
    "assigned_to": "assignedTo",
    "send_completion_message": "sendCompletionMessage",
    "send_rejection_message": "sendRejectionMessage",
    "send_reopen_message": "sendReopenMessage",
}


class RequestChanges(TypedDict, total=False):
    """Changes to a request; what is left out or None stays as it is."""

    status: str | None
    """``pending``, ``completed``, ``waiting``, ``canceled``, ``archived``, or one of the account's own."""
    due_date: date | str | None
    """A day, or a date and time with a time zone; also as ISO 8601 text."""
    data: Mapping[str, Any] | None
    """Custom data of the request."""
    assigned_to: str | None
    """A team member's id or e-mail; ``unset`` clears it."""
    send_completion_message: bool | None
    """Whether becoming completed sends the campaign's message."""
    send_rejection_message: bool | None
    """Likewise for going back to pending with a rejected element."""
    send_reopen_message: bool | None
    """Likewise for being opened again."""


def changes_body(changes: RequestChanges) -> dict[str, Any]:
    """
    Return ``changes`` as the vendor's call takes them.

    :raises InputError: nothing to change, or a due date without a time zone.
    """
    given: dict[str, Any] = {**changes, "due_date": due_text(changes.get("due_date"))}
    body = {field: given[name] for name, field in FIELDS.items() if given.get(name) is not None}
    if not body:
        raise InputError("request", f"something to change, one of {', '.join(FIELDS)}", "nothing")
    return body


def due_text(value: date | str | None) -> str | None:
    """
    Return a due date as Collect wants it, ISO 8601; None for none.

    :param value: a day, or a date and time with a time zone; also as text.
    :raises InputError: a time without a time zone, or neither.
    """
    return parse_date_or_datetime("due_date", value).isoformat() if value else None
