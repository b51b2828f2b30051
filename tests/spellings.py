"""Spellings of one person, for tests that draw contacts at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from airflow_provider_campaigns.identity import Kind

_ARABIC = str.maketrans("0123456789", "".join(map(chr, range(0x0660, 0x066A))))
_FULL_WIDTH = str.maketrans({code: code + 0xFEE0 for code in range(0x21, 0x7F)})

PHONES: Sequence[Callable[[str], str]] = (
    str,
    lambda number: f" {number} ",
    lambda number: f"00{number[1:]}",
    lambda number: number[1:],
    lambda number: f"{number[:3]} {number[3:8]}-{number[8:]}",
    lambda number: f"{number[:3]} ({number[3:7]}) {number[7:]}",
    lambda number: f"'{number}",
    lambda number: f"{number[1:]}.0",
    lambda number: f"\u202a{number}\u202c",
    lambda number: f"{number[:6]}\u200b{number[6:]}",
    lambda number: f"+{number[1:].translate(_ARABIC)}",
    lambda number: number.translate(_FULL_WIDTH),
    lambda number: f"tel:{number}",
)
EMAILS: Sequence[Callable[[str], str]] = (
    str,
    str.upper,
    str.title,
    lambda address: f"\u00a0{address}\t",
    lambda address: f"{address};",
    lambda address: f"<{address}>",
    lambda address: f"mailto:{address}",
    lambda address: f"Jo Doe <{address}>",
    lambda address: f"'{address}",
    lambda address: f"{address[:3]}\u200d{address[3:]}",
)
IDS: Sequence[Callable[[str], str]] = (
    str,
    lambda one: f" {one}",
    lambda one: f"{one}\u200b",
    lambda one: f"\ufeff{one}",
)

SPELLINGS: dict[Kind, Sequence[Callable[[str], str]]] = {"phone": PHONES, "email": EMAILS, "id": IDS}


def draw_spelling(dice: random.Random, person: str, kind: Kind = "phone") -> str:
    """
    Return a spelling of a person.

    :param person: a phone number in E.164 with at least 11 digits, an e-mail address in lower case, or an id.
    """
    return dice.choice(SPELLINGS[kind])(person)
