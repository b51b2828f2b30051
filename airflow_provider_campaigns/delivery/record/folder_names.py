"""Names of the folder of outcomes of a task instance: ``<dag>/<run>/<task>[/<map index>]``."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote

# Start of the names of the folders of runs that took the id of a deleted one, and of deliveries to everybody again.
AGAIN = "again-"
RESEND = "resend-"
OWN = re.compile(rf"({AGAIN}|{RESEND})\d+")

# Characters of a name that stay as they are, beside letters and digits; `/` must not, and `%` marks the others.
SAFE = "_.-~:+@,=!$'()&; "
# Bytes that a file system takes in a name.
LONGEST_NAME = 200


def folder_name(name: str) -> str:
    """Return a name that a folder can have, another one for each ``name``."""
    quoted = quote(name, safe=SAFE)
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")
    if len(quoted) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        quoted = f"{quoted[: LONGEST_NAME - 20]}%{digest}"
    return quoted


def folder_names(task: Any) -> list[str]:
    """
    Return the names of the folders that lead to a task instance's.

    :param task: has ``dag_id``, ``run_id``, ``task_id`` and ``map_index``.
    """
    names = [task.dag_id, task.run_id, task.task_id]
    if task.map_index is not None and task.map_index >= 0:
        names.append(str(task.map_index))
    return [folder_name(name) for name in names]


def is_folder_of(task: Any, path: str) -> bool:
    """Whether a path, or URL, is the folder of a task instance, or one of those below it that it may use."""
    parts = path.rstrip("/").split("/")
    while parts and OWN.fullmatch(parts[-1]):
        parts.pop()
    names = folder_names(task)
    return parts[-len(names) :] == names
