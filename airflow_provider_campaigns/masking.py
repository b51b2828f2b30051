"""Hides e-mail addresses, phone numbers and known values in text that people other than the sender may read."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HIDDEN = "***"
# "@", "+" and blanks also in their URL-encoded forms: urllib3 and aiohttp log request targets as sent.
# 64 characters before the "@" are all that RFC 5321 allows, and keep the search linear.
_EMAIL = re.compile(r"[\w.!#$&'*/=?^`{|}~+-]{1,64}(?:%2B[\w.+-]{1,64})?(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)

# Digits that are no phone number.
_CLOCK = r"\d{2}:\d{2}:\d{2}(?:[.,]\d+)?"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_NO_PHONE = "|".join(
    (
        rf"(?<![\d+-])\d{{4}}-\d{{2}}-\d{{2}}(?!\d)(?:[T ](?:{_CLOCK}|\d{{2}}:\d{{2}}))?",  # an ISO date and time
        rf"(?<!\d){_CLOCK}",
        r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",  # a UUID
        rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?!\.?\w)",  # an IP address
    )
)
# A run of digits inside a longer word is an id; one after an escape ("\n", "%2B") is not inside a word.
_START = r"(?:(?<![\w%])|(?<=%[0-9a-f]{2})|(?<=\\[nrt]))"
_SEPARATOR = r"(?:[ \t\xa0().+\-\u2010-\u2013]|%20|%28|%29|%2D)"
_END = r"(?:(?!\w)|(?=x\d))"  # "x12" is an extension
_PHONE = re.compile(
    rf"(?P<keep>{_NO_PHONE})|{_START}(?P<phone>\+?\(?\d(?:{_SEPARATOR}{{0,3}}\d){{6,15}}){_END}", re.IGNORECASE
)
# Without any of these there is nothing to hide; most texts that are masked, a vendor's words, have none.
_SUSPICIOUS = re.compile(r"[\d@]|%40")


def _hide_email(match: re.Match[str]) -> str:
    text = match.group()
    at = "@" if "@" in text else "%40"
    return f"{text[0]}{_HIDDEN}{text[text.index(at) :]}"


def _hide_phone(match: re.Match[str]) -> str:
    text = match.group("phone")
    if text is None:
        return match.group()
    country = text[:3] if len(text) > 9 else ""
    return f"{country}{_HIDDEN}{text[-2:]}"


def mask(text: str, known: Iterable[str] = ()) -> str:
    """
    Return ``text`` with e-mail addresses, phone numbers (7 to 16 digits) and ``known`` values hidden.

    ``jo@example.com`` becomes ``j***@example.com``, ``+447700900123`` becomes ``+44***23``; half of a character, which
    no log takes, becomes ``?``.

    :param text: what is to be shown, e.g. a vendor's message.
    :param known: recipients' addresses or secrets that must not appear whatever their form.
    """
    for value in sorted({value for value in known if value}, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    text = text.encode(errors="replace").decode()
    if not _SUSPICIOUS.search(text):
        return text
    return _PHONE.sub(_hide_phone, _EMAIL.sub(_hide_email, text))
