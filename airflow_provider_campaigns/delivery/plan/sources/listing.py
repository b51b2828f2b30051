"""The files that a folder or a pattern means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_campaigns.delivery.storage import LocalPath, check_root, locate
from airflow_provider_campaigns.exceptions import InputError

# What a pattern has and a file's name mostly does not.
_MAGIC = re.compile(r"[*?[]")
# What tools leave beside the part files: _SUCCESS, _committed_17, .part-0.csv.crc.
_NO_PARTS = ("_", ".")


def files_of(path: str, name: str) -> list[str] | None:
    """
    Return the files that a folder or a pattern means, sorted; None if ``path`` is neither.

    In a pattern, ``*`` and ``?`` stand for characters of one name.

    :param name: the parameter's name, for messages.
    :raises InputError: there are none, or they cannot be listed.
    """
    where = f"{name} ({path})"
    try:
        place = locate(path)
        if _MAGIC.search(path) and not (isinstance(place, LocalPath) and place.exists()):
            files = _matching(path, name)
        elif place.is_dir():
            files = _in_folder(place, where)
        else:
            return None
    except InputError:
        raise
    except OSError as error:
        raise InputError(where, "a path that can be read", error.strerror or type(error).__name__) from None
    except (ImportError, ValueError) as error:
        raise InputError(where, "a path, or a URL whose provider is installed", error) from None
    if not files:
        raise InputError(where, "files to read", "none (those whose names begin with _ or . do not count)")
    for file in files:
        check_root(file, name)
    return files


def _in_folder(folder: Any, where: str) -> list[str]:
    files = _listed(folder)
    below = next((one.name for one in files if one.is_dir()), None)
    if below is not None:
        expected = "a folder of files alone (files in folders below it: a pattern such as folder/*/*.csv, or a list)"
        raise InputError(where, expected, f"a folder in it, {below!r}")
    return [str(file) for file in files]


def _matching(path: str, name: str) -> list[str]:
    scheme, separator, rest = path.rpartition("://")
    names = rest.split("/")
    first = next(index for index, one in enumerate(names) if _MAGIC.search(one))
    start = "/".join(names[:first]) or ("/" if first else ".")
    check_root(f"{scheme}{separator}{start}", name)
    places = [locate(f"{scheme}{separator}{start}")]
    for one in names[first:-1]:
        places = [below for place in places for below in _fitting(place, one) if below.is_dir()]
    files = (below for place in places for below in _fitting(place, names[-1]) if not below.is_dir())
    return sorted(map(str, files))


def _fitting(place: Any, name: str) -> list[Any]:
    if _MAGIC.search(name):
        return [below for below in _listed(place) if fnmatchcase(below.name, name)]
    return [place / name] if (place / name).exists() else []


def _listed(folder: Any) -> list[Any]:
    """Return what is in a folder, sorted by name, without what is hidden or only says that it is complete."""
    inside = (one for one in folder.iterdir() if not one.name.startswith(_NO_PARTS))
    return sorted(inside, key=lambda one: str(one.name))
