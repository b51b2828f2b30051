"""Takes away what a spreadsheet, a keyboard or a list put around a value."""

from __future__ import annotations

import re
import unicodedata

from airflow_provider_campaigns.masking import mask

# Blank, but for Unicode letters, marks or symbols.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Around a value that went through a spreadsheet or a list.
_QUOTES = "'\"`\u2018\u2019\u201a\u201c\u201d\u201e\u00b4"
_SEPARATES_LISTS = ";,"
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# Whole numbers up to here are exact in a float.
_EXACT = 2**53

_MANY_DIGITS = re.compile(r"\d{3,}(?=\d\d)")

LOST_DIGITS = "all digits, as text (a spreadsheet's number has lost some)"


class UnreadableError(ValueError):
    """A value names no one person; the text says what was expected, empty: any value of its kind."""


def text_of(value: object) -> str:
    """
    Return a value as text.

    :raises UnreadableError: it is neither text nor a number that is whole and exact.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        if not value.is_integer():
            raise UnreadableError
        if abs(value) > _EXACT:
            raise UnreadableError(LOST_DIGITS)
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableError
    return str(value)


def shown(value: object) -> str:
    """Return a value for an error message: of longer numbers, which may be a person's, only two digits."""
    return _MANY_DIGITS.sub("***", mask(str(value)))


def visible(text: str) -> str:
    """Return ``text`` without invisible characters, and with full-width characters of ASCII as such."""
    if text.isascii():
        return text
    return "".join(character for character in text if not _is_invisible(character)).translate(_FULL_WIDTH)


def trim(text: str) -> str:
    """Return ``text`` without blanks and invisible characters around it."""
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def unwrap(text: str) -> str:
    """Return visible ``text`` without blanks, quotes, ``="…"`` and what separates it from the next value of a list."""
    text = text.strip()
    if text[:2] in {'="', "='"}:
        text = text[1:]
    return _unquote(_unquote(text).rstrip(_SEPARATES_LISTS))


def _unquote(text: str) -> str:
    text = text.strip()
    while (inner := text.strip(_QUOTES).strip()) != text:
        text = inner
    return text


def _is_blank(character: str) -> bool:
    return character.isspace() or _is_invisible(character)


def _is_invisible(character: str) -> bool:
    """Whether a character is not seen: direction marks, zero-width blanks and joiners, variation selectors."""
    return character in _BLANK_LETTERS or "\ufe00" <= character <= "\ufe0f" or unicodedata.category(character) == "Cf"
