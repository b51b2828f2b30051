"""What a person is, and which one an e-mail address or an id names."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from airflow_provider_campaigns.identity.values import UnreadableError, text_of, trim, unwrap, visible

Kind = Literal["phone", "email", "id"]
Form = Literal["known", "assumed", "national"]

_PLAIN_EMAIL = re.compile(r"[a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]+")
_NAMED = re.compile(r"[^<>]*<([^<>]+)>")
_MAILTO = re.compile(r"(?i)mailto:([^?]+)(?:\?.*)?")
# Characters that stand around addresses and between them, but not in one; in a domain some more.
_LOCAL = r"[^@\s<>()\[\],;:\"|\\\x00-\x1f\x7f]"
_DOMAIN = r"[^@\s.<>()\[\],;:\"|\\\x00-\x1f\x7f!#$%&'*+/=?^`{}~]"
_EMAIL = re.compile(rf"{_LOCAL}+@{_DOMAIN}+(?:\.{_DOMAIN}+)+")
_PUNYCODE = "xn--"
# Characters of a part of a domain (RFC 1035). Decoding takes time that grows with the square of the length.
_LONGEST_LABEL = 63

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]*")
# A spreadsheet's, before what it would take for a number.
_APOSTROPHE = re.compile(r"^'(?=[+\d])")


class Person(NamedTuple):
    """
    One person, as one value names them.

    :param kind: what the value is.
    :param text: the value as it is sent.
    :param identity: what all spellings of the person share: a number in E.164, an address in lower case, an id.
    :param form: ``known``: it is certain who that is; ``assumed``: digits that could be an international number without
        its ``+``; ``national``: a number whose country is not known, or none that could be rung.
    """

    kind: Kind
    text: str
    identity: str
    form: Form = "known"

    @property
    def key(self) -> str:
        """The identity, different for each kind."""
        return f"{self.kind}:{self.identity}"

    def __repr__(self) -> str:
        return f"Person({self.kind})"


def read_email(value: object) -> Person:
    """
    Return the person behind an e-mail address.

    :raises UnreadableError: it is no address, or more than one.
    """
    if type(value) is str and _PLAIN_EMAIL.fullmatch(value) and _PUNYCODE not in value:
        return Person("email", value, value)
    text = unwrap(visible(text_of(value)))
    # Name <mailto:…>, or mailto:Name <…>.
    for pattern in (_MAILTO, _NAMED, _MAILTO):
        if inner := pattern.fullmatch(text):
            text = unwrap(inner[1])
    if not _EMAIL.fullmatch(text):
        raise UnreadableError
    return Person("email", text, _mailbox(text))


def _mailbox(address: str) -> str:
    """Return an address in the form that its spellings share."""
    # Not casefold(), which makes other people of some: straße, strasse.
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", address).lower())
    if _PUNYCODE not in folded:
        return folded
    local, _, domain = folded.rpartition("@")
    return unicodedata.normalize("NFC", f"{local}@{'.'.join(map(_label, domain.split('.')))}")


def _label(label: str) -> str:
    if not label.startswith(_PUNYCODE) or len(label) > _LONGEST_LABEL:
        return label
    try:
        return label[len(_PUNYCODE) :].encode().decode("punycode")
    except UnicodeError:
        return label


def read_id(value: object) -> Person:
    """
    Return the person behind an id at the vendor, which is taken as it stands but for what surrounds it.

    :raises UnreadableError: it is neither text nor a whole number, or blank.
    """
    if type(value) is str and _PLAIN_ID.fullmatch(value):
        return Person("id", value, value)
    text = _APOSTROPHE.sub("", trim(text_of(value)), count=1)
    if not text:
        raise UnreadableError
    return Person("id", text, unicodedata.normalize("NFC", text))
