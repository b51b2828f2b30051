"""The records of a task instance: the ledger of its tries, its outcomes, the copy of its query's result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import RESEND_ALL, CampaignError, InputError, LedgerError
from airflow_provider_campaigns.operators.base.contacts import MOST_OUTCOMES_IN_XCOM
from airflow_provider_campaigns.operators.base.task_history import TaskHistory, may_keep_ledger
from airflow_provider_campaigns.state.cleared import Clearing, clearing

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.plan.sources.copies import Copies
    from airflow_provider_campaigns.delivery.record.ledger import Ledger, Resend
    from airflow_provider_campaigns.delivery.record.outcome_parts import Outcomes
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
    from airflow_provider_campaigns.delivery.run.recovery import Description
    from airflow_provider_campaigns.protocol.store import Store
    from airflow_provider_campaigns.state.overrides import Override
    from airflow_provider_campaigns.state.patience import Patience


@dataclass(frozen=True)
class TaskRecords:
    """
    What outlives a try.

    :param mapped: the task instance is one of a mapped task.
    :param history: of all deliveries.
    """

    ledger: Ledger
    outcomes: Outcomes
    copies: Copies
    mapped: bool
    history: TaskHistory


def open_task_records(
    context: Context,
    retries: int | None,
    on_cleared: str,
    outcomes_path: str | None,
    *,
    waited: bool = False,
    patience: Patience,
    open_history: Callable[[], TaskHistory] = TaskHistory,
) -> TaskRecords:
    """
    Return the records of the task instance that ``context`` belongs to; this try is noted in them.

    :param retries: of the operator.
    :param on_cleared: ``resume`` or ``resend``: what a cleared task does.
    :param outcomes_path: below which folder, path or URL; None keeps everything in the ledger's store.
    :param waited: this try waited for its window, so it has a record.
    :param patience: how long the store is waited for.
    :param open_history: opens the contact history; default there is none.
    :raises AirflowFailException: a cleared task is to resume, and nothing is known of its earlier tries.
    :raises LedgerError: the record of earlier tries is damaged.
    :raises InputError: ``outcomes_path`` cannot be used.
    """
    from airflow_provider_campaigns.state.patience import PatientStore
    from airflow_provider_campaigns.state.task_state import task_state

    state, ti = PatientStore(task_state(context), patience), context.get("ti")
    cleared = clearing(ti, retries, on_cleared)
    try:
        history = open_history()
    except CampaignError:
        if may_keep_ledger(state):
            # A task that fails at this, and is cleared, is known to have sent nothing.
            _open_ledger(state, ti, cleared, outcomes_path, waited=waited)
        raise
    store = history.ledger_store(state, outside=ti is None)
    ledger = _open_ledger(store, ti, cleared, outcomes_path, waited=waited)
    # Outcomes and contacts name people, so they are not for the database that names nobody.
    return _records(ledger, state, outcomes_path, ti, history)


def _open_ledger(store: Store, ti: Any, cleared: Clearing, outcomes_path: str | None, *, waited: bool) -> Ledger:
    """Return the ledger of the task instance, in which this try is noted."""
    from airflow_provider_campaigns.delivery.record.ledger import Ledger

    override = _override(ti, cleared)
    gone: tuple[OutcomeFolder, Description] | None = None
    if (waited or cleared.cleared or (ti and ti.try_number > 1)) and not _has_record(store):
        gone = _latest_outcomes(outcomes_path, ti)
        _check_gone(gone, ti, cleared, waited=waited, resend=cleared.start_again or override.resend)
        gone = None if cleared.start_again or override.resend else gone
    ledger = Ledger.open(store, after=gone[1].number if gone else 0)
    override = _override(ti, cleared, ledger)
    resend: Resend = "always" if override.resend else "if_cleared" if cleared.start_again else "no"
    ledger.begin(
        cleared.max_tries,
        resend=resend,
        on_unknown=override.on_unknown,
        consumed=override.consumed,
        recovers=gone[1].number if gone else 0,
    )
    if override.consumed:
        _remove_override(ti, ledger)
    return ledger


def _override(ti: Any, cleared: Clearing, ledger: Ledger | None = None) -> Override:
    """Return what a person chose for this task when it was cleared."""
    from airflow_provider_campaigns.state.overrides import Override, find_override

    if ti is None or not cleared.cleared:
        return Override()
    return find_override(ti, ledger.consumed if ledger else ())


def _remove_override(ti: Any, ledger: Ledger) -> None:
    from airflow_provider_campaigns.state.overrides import remove_override

    if remove_override(ti):
        ledger.forget_consumed()


def _has_record(store: Store) -> bool:
    """Whether an earlier try stored anything, damaged or not."""
    from airflow_provider_campaigns.delivery.record.ledger import KEYS

    return store.get(KEYS.latest) is not None or store.get(KEYS.record(1)) is not None


def _check_gone(
    gone: tuple[OutcomeFolder, Description] | None, ti: Any, cleared: Clearing, *, waited: bool, resend: bool
) -> None:
    """
    Refuse to send when the record of an earlier try is gone, unless its outcomes take its place.

    :param gone: outcomes of an earlier try.
    """
    from airflow_provider_campaigns.state.overrides import instructions

    if resend:
        return
    if waited:
        raise LedgerError(
            "the record that this task stored before it waited for its send window is gone. Nothing was sent",
            remedy=RESEND_ALL,
        )
    if not cleared.cleared and gone:
        raise LedgerError(
            f"the record of earlier tries is gone, but {gone[0].place} has their outcomes. Nothing was sent. Clear the "
            f"task to resume from the outcomes, or with on_cleared='resend' to send to everybody again",
            remedy=RESEND_ALL,
        )
    if cleared.cleared and not gone:
        raise AirflowFailException(
            f"This task was cleared, and the record of what its earlier tries sent is gone (expired, or discarded "
            f"when it was cleared: see keep_task_state). Nothing was sent. Clear it with on_cleared='resend' to "
            f"send to everybody again. {instructions(ti, RESEND_ALL)}"
        )


def _records(ledger: Ledger, store: Store, outcomes_path: str | None, ti: Any, history: TaskHistory) -> TaskRecords:
    from airflow_provider_campaigns.delivery.plan.sources.copies import CopyFolder, CopyRecords
    from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder, OutcomeRecords
    from airflow_provider_campaigns.operators.base.task_folder import own_folder

    mapped = bool(ti and ti.map_index is not None and ti.map_index >= 0)
    outcomes: Outcomes
    if not outcomes_path:
        outcomes = OutcomeRecords(store, ledger.try_number, ledger.try_numbers)
        outcomes.since = ledger.generation
        return TaskRecords(ledger, outcomes, CopyRecords(store, MOST_OUTCOMES_IN_XCOM), mapped, history)
    if ledger.recovers:
        latest = _latest_outcomes(outcomes_path, ti)
        if latest is None:
            raise LedgerError("the outcomes that this task was to resume from are gone", remedy=RESEND_ALL)
        folder = latest[0].folder
        ledger.copy = latest[1].copy
    else:
        with _input_errors():
            folder = own_folder(_folder(outcomes_path, ti), ledger)
    outcomes = OutcomeFolder(folder, ledger.try_number)
    outcomes.since = ledger.generation
    return TaskRecords(ledger, outcomes, CopyFolder(folder), mapped, history)


def _latest_outcomes(outcomes_path: str | None, ti: Any) -> tuple[OutcomeFolder, Description] | None:
    """Return the outcomes of the latest delivery of this task instance, None when it has none."""
    from airflow_provider_campaigns.operators.base.task_folder import latest_outcomes

    if not outcomes_path:
        return None
    with _input_errors():
        return latest_outcomes(_folder(outcomes_path, ti))


def _folder(outcomes_path: str, ti: Any) -> Any:
    from airflow_provider_campaigns.delivery.storage import check_root, is_path, locate
    from airflow_provider_campaigns.operators.base.task_folder import task_folder

    if not is_path(outcomes_path):
        raise InputError("outcomes_path", "a folder, path or URL", type(outcomes_path).__name__)
    check_root(outcomes_path, "outcomes_path")
    return task_folder(locate(outcomes_path), ti)


@contextmanager
def _input_errors() -> Iterator[None]:
    """Within ``with``, what goes wrong with ``outcomes_path`` is an ``InputError``."""
    try:
        yield
    except InputError:
        raise
    except (ImportError, ValueError) as error:
        raise InputError("outcomes_path", "a path, or a URL whose provider is installed", error) from error
    except OSError as error:
        raise InputError("outcomes_path", "a folder, path or URL, that can be read", error) from error
