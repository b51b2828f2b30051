"""
Hides what must not be repeated in text that people other than the sender may read.

``mask`` hides e-mail addresses and phone numbers, ``Redactor`` credentials in every form in which a program may repeat
them, ``one_line`` escapes control characters.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import combinations
from urllib.parse import unquote

_HIDDEN = "***"
# "@", "+" and blanks also in their URL-encoded forms (urllib3 and aiohttp log request targets as sent), and as JSON,
# HTML and Python's repr escape them: a vendor's message may hold a whole reply of another system.
_AT = r"(?:@|\uff20|%(?:25)*40|\\u0040|&#0*64;|&#x0*40;|&commat;)"
# 64 characters before the "@" are all that RFC 5321 allows, and keep the search linear; in quotes there may be blanks.
_LOCAL = r"""(?:(?P<quote>\\?")[^"\r\n@]{1,64}(?P=quote)|[\w.!#$&'*/=?^`{|}~+-]{1,64}(?:%2B[\w.+-]{1,64})?)"""
_EMAIL = re.compile(rf"{_LOCAL}(?P<host>{_AT}(?:[\w-]+(?:\.[\w-]+)+|\[[\w.:]+\]))", re.IGNORECASE)

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
_START = r"(?:(?<![\w%])|(?<=%[0-9a-f]{2})|(?<=%252B)|(?<=\\[nrt])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4}))"
# Blanks, also those of other widths and those that are not seen, brackets, dots and dashes.
_BLANKS = r" \t\xa0\xad\u2000-\u200f\u202a-\u202f\u205f\u2060\u3000\ufeff"
_ESCAPED = r"\\t|\\xa[0d]|\\u20[0-2][0-9a-f]|\\u3000|\\ufeff"
_SEPARATOR = rf"(?:[{_BLANKS}().+\-\u2010-\u2015\u2212]|%20|%28|%29|%2D|{_ESCAPED})"
_END = r"(?:(?!\w)|(?=x\d))"  # "x12" is an extension
_PHONE = re.compile(
    rf"(?P<keep>{_NO_PHONE})|{_START}(?P<phone>\+?\(?\d(?:{_SEPARATOR}{{0,3}}\d){{6,15}}){_END}", re.IGNORECASE
)
# Without any of these there is nothing to hide; most texts that are masked, a vendor's words, have none.
_SUSPICIOUS = re.compile(r"[\d@\uff20]|&commat;", re.IGNORECASE)


def _hide_email(match: re.Match[str]) -> str:
    quote = match["quote"]
    return f"{quote or match.group()[0]}{_HIDDEN}{quote or ''}{match['host']}"


def _hide_phone(match: re.Match[str]) -> str:
    text = match.group("phone")
    if text is None:
        return match.group()
    country = text[:3] if len(text) > 9 else ""
    return f"{country}{_HIDDEN}{text[-2:]}"


def mask(text: str, known: Iterable[str] = ()) -> str:
    """
    Return ``text`` with e-mail addresses, phone numbers (7 to 16 digits) and ``known`` values hidden.

    ``jo@example.com`` becomes ``j***@example.com``, ``+447700900123`` becomes ``+44***23``; a lone surrogate, which no
    log takes, becomes ``?``.

    :param text: what is to be shown, e.g. a vendor's message.
    :param known: recipients' addresses or secrets that must not appear whatever their form.
    """
    for value in sorted({value for value in known if value}, key=len, reverse=True):
        text = text.replace(value, _HIDDEN)
    text = text.encode(errors="replace").decode()
    if not _SUSPICIOUS.search(text):
        return text
    return _PHONE.sub(_hide_phone, _EMAIL.sub(_hide_email, text))


# Control characters (ESC begins a command to a terminal, a newline forges a log line), characters that reverse the
# direction of what follows, and those that some viewers take for a newline.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    r"""Return ``text`` with control characters escaped (ESC becomes ``\x1b``): a stranger's text stays one log line."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


# A secret of fewer bytes is not searched for in Base64, nor with its own escapes undone: any text could hold so few
# characters.
_LEAST_BYTES_IN_BASE64 = 4
_BASE64_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_ESCAPES = (
    r"(?:%[0-9a-f]{2})+",
    r"(?:\\u[0-9a-f]{4})+|\\[\"'\\/bfnrt]",
    r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,6});",
)
_ANY_ESCAPE = re.compile("|".join(_ESCAPES), re.IGNORECASE)
# Every choice of them.
_SOME_ESCAPES = [
    re.compile("|".join(chosen), re.IGNORECASE) for size in (1, 2, 3) for chosen in combinations(_ESCAPES, size)
]
# How often a text may have been escaped: a URL in a JSON text in a JSON reply.
_MOST_ESCAPES = 4
# Without any of these bytes a reply holds no escape, no control character, and no other encoding than ASCII.
_UNUSUAL = re.compile(rb"[\\%&\x00\x7f-\xff]")

# Characters for one character: "%255Cu0073", and some more.
_LONGEST_ESCAPE = 16
# Characters of a text that are searched at a time.
_WINDOW = 100_000

_Span = tuple[int, int]


class Redactor:
    """
    Hides secrets in a stranger's text, in whatever form a program may repeat them.

    As they are, in Base64 (alone or within something longer, such as ``user:password``), percent-encoded, and escaped
    as in JSON or HTML, also one within the other.

    :param secrets: the secrets; empty ones are passed over.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if secret}
        self._whole = sorted(known | {secret.replace(" ", "+") for secret in known}, key=len, reverse=True)
        # A secret that looks escaped is undone together with the text around it.
        self._undone = sorted({form for secret in known for form in _undone_forms(secret)}, key=len, reverse=True)
        self._within_base64 = sorted(
            {part for secret in known for part in _base64_parts(secret)}, key=len, reverse=True
        )
        self._bytes = [text.encode(errors="replace") for text in (*self._whole, *self._within_base64)]
        self._longest_form = _LONGEST_ESCAPE * max(map(len, self._whole), default=0)

    def may_be_in(self, body: bytes) -> bool:
        """Whether texts of a reply with this body need to be searched; quick, and seldom true."""
        return any(text in body for text in self._bytes) or _UNUSUAL.search(body) is not None

    def __call__(self, text: str, longest: int | None = None) -> str:
        """
        Return ``text`` with every form of every secret hidden.

        :param longest: only this many characters of ``text`` matter; what follows is left out.
        """
        end_at = len(text) if longest is None else min(longest, len(text))
        pieces, at = [], 0
        for start, end in sorted(self._spans(text, end_at)):
            if at <= start < end_at:
                pieces += [text[at:start], _HIDDEN]
            at = max(at, end)
        return "".join([*pieces, text[at:end_at]])

    def _spans(self, text: str, end_at: int) -> Iterator[_Span]:
        """Yield where the secrets are in ``text``; window by window, since the work takes memory."""
        for begin in range(0, end_at, _WINDOW):
            for start, end in self._spans_in_window(text[begin : begin + _WINDOW + self._longest_form]):
                yield begin + start, begin + end

    def _spans_in_window(self, text: str) -> Iterator[_Span]:
        """Yield where the secrets are, in ``text`` as it is and with its escapes undone, as often as there are any."""
        yield from self._spans_as_is(text, self._whole)
        levels: list[Callable[[int, int], _Span]] = []
        while len(levels) < _MOST_ESCAPES and (undone := _unescape(text, _ANY_ESCAPE)):
            text, origin = undone
            levels.append(origin)
            for start, end in self._spans_as_is(text, [*self._whole, *self._undone]):
                span = start, end
                for origin in reversed(levels):
                    span = origin(*span)
                yield span

    def _spans_as_is(self, text: str, forms: Iterable[str]) -> Iterator[_Span]:
        for secret in forms:
            start = -1
            while (start := text.find(secret, start + 1)) >= 0:
                yield start, start + len(secret)
        for part in self._within_base64:
            end = 0
            while (start := text.find(part, end)) >= 0:
                # All of the Base64 around it: its ends hold a few bits more of the secret.
                start, end = _base64_around(text, start, start + len(part))
                yield start, end


@lru_cache(maxsize=32)
def redactor(*secrets: str) -> Redactor:
    """Return what hides these secrets; the same for the same ones, since every reply of an account asks for it."""
    return Redactor(secrets)


def _base64_parts(secret: str) -> Iterator[str]:
    """Yield what Base64 of any text with ``secret`` in it holds: one of three, for the number of bytes before it."""
    raw = secret.encode(errors="replace")
    if len(raw) < _LEAST_BYTES_IN_BASE64:
        return
    for before in range(3):
        encoded = b64encode(b"\0" * before + raw).decode()
        # The characters that hold bits of the secret alone, six each.
        part = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield part
        yield part.translate({ord("+"): "-", ord("/"): "_"})


def _base64_around(text: str, start: int, end: int) -> _Span:
    while start > 0 and text[start - 1] in _BASE64_ALPHABET:
        start -= 1
    while end < len(text) and text[end] in _BASE64_ALPHABET:
        end += 1
    return start, end


def _undone_forms(secret: str) -> set[str]:
    """Return what becomes of a secret that looks escaped when escapes are undone, of some kinds or all."""
    forms = {secret}
    for _ in range(2):
        undone = [_unescape(form, escapes) for form in forms for escapes in _SOME_ESCAPES]
        forms |= {found[0] for found in undone if found}
    return {form for form in forms - {secret} if len(form) >= _LEAST_BYTES_IN_BASE64}


def _unescape(text: str, escapes: re.Pattern[str]) -> tuple[str, Callable[[int, int], _Span]] | None:
    """Undo escapes once; return the text and what finds where in ``text`` a part of it comes from, None without any."""
    pieces: list[str] = []
    begins: list[int] = []  # of each piece, in the new text
    sources: list[tuple[int, int, bool]] = []  # of each piece: begin and end in the old text, and whether it is escaped
    length = at = 0

    def add(piece: str, start: int, end: int, *, escaped: bool) -> None:
        nonlocal length
        if piece:
            pieces.append(piece)
            begins.append(length)
            sources.append((start, end, escaped))
            length += len(piece)

    for match in escapes.finditer(text):
        add(text[at : match.start()], at, match.start(), escaped=False)
        add(_undone(match.group()), match.start(), match.end(), escaped=True)
        at = match.end()
    if not at:
        return None
    add(text[at:], at, len(text), escaped=False)

    def origin_of(position: int) -> _Span:
        piece = bisect_right(begins, position) - 1
        start, end, escaped = sources[piece]
        if escaped:
            return start, end
        return start + position - begins[piece], start + position - begins[piece] + 1

    def origin(start: int, end: int) -> _Span:
        return origin_of(start)[0], origin_of(end - 1)[1]

    return "".join(pieces), origin


def _undone(escaped: str) -> str:
    if escaped.startswith("%"):
        return unquote(escaped, errors="replace")
    if escaped.startswith("&"):
        return html.unescape(escaped)
    if escaped[1] in "uU":
        units = bytes.fromhex(escaped.replace("\\u", "").replace("\\U", ""))
        return units.decode("utf-16-be", errors="replace")
    return escaped[1].translate(_NAMED)


_NAMED = str.maketrans("bfnrt", "\b\f\n\r\t")
