"""Which number of the world a phone number is, in whatever form it is written."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneMetadata

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.identity.person import Form, Person
from airflow_provider_campaigns.identity.values import LOST_DIGITS, UnreadableError, text_of, unwrap, visible
from airflow_provider_campaigns.parameters import A_COUNTRY

# ITU-T E.164 allows 15 digits with the country code; "00" may stand before them.
_PLAIN = re.compile(r"\+?[0-9]{1,17}")
# A number with a fraction of zeros (pandas, a decimal column), and one that has lost its last digits.
_WHOLE = re.compile(r"(\+?[1-9][0-9]{4,})\.0{1,2}")
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+")
_SCHEME = re.compile(r"(?i)tel:")
# "(0)" behind a country code is left out when the number is dialled from abroad.
_TRUNK_ZERO = re.compile(r"(?<=\d)[\s.-]*\(\s*0\s*\)")
_SEPARATORS = re.compile(r"[\s().-]+")
_LINE_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
# Digits of a number that stands alone: two such in one cell are two numbers.
_ALONE = 7
# Digits from which on a number without "+" is taken for an international one.
_INTERNATIONAL_DIGITS = 11

_CODES = frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))


def known_region(region: object, field: str = "region") -> str | None:
    """
    Return a country in capital letters, None when none is given.

    :param field: what holds it, for the error.
    :raises InputError: there is no such country.
    """
    text = region.strip().upper() if isinstance(region, str) else region
    if text is None or text == "":
        return None
    if not isinstance(text, str) or text not in phonenumbers.SUPPORTED_REGIONS:
        raise InputError(field, A_COUNTRY, region)
    return text


def read_phone(value: object, region: str | None = None) -> Person:
    """
    Return the person behind a phone number.

    :param region: country of numbers without ``+``, as ``known_region`` returns it.
    :raises UnreadableError: it is no number, two of them, or one that a spreadsheet has spoilt.
    """
    text = value if type(value) is str and _PLAIN.fullmatch(value) else _clean(value)
    return Person("phone", text, *_resolve(text, region))


def _clean(value: object) -> str:
    """Return a number as digits of ASCII, perhaps behind a ``+``."""
    text = unwrap(visible(text_of(value)))
    text = "".join(map(_plain_character, _SCHEME.sub("", text, count=1)))
    if _SCIENTIFIC.fullmatch(text):
        raise UnreadableError(LOST_DIGITS)
    if whole := _WHOLE.fullmatch(text):
        return whole[1]
    text = _TRUNK_ZERO.sub("", text, count=1)
    if _LINE_BREAKS.search(text) or sum(len(_SEPARATORS.sub("", part)) >= _ALONE for part in text.split()) > 1:
        raise UnreadableError
    negative = text.startswith("-")
    text = _SEPARATORS.sub("", text)
    if negative or not _PLAIN.fullmatch(text):
        raise UnreadableError
    return text


def _plain_character(character: str) -> str:
    """Return a digit of any script as one of ASCII, and all dashes alike."""
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "-" if unicodedata.category(character) == "Pd" or character == "\u2212" else character


def _resolve(text: str, region: str | None) -> tuple[str, Form]:
    """Return the identity that a number has, and how certain it is."""
    if text[0] == "+":
        return _international(text)
    if text.startswith("00"):
        found = _international(f"+{text[2:]}")
        if region is None or found[1] == "known":
            return found
        # A country whose own prefix for calls abroad begins so.
        own = _in_region(text, region)
        return own if own[1] == "known" else found
    if region is not None:
        return _in_region_or_abroad(text, region)
    if len(text) < _INTERNATIONAL_DIGITS:
        return f"+{text}" if _is_abroad(text) else text, "national"
    identity, form = _international(f"+{text}")
    return (identity, "assumed") if form == "known" else (text, "national")


class _Country(NamedTuple):
    """The form of a country's numbers, without its code; ``trunk`` is what is dialled before them within it."""

    code: str
    numbers: re.Pattern[str]
    lengths: frozenset[int]
    trunk: re.Pattern[str] | None


@lru_cache(maxsize=512)
def _country(code: str, region: str) -> _Country:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)
    general = metadata.general_desc if metadata else None
    trunk = metadata.national_prefix_for_parsing if metadata else None
    return _Country(
        code,
        re.compile((general and general.national_number_pattern) or "(?!)"),
        frozenset(general.possible_length if general else ()),
        re.compile(trunk) if trunk else None,
    )


@lru_cache(maxsize=512)
def _country_of_code(code: str) -> _Country:
    return _country(code, phonenumbers.region_code_for_country_code(int(code)))


@lru_cache(maxsize=512)
def _country_of_region(region: str) -> _Country:
    return _country(str(phonenumbers.country_code_for_region(region)), region)


def split_number(international: str) -> tuple[str, str]:
    """Return country code and national number of ``+…``; the code is empty when there is no such country."""
    for end in (2, 3, 4):
        if international[1:end] in _CODES:
            return international[1:end], international[end:]
    return "", international.removeprefix("+")


def _international(text: str) -> tuple[str, Form]:
    code, number = split_number(text)
    if not code:
        return text, "national"
    country = _country_of_code(code)
    if country.trunk and country.trunk.match(number):
        return _parse(text, None)
    return text, "known" if len(number) in country.lengths else "national"


def _is_abroad(digits: str) -> bool:
    """Whether digits have the form of a country code and a number of that country."""
    code, number = split_number(f"+{digits}")
    return bool(code) and _country_of_code(code).numbers.fullmatch(number) is not None


def without_plus(text: str) -> str | None:
    """Return the international number, as far as its length shows, that a number without ``+`` is but for that."""
    code, number = split_number(f"+{text}") if text[0] not in "+0" else ("", text)
    return f"+{text}" if code and len(number) in _country_of_code(code).lengths else None


def _in_region(text: str, region: str) -> tuple[str, Form]:
    country = _country_of_region(region)
    if country.numbers.fullmatch(text) and not (country.trunk and country.trunk.match(text)):
        # What phonenumbers makes of it, too, at a twentieth of the time.
        return f"+{country.code}{text}", "known"
    return _parse(text, region)


def _in_region_or_abroad(text: str, region: str) -> tuple[str, Form]:
    """Return the identity of digits that are a number of a country, or else one of another whose ``+`` is missing."""
    own = _in_region(text, region)
    if len(text) < _INTERNATIONAL_DIGITS or _has_form(own[0], region) or not _is_abroad(text):
        return own
    identity, form = _international(f"+{text}")
    return (identity, "assumed") if form == "known" else own


def _has_form(identity: str, region: str) -> bool:
    """Whether an identity has the form of the numbers of a country, and not only their length."""
    country = _country_of_region(region)
    code = f"+{country.code}"
    return identity.startswith(code) and country.numbers.fullmatch(identity.removeprefix(code)) is not None


@lru_cache(maxsize=8_192)
def _parse(text: str, region: str | None) -> tuple[str, Form]:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text, "national"
    if not phonenumbers.is_possible_number(number):
        return text, "national"
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), "known"
