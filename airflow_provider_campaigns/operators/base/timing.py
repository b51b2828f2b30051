"""When an operator may send: at which hours of the day, and for how long after its data interval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol, get_args

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.operators.base.send_window import SendWindow, read_window

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

OutsideWindow = Literal["wait", "skip"]


class TimedOperator(Protocol):
    """An operator with these parameters, and a method that is called when the window opens."""

    send_window: Any
    outside_window: Any
    max_age: Any

    @property
    def log(self) -> Any:
        """Its logger."""

    @property
    def defer(self) -> Callable[..., Any]:
        """Leave the worker, for a trigger to wake it."""

    @property
    def execute_when_open(self) -> Callable[..., Any]:
        """Go on after a wait."""


def window_of(operator: TimedOperator, context: Context, *, waited: bool) -> SendWindow | None:
    """
    Return the hours at which an operator may send, None for all.

    :param waited: it waited for them: whether its run is too old is not looked at again.
    :raises InputError: ``send_window``, ``outside_window`` or ``max_age`` is wrong.
    :raises AirflowFailException: the run is too old.
    """
    if operator.outside_window not in get_args(OutsideWindow):
        raise InputError("outside_window", " or ".join(get_args(OutsideWindow)), repr(operator.outside_window))
    window = read_window(operator.send_window) if operator.send_window else None
    if not waited:
        _refuse_old(operator.max_age, context)
    return window


def wait_or_skip(operator: TimedOperator, window: SendWindow) -> NoReturn:
    """
    Leave the worker until ``window`` opens, or for good.

    :raises TaskDeferred: ``outside_window`` is ``wait``: a trigger wakes the task when it opens.
    :raises AirflowSkipException: ``outside_window`` is ``skip``.
    """
    from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

    if operator.outside_window == "skip":
        raise AirflowSkipException(f"It is outside send_window ({window}); nothing more is sent")
    moment = window.now()
    opens = window.opens(moment)
    operator.log.info("It is outside send_window (%s); waiting until %s", window, opens)
    # The trigger counts from its own creation.
    operator.defer(trigger=TimeDeltaTrigger(opens - moment), method_name=operator.execute_when_open.__name__)
    raise AssertionError("unreachable: defer raises")


def _refuse_old(max_age: Any, context: Context) -> None:
    """
    Refuse to send for a data interval that ended longer ago than ``max_age``.

    A run without one counts from when it was due, a task outside a run is never too old.

    :raises InputError: ``max_age`` is no positive timedelta.
    :raises AirflowFailException: it is too old; a retry could not help.
    """
    if max_age is None:
        return
    if not isinstance(max_age, timedelta) or max_age <= timedelta(0):
        raise InputError("max_age", "a timedelta above zero", repr(max_age))
    due = _due(context)
    if due is not None and datetime.now(UTC) - due > max_age:
        raise AirflowFailException(
            f"The data interval of this run ended at {due.isoformat()}, longer ago than max_age ({max_age}). Nothing "
            f"was sent: a catch-up or backfill must not contact everybody again. Start a new run, or raise max_age"
        )


def _due(context: Context) -> datetime | None:
    run = context.get("dag_run")
    moments = (
        context.get("data_interval_end"),
        getattr(run, "data_interval_end", None),
        getattr(run, "run_after", None),
        getattr(run, "logical_date", None),
    )
    return next((moment for moment in moments if moment), None)
