"""When an operator may send: send window and maximum age of the data interval."""

from __future__ import annotations

import math
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
        """Free the worker until a trigger fires."""

    @property
    def execute_when_open(self) -> Callable[..., Any]:
        """Continue after a wait for the window."""


def window_of(operator: TimedOperator, context: Context, *, waited: bool) -> SendWindow | None:
    """
    Return the hours at which an operator may send, None for all.

    :param waited: it waited for them: whether its run is too old is not checked again.
    :raises InputError: ``send_window``, ``outside_window`` or ``max_age`` is wrong.
    :raises AirflowFailException: the run is too old.
    """
    check_outside_window(operator.outside_window)
    window = check_send_window(operator.send_window)
    if not waited:
        _refuse_old(operator.max_age, context)
    return window


def check_outside_window(value: Any) -> None:
    """
    Refuse what is no choice of ``outside_window``.

    :raises InputError: it is none.
    """
    if value not in get_args(OutsideWindow):
        raise InputError("outside_window", " or ".join(get_args(OutsideWindow)), repr(value))


def check_send_window(value: Any) -> SendWindow | None:
    """
    Return the window that ``send_window`` describes, None for none: also if a template has rendered it as empty text.

    :raises InputError: it describes none.
    """
    return None if value in (None, "") else read_window(value)


def check_max_age(value: Any) -> None:
    """
    Refuse what is no age of a run.

    :raises InputError: it is no positive timedelta.
    """
    if value is not None and (not isinstance(value, timedelta) or value <= timedelta(0)):
        raise InputError("max_age", "a timedelta above zero", repr(value))


def hours_of(
    operator: TimedOperator, context: Context, *, waited: bool, send_at: datetime | None = None
) -> tuple[SendWindow | None, Callable[[], float]]:
    """
    Return the hours at which a delivery may send, and a function that returns the seconds until they end.

    :param waited: the operator waited for them.
    :param send_at: when the vendor sends what it is given, None: at once.
    :raises InputError: a parameter is wrong, or ``send_at`` is in the past or outside the hours.
    :raises TaskDeferred, AirflowSkipException: nothing may be sent now.
    """
    window = window_of(operator, context, waited=waited)
    if send_at:
        check_send_at(send_at, window, SendWindow.now())
    elif window and window.closes_in() <= 0:
        wait_or_skip(operator, window)
    return window, window.closing(send_at) if window else lambda: math.inf


def check_send_at(send_at: datetime, window: SendWindow | None, now: datetime) -> None:
    """
    Refuse a time at which the vendor must not send what it is given now.

    :param send_at: when the vendor sends it.
    :param window: hours at which that may be; None: at any.
    :param now: the time.
    :raises InputError: ``send_at`` is in the past, where what the vendor does is not documented, or outside ``window``.
    """
    if send_at < now:
        raise InputError("send_at", f"a time to come (it is {now.isoformat(timespec='seconds')})", send_at.isoformat())
    if window and not window.closes(send_at):
        raise InputError("send_at", f"a time within send_window ({window})", send_at.isoformat())


def wait_or_skip(operator: TimedOperator, window: SendWindow) -> NoReturn:
    """
    Defer the task until ``window`` opens, or skip it.

    :raises TaskDeferred: ``outside_window`` is ``wait``: a trigger wakes the task when it opens.
    :raises AirflowSkipException: ``outside_window`` is ``skip``.
    """
    from airflow.providers.common.compat.standard.triggers import TimeDeltaTrigger

    if operator.outside_window == "skip":
        raise AirflowSkipException(f"It is outside send_window ({window}); nothing more is sent")
    moment = window.now()
    opens = window.opens(moment)
    operator.log.info("It is outside send_window (%s); waiting until %s", window, window.local(opens))
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
    check_max_age(max_age)
    if max_age is None:
        return
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
