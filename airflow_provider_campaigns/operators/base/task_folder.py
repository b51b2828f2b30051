"""The folder of outcomes of one task instance, below the operator's ``outcomes_path``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import chain, count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_campaigns.delivery.run.recovery import Description

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder

# Start of the names of the folders of runs that took the id of a deleted one, and of deliveries to everybody again.
AGAIN = "again-"
RESEND = "resend-"

# Characters of a name that stay as they are, beside letters and digits; `/` must not, and `%` marks the others.
SAFE = "_.-~:+@,=!$'()&; "
# Bytes that a file system takes in a name.
LONGEST_NAME = 200

_OWN = re.compile(rf"({AGAIN}|{RESEND})\d+")


def task_folder(path: Any, ti: Any) -> Any:
    """
    Return the folder of a task instance: ``<dag>/<run>/<task>[/<map index>]`` below ``path``.

    Two different ids never have the same folder, and no id leads out of ``path``.

    :param path: a path object from ``storage.locate``.
    :param ti: the task instance, None outside a task.
    """
    if ti is None:
        return path
    names = [ti.dag_id, ti.run_id, ti.task_id]
    if ti.map_index is not None and ti.map_index >= 0:
        names.append(str(ti.map_index))
    for name in names:
        path = path / folder_name(name)
    return path


def folder_name(name: str) -> str:
    """Return a name that a folder can have, another one for each ``name``."""
    quoted = quote(name, safe=SAFE)
    if not quoted.strip("."):
        quoted = quoted.replace(".", "%2E")
    if len(quoted) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        quoted = f"{quoted[: LONGEST_NAME - 20]}%{digest}"
    return quoted


def own_folder(folder: Any, ledger: Ledger) -> Any:
    """
    Return the folder that earlier tries used, else one without outcomes.

    The outcomes of a run that was deleted stay; one with the same id that comes after it has sent to none of them.

    :param folder: of the task instance.
    """
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder

    if used := ledger.outcomes_path:
        # If it is none of them, the error that another path is names both.
        return next((one for one in _like(folder, used) if str(one) == used), folder)
    if ledger.resend:
        folder = folder / f"{RESEND}{ledger.resend}"
    folders = chain([folder], (folder / f"{AGAIN}{number}" for number in count(2)))
    return next(one for one in folders if not OutcomeFolder(one).is_taken(ledger.try_numbers))


def latest_outcomes(folder: Any) -> tuple[OutcomeFolder, Description] | None:
    """
    Return the outcomes of the latest delivery of a task instance, None when it has none.

    :raises LedgerError: they are damaged.
    """
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder

    found = [(outcomes, Description.read(outcomes)) for outcomes in map(OutcomeFolder, _candidates(folder))]
    described = [(outcomes, description) for outcomes, description in found if description]
    return max(described, key=lambda one: one[1].began, default=None)


def _candidates(folder: Any) -> Iterator[Any]:
    """Yield the folders that a task instance may have used."""
    yield folder
    for below in folder.iterdir() if folder.exists() else ():
        if _OWN.fullmatch(below.name) and below.is_dir():
            yield from _candidates(below)


def _like(folder: Any, used: str) -> Iterator[Any]:
    """Yield ``folder``, and those below it that may be ``used``."""
    yield folder
    for part in reversed([name for name in PurePosixPath(used).parts[-2:] if _OWN.fullmatch(name)]):
        yield folder / part
    parts = PurePosixPath(used).parts[-2:]
    if all(_OWN.fullmatch(name) for name in parts):
        yield folder / parts[0] / parts[1]
