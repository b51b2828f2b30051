"""The folder of outcomes of one task instance, below the operator's ``outcomes_path``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_campaigns.delivery.record.folder_names import AGAIN, OWN, RESEND, folder_names
from airflow_provider_campaigns.delivery.run.recovery import Description

if TYPE_CHECKING:
    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder


def task_folder(path: Any, ti: Any) -> Any:
    """
    Return the folder of a task instance: ``<dag>/<run>/<task>[/<map index>]`` below ``path``.

    Two different ids never have the same folder, and no id leads out of ``path``.

    :param path: a path object from ``storage.locate``.
    :param ti: the task instance, None outside a task.
    """
    if ti is None:
        return path
    for name in folder_names(ti):
        path = path / name
    return path


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
        if OWN.fullmatch(below.name) and below.is_dir():
            yield from _candidates(below)


def _like(folder: Any, used: str) -> Iterator[Any]:
    """Yield ``folder``, and those below it that may be ``used``."""
    yield folder
    for part in reversed([name for name in PurePosixPath(used).parts[-2:] if OWN.fullmatch(name)]):
        yield folder / part
    parts = PurePosixPath(used).parts[-2:]
    if all(OWN.fullmatch(name) for name in parts):
        yield folder / parts[0] / parts[1]
