"""The wait for a campaign, shared by the sensors and ``CreateExotelCampaignOperator``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, Self

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseOperator,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, CampaignFailedError, InputError
from airflow_provider_campaigns.protocol.polling import Poller, PollResult, WaitResult, error_from_event

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:
    # Before Airflow 3.2.
    from airflow.exceptions import AirflowRescheduleException

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

# How long after the deadline Airflow itself ends a wait of which no triggerer took care.
TRIGGERER_GRACE = timedelta(minutes=5)
# Seconds between two notes of what the vendor said.
BETWEEN_NOTES = 10.0


class CampaignFailed(CampaignFailedError, AirflowFailException):  # noqa: N818 - named after AirflowFailException
    """The campaign ended in a failed state, which no retry changes."""


class WaitingTask(Protocol):
    """
    An operator that waits.

    ``poll_method`` is the name of the dialect's conversation that returns a ``PollResult``.
    """

    poll_method: ClassVar[str]
    task_id: str
    poke_interval: Any
    timeout: Any
    soft_fail: bool
    retries: Any
    max_poll_failures: int

    @property
    def reschedule(self) -> bool:
        """Whether the worker is freed between two polls."""

    @property
    def hook(self) -> Any:
        """The vendor's hook."""

    @property
    def log(self) -> Any:
        """Its logger."""

    @property
    def defer(self) -> Callable[..., Any]:
        """Free the worker until a trigger fires."""

    def arguments(self) -> Mapping[str, Any]:
        """Return the arguments of the conversation: JSON-safe, no secret, no recipient."""

    def trigger_class(self) -> type[CampaignStatusTrigger]:
        """Return the trigger that polls in the triggerer."""


class CampaignWait:
    """
    One wait, which several processes of a task instance may continue.

    :param task: whose wait it is.
    :param context: of the task; outside a task nothing is stored.
    """

    def __init__(self, task: WaitingTask, context: Context) -> None:
        from airflow_provider_campaigns.state.poll_state import PollState
        from airflow_provider_campaigns.state.task_state import progress_note

        retries = task.retries or 0
        self._task = task
        self._show = progress_note(context)
        self._next_note = 0.0
        self._state = PollState(context, retries=retries, needed=task.reschedule or retries > 0)

    @property
    def poller(self) -> Poller:
        """What counts polls and failures."""
        return self._state.poller

    def begin(self) -> Self:
        """Begin the wait, or continue the one that an earlier process began."""
        self._state.begin(self._task.timeout, self._task.max_poll_failures)
        return self

    def poll(self) -> WaitResult | None:
        """
        Poll once; return how the wait ended, None when it continues.

        :raises VendorError: the vendor refused, or one failure too many.
        """
        try:
            progress = self._progress()
        except CampaignError as error:
            ending = self.poller.failed(error)
        else:
            self._note(progress)
            ending = self.poller.record_result(progress)
        if ending is None:
            self._state.keep()
        return ending

    def _note(self, progress: PollResult) -> None:
        """Show people what the vendor said, at most every ten seconds; the wait does not depend on it."""
        if self._show is None or time.time() < self._next_note:
            return
        self._next_note = time.time() + BETWEEN_NOTES
        try:
            self._show(
                {
                    "waits_for": self._task.hook.conn_type,
                    "status": progress.status,
                    "facts": dict(_facts(progress.details)),
                    "updated": datetime.now(UTC).isoformat(timespec="seconds"),
                }
            )
        except Exception as error:  # noqa: BLE001 - whatever Airflow raises, the wait continues
            self._task.log.debug("What is waited for cannot be shown in the UI (%s)", type(error).__name__)

    def in_worker(self) -> dict[str, Any]:
        """
        Poll until the end, and return the result.

        :raises AirflowRescheduleException: the task frees the worker between two polls.
        """
        try:
            while (ending := self.poll()) is None:
                pause = self.poller.pause(self._task.poke_interval)
                if self._task.reschedule:
                    raise AirflowRescheduleException(datetime.now(UTC) + timedelta(seconds=pause))
                time.sleep(pause)
        except AirflowTaskTimeout as error:
            if self._task.soft_fail:
                raise AirflowSkipException(f"execution_timeout: {error}") from error
            raise
        return self.conclude(ending)

    def in_triggerer(self) -> dict[str, Any]:
        """
        Poll once, and return the result if that is the end.

        :raises TaskDeferred: it is not: the triggerer continues.
        """
        ending = self.poll()
        return self.conclude(ending) if ending else self._defer()

    def conclude(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return the result of a wait that ended well; raise what any other came to.

        :param event: how it ended.
        :raises CampaignError: the event is none that a trigger sends, or reports an error.
        """
        state, status, details = event.get("state"), str(event.get("status")), event.get("details") or {}
        if state not in {"done", "failed", "timeout"}:
            raise error_from_event(event)
        self._state.forget()
        if state == "done":
            return {**details, "status": status}
        ended = self._failed(status, details) if state == "failed" else self._timed_out(status, details)
        if self._task.soft_fail:
            raise AirflowSkipException(str(ended))
        raise ended

    def _defer(self) -> NoReturn:
        self._task.defer(
            trigger=make_trigger(self._task, self.poller),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.poller.left()) + TRIGGERER_GRACE,
        )
        raise AssertionError("unreachable: defer raises")

    def _progress(self) -> PollResult:
        try:
            return self._ask()
        except CallRefusedError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self._task.log.warning("The credentials are refused; looking the connection up again")
        vars(self._task).pop("hook")
        return self._ask()

    def _ask(self) -> PollResult:
        task = self._task
        conversation = self.poller.poll(task.hook.dialect, task.poll_method, task.arguments())
        progress: PollResult = task.hook.run(conversation)
        return progress

    def _failed(self, status: str, details: Mapping[str, Any]) -> CampaignFailed:
        # The reason first: messages are cut when they are long.
        ordered = sorted(details.items(), key=lambda item: item[0] != "reason")
        facts = ", ".join(f"{name} {value}" for name, value in ordered)
        return CampaignFailed(self._task.hook.conn_type, f"ended as {status}" + (f" ({facts})" if facts else ""))

    def _timed_out(self, status: str, details: Mapping[str, Any]) -> AirflowSensorTimeout:
        failure = f"; the last poll failed: {details['failure']}" if "failure" in details else ""
        waited = f"{self._task.task_id}: not over after {self._task.timeout} seconds"
        return AirflowSensorTimeout(f"{waited}; the last status was {status!r}{failure}")


def make_trigger(task: WaitingTask, poller: Poller) -> CampaignStatusTrigger:
    """
    Return the trigger that continues a wait.

    :raises InputError: Airflow could not store it; the arguments are at fault.
    """
    hook: CampaignHook = task.hook
    kind = type(hook)
    return task.trigger_class()(
        hook=f"{kind.__module__}.{kind.__qualname__}",
        conn_id=hook.conn_id,
        poll_method=task.poll_method,
        arguments=dict(task.arguments()),
        poll_interval=task.poke_interval,
        deadline=poller.deadline,
        first_poll_at=time.time() + poller.pause(task.poke_interval),
        max_poll_failures=poller.max_failures,
        failures=poller.failures,
        unknown=sorted(poller.unknown),
    )


def _facts(details: Mapping[str, Any]) -> Iterator[tuple[str, str | float]]:
    """Yield the counts, and what else is no list, by name; those of a vendor's statistics, too."""
    for name, value in details.items():
        if isinstance(value, Mapping):
            yield from _facts(value)
        elif isinstance(value, (str, int, float)):
            yield name, value


class Reschedulable:
    """
    For an operator that is no sensor and frees its worker between two polls in mode ``reschedule``.

    Without what is declared here, Airflow's scheduler would not wait for the date of the next poll.
    """

    mode: str

    if AIRFLOW_V_3_0_PLUS:
        _is_sensor = True
    else:
        from airflow.ti_deps.deps.ready_to_reschedule import ReadyToRescheduleDep

        deps = BaseOperator.deps | {ReadyToRescheduleDep()}  # type: ignore[attr-defined, unused-ignore]

    @property
    def reschedule(self) -> bool:
        """Whether the worker is freed between two polls."""
        return self.mode == "reschedule"

    @classmethod
    def get_serialized_fields(cls) -> Any:
        """Return the names of what the scheduler knows of the operator."""
        names = {"reschedule", "_is_sensor"} if AIRFLOW_V_3_0_PLUS else {"reschedule"}
        return super().get_serialized_fields() | names  # type: ignore[misc]


def check_mode(mode: object) -> str:
    """
    Return a mode of waiting in a worker.

    :raises InputError: there is no such mode.
    """
    if mode not in {"poke", "reschedule"}:
        raise InputError("mode", "poke or reschedule", repr(mode))
    return str(mode)


def check_seconds(name: str, value: object) -> float:
    """
    Return a duration in seconds.

    :raises InputError: it is neither a ``timedelta`` nor a number from 0.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise InputError(name, "a timedelta, or seconds from 0", repr(value))
    return seconds


def check_max_poll_failures(value: object) -> int:
    """
    Return how many polls in a row may fail.

    :raises InputError: it is no whole number from 0.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError("max_poll_failures", "a whole number from 0", repr(value))
    return value
