"""
Who is the same person: the one place that decides it, for repeats, opt-outs, allowed recipients and masking.

A value of a source is read as a phone number, an e-mail address or an id: how it is sent (as the source has it, but for
what only a spreadsheet or a keyboard put there), and its identity, which all spellings of one person share. The rules
in words: docs/identity.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_campaigns.identity.matching import AllowList, contact_keys, opt_out_keys, spellings
from airflow_provider_campaigns.identity.person import Form, Kind, Person, read_email, read_id
from airflow_provider_campaigns.identity.phone import known_region, read_phone
from airflow_provider_campaigns.identity.values import LOST_DIGITS, UnreadableError, shown

__all__ = [
    "LOST_DIGITS",
    "AllowList",
    "Form",
    "Kind",
    "Person",
    "UnreadableError",
    "contact_keys",
    "known_region",
    "opt_out_keys",
    "read_certain",
    "read_email",
    "read_id",
    "read_person",
    "read_phone",
    "shown",
    "spellings",
]


EXPECTED: Mapping[Kind, str] = {"phone": "one phone number", "email": "one e-mail address", "id": "one id, as text"}
COUNTRY_UNKNOWN = (
    "phone numbers with + and country code, or region (an extra of the connection, and a parameter of the operator): a "
    "national form may be the number of somebody else"
)


def read_person(kind: Kind, value: object, region: str | None = None) -> Person:
    """
    Return the person that one value names.

    :param value: text, or a number (also one that pandas made a float of).
    :param region: country of phone numbers without ``+`` (ISO 3166, e.g. ``IN``), as ``known_region`` returns it.
    :raises UnreadableError: it names nobody, or more than one.
    """
    if kind == "phone":
        return read_phone(value, region)
    return read_email(value) if kind == "email" else read_id(value)


def read_certain(kind: Kind, value: object, region: str | None = None) -> Person:
    """
    Return the person that one value of a list of opt-outs names: who is not certain would be contacted.

    :raises UnreadableError: it names nobody, more than one, or a number whose country is not known; says what is
        expected in its place.
    """
    try:
        person = read_person(kind, value, region)
    except UnreadableError as error:
        raise UnreadableError(str(error) or EXPECTED[kind]) from None
    if person.form == "national":
        raise UnreadableError(EXPECTED[kind] if region else COUNTRY_UNKNOWN)
    return person
