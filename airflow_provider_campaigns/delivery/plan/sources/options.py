"""Options of text files of contacts: encoding and delimiter."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any

from airflow_provider_campaigns.exceptions import InputError

DELIMITERS = ",;\t|"
"""What is looked for; another one has to be said."""

# What a template makes of a tab, which is hard to write in one.
_TAB_IN_WORDS = frozenset({"\\t", "tab"})


@dataclass(frozen=True, slots=True)
class Options:
    """
    How text files are read.

    :param encoding: of files without a byte order mark; None: UTF-8.
    :param delimiter: between the values of a row; None: found from the file.
    :param only_if_no_utf8: a file that is UTF-8 all the same is read as such: ``encoding`` may be said of another file,
        and persons whose text was read in the wrong encoding are not found.
    """

    encoding: str | None = None
    delimiter: str | None = None
    only_if_no_utf8: bool = False


def parse_options(encoding: Any, delimiter: Any) -> Options:
    """
    Return what an operator's parameters say; a template may have rendered them to nothing.

    :raises InputError: there is no such encoding, or the delimiter is not one character.
    """
    return Options(_encoding(encoding), _delimiter(delimiter))


def _encoding(name: Any) -> str | None:
    if name is None or name == "":
        return None
    try:
        codec = codecs.lookup(name)
        # Python has encodings that turn bytes into bytes, too.
        "".encode(codec.name)
    except (LookupError, TypeError, ValueError):
        raise InputError("encoding", "an encoding that Python knows, e.g. cp1252 or utf-16-le", repr(name)) from None
    return codec.name


def _delimiter(text: Any) -> str | None:
    if text is None or text == "":
        return None
    if text in _TAB_IN_WORDS:
        return "\t"
    if not isinstance(text, str) or len(text) != 1 or text in '"\r\n\0':
        raise InputError("delimiter", "one character that stands between the values of a row, e.g. ';'", repr(text))
    return text
