"""Hides e-mail addresses, phone numbers and known values in text that people other than the sender may read."""

from __future__ import annotations

import re
from collections.abc import Iterable

# "@", "+" and a blank also in their URL-encoded forms: urllib3 and aiohttp log request targets as sent.
_EMAIL = re.compile(r"[\w.!#$&'*/=?^`{|}~+-]+(?:%2B[\w.+-]+)*(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
# An ISO date or time is no phone number; a run of digits inside a longer word (an id) is none either.
_DATE = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?"
_PHONE = re.compile(
    rf"(?P<date>(?<![\w+-]){_DATE})|(?P<phone>(?:(?<![\w.-])|(?<=%2B))\+?\(?\d(?:[ ().-]{{0,2}}\d){{6,15}}(?![\w]))"
)
_HIDDEN = "***"


def _hide_email(match: re.Match[str]) -> str:
    text = match.group()
    at = "@" if "@" in text else "%40"
    return f"{text[0]}{_HIDDEN}{text[text.index(at) :]}"


def _hide_phone(match: re.Match[str]) -> str:
    if match.group("date"):
        return match.group()
    text = match.group("phone")
    return f"{text[:3]}{_HIDDEN}{text[-2:]}"


def mask(text: str, known: Iterable[str] = ()) -> str:
    """
    Return ``text`` with e-mail addresses, phone numbers (7 to 16 digits) and ``known`` values hidden.

    ``jo@example.com`` becomes ``j***@example.com``, ``+447700900123`` becomes ``+44***23``.

    :param text: what is to be shown, e.g. a vendor's message.
    :param known: recipients' addresses or secrets that must not appear whatever their form.
    """
    for value in sorted({value for value in known if value}, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    return _PHONE.sub(_hide_phone, _EMAIL.sub(_hide_email, text))
