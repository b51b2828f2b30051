"""Where a task instance keeps what it did: the ledger of its tries, its outcomes, and the contacts of its query."""

from __future__ import annotations

from itertools import chain, count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.contacts import MOST_OUTCOMES_IN_XCOM
from airflow_provider_campaigns.state.cleared import clearing

# Start of the names of the folders of runs that took the id of a deleted one.
AGAIN = "again-"

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.plan.sources.copies import Copies
    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.delivery.record.outcomes import Outcomes


class TaskRecords(NamedTuple):
    """What outlives a try."""

    ledger: Ledger
    outcomes: Outcomes
    copies: Copies


def open_task_records(context: Context, retries: int | None, on_cleared: str, outcomes_path: str | None) -> TaskRecords:
    """
    Return the records of the task instance that ``context`` belongs to; this try is noted in them.

    :param retries: of the operator.
    :param on_cleared: ``resume`` or ``resend``: what a cleared task does.
    :param outcomes_path: below which folder, path or URL; None keeps everything in the ledger's store.
    :raises AirflowFailException: a cleared task is to go on, and nothing is known of its earlier tries.
    :raises InputError: ``outcomes_path`` cannot be used.
    """
    from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder, CopyRecords
    from airflow_provider_campaigns.delivery.record.ledger import Ledger
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder, OutcomeRecords
    from airflow_provider_campaigns.delivery.storage import check_root, is_path
    from airflow_provider_campaigns.state.task_state import task_state

    store = task_state(context)
    ti = context.get("ti")
    cleared, anew, max_tries = clearing(ti, retries, on_cleared)
    ledger = Ledger(store, ti.try_number if ti else 1, max_tries, anew=anew)
    if cleared and not anew and not ledger.began:
        raise AirflowFailException(
            "This task was cleared, and the record of what its earlier tries sent is gone (expired, or discarded "
            "when it was cleared: see keep_task_state). Nothing was sent. Clear it with on_cleared='resend' to "
            "send to everybody again"
        )
    ledger.begin()
    if not outcomes_path:
        return TaskRecords(
            ledger,
            OutcomeRecords(store, ledger.try_number, ledger.try_numbers),
            CopyRecords(store, MOST_OUTCOMES_IN_XCOM),
        )
    if not is_path(outcomes_path):
        raise InputError("outcomes_path", "a folder, path or URL", type(outcomes_path).__name__)
    check_root(outcomes_path, "outcomes_path")
    try:
        folder = _own_folder(_folder(outcomes_path, context, ledger.generation), ledger)
    except (ImportError, ValueError) as error:
        raise InputError("outcomes_path", "a path, or a URL whose provider is installed", error) from error
    except OSError as error:
        raise InputError("outcomes_path", "a folder, path or URL, that can be read", error) from error
    return TaskRecords(ledger, OutcomeFolder(folder, ledger.try_number), CopyFolder(folder))


def _folder(path: str, context: Context, generation: int) -> Any:
    """Return the folder of a task instance."""
    from airflow_provider_campaigns.delivery.storage import locate

    folder = locate(path)
    if ti := context.get("ti"):
        names = [ti.dag_id, ti.run_id, ti.task_id]
        if ti.map_index is not None and ti.map_index >= 0:
            names.append(str(ti.map_index))
        for name in names:
            folder = folder / name.replace("/", "_")
    return folder / f"resend-{generation}" if generation else folder


def _own_folder(folder: Any, ledger: Ledger) -> Any:
    """
    Return the folder that earlier tries used, else one without outcomes.

    A run that was deleted leaves its outcomes; one with the same id that comes after it has sent to none of them.
    """
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder

    if used := ledger.outcomes_path:
        name = PurePosixPath(used).name
        # If it is neither, the error that another path is names both.
        return folder / name if name.startswith(AGAIN) and str(folder / name) == used else folder
    folders = chain([folder], (folder / f"{AGAIN}{number}" for number in count(2)))
    return next(one for one in folders if not OutcomeFolder(one).is_taken(ledger.try_numbers))
