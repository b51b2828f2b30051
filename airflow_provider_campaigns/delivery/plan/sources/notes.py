"""Counts what was changed of a source, or is unusual about it, and logs it once."""

from __future__ import annotations

import logging
from collections import Counter

log = logging.getLogger(__name__)

BLANK_ROWS = "blank rows left out"
EMPTY_COLUMNS = "columns without a name and values left out"
EMPTY_FILES = "files without contacts left out"
NUL_CHARACTERS = "NUL characters removed"
WHOLE_NUMBERS = "whole numbers that were floats"

CUT_OFF = (
    "%s: the last line has no newline at its end. If the file was cut off, as by a copy that is not finished, what is "
    "in it is not whole"
)


class Notes:
    """What one pass over a source found."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """How often something was changed."""
        self.forms: dict[str, None] = {}
        """How files are written, where that is not the usual way."""
        self.unfinished = False
        """The file that was read last has no newline at its end."""
        self.cut_off: str | None = None
        """A file that may have been cut off."""

    def add(self, other: Notes) -> None:
        """Take in what another pass found."""
        self.counts.update(other.counts)
        self.forms.update(other.forms)
        self.cut_off = other.cut_off or self.cut_off

    def report(self, name: str) -> None:
        """Log it, if there is anything to say."""
        found = [*self.forms, *(f"{count:,} {what}" for what, count in self.counts.items() if count)]
        if found:
            log.info("%s: %s", name, ", ".join(found))
        if self.cut_off:
            log.warning(CUT_OFF, self.cut_off)
