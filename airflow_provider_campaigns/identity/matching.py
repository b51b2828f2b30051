"""Whether a contact is somebody who opted out, or somebody who may be contacted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

from airflow_provider_campaigns.identity.person import Person
from airflow_provider_campaigns.identity.phone import split_number, without_plus

_NUMBER_PATTERN = re.compile(r"[\d\s().*?\[\]+-]*\d[\d\s().*?\[\]-]*")
# Also a dash, unless it is that of [0-4].
_SEPARATORS = re.compile(r"[\s().]|-(?![^\[]*\])")


def opt_out_keys(person: Person, region: str | None = None) -> set[str]:
    """
    Return what is kept of a person who must not be contacted, to be compared with ``contact_keys``.

    :param region: as the persons were read with.
    """
    keys = {_key(person)}
    if person.kind != "phone":
        return keys
    if other := _other_reading(person):
        keys.add(f"perhaps:{other}")
    if region is None:
        keys.add(f"abroad:{split_number(person.identity)[1]}")
        if person.form == "assumed":
            keys.add(f"national:{person.text}")
    return keys


def contact_keys(person: Person, region: str | None = None) -> tuple[str, set[str]]:
    """
    Return what a contact is compared by with those who opted out: the person it is, and whom it may be.

    A number without ``+`` may be that of somebody who opted out: without a region though one of the two is written as
    within a country, with one though its ``+`` may only be missing.

    :param region: as the persons were read with.
    """
    key = _key(person)
    if person.kind != "phone":
        return key, set()
    if region is not None:
        # "4915112345678" in Germany is also a number there; whoever wrote it meant +49 151 12345678.
        other = _other_reading(person)
        return key, {f"perhaps:{person.identity}"} | ({f"phone:{other}"} if other else set())
    if person.form == "national":
        # Perhaps behind the digits that are dialled before it within the country.
        digits = person.text.removeprefix("+")
        return key, {f"abroad:{digits[start:]}" for start in range(3)}
    maybe = {f"national:{split_number(person.identity)[1]}"}
    return key, maybe | {f"abroad:{person.text}"} if person.form == "assumed" else maybe


def _other_reading(person: Person) -> str | None:
    """Return the international number that digits are, too, which are one of a country; None for others."""
    international = without_plus(person.text)
    return international if international != person.identity else None


def _key(person: Person) -> str:
    # An opt-out counts also when it has another case than the id.
    return person.key.lower() if person.kind == "id" else person.key


class AllowList:
    """
    Who may be contacted through a connection: everybody whom one of its patterns fits.

    :param patterns: shell-style: ``*@example.com``, ``+44 7700 900*``, ``user-?``; none allows everybody.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self.patterns = tuple(patterns)
        forms = {text.lower() for text in self.patterns}
        forms |= {_SEPARATORS.sub("", text) for text in self.patterns if _NUMBER_PATTERN.fullmatch(text)}
        self._fits = re.compile("|".join(map(translate, sorted(forms)))) if forms else None

    def __bool__(self) -> bool:
        return self._fits is not None

    def allows(self, person: Person) -> bool:
        """
        Whether ``person`` may be contacted.

        A pattern with ``+`` wants a number whose country is known: a local one may begin like another country's code.
        """
        return self._fits is None or any(map(self._fits.match, _forms(person)))


def _forms(person: Person) -> set[str]:
    """Return the forms of a person that a pattern may fit."""
    if person.kind != "phone":
        return {person.identity.lower(), person.text.lower()}
    forms = {person.text, person.text.removeprefix("+")}
    if person.form == "known":
        forms |= {person.identity, person.identity.removeprefix("+")}
    return forms


def spellings(persons: Iterable[Person]) -> set[str]:
    """Return the texts that must not be shown where ``persons`` are to be hidden."""
    found = {text for person in persons for text in (person.text, person.identity)}
    return found | {text.removeprefix("+") for text in found}
