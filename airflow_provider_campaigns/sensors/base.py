"""What the sensors share: one look at the vendor, in poke, reschedule and deferrable mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_campaigns.exceptions import CallRefusedError, CampaignError, CampaignFailedError, InputError
from airflow_provider_campaigns.protocol.polling import (
    MAX_POLL_FAILURES,
    Poller,
    PollResult,
    WaitResult,
    error_from_event,
)
from airflow_provider_campaigns.templating.operator import TemplatedOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.state.poll_state import PollState
    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

# How long after the deadline Airflow itself ends a wait of which no triggerer took care.
TRIGGERER_GRACE = timedelta(minutes=5)


class CampaignFailed(CampaignFailedError, AirflowFailException):  # noqa: N818 - named after AirflowFailException
    """The campaign ended in a failed state, which no retry changes."""


class CampaignSensor(TemplatedOperator, BaseSensorOperator):
    """
    Base of the vendors' sensors.

    Subclasses name their hook, the dialect's watching conversation and its arguments. They behave alike in poke,
    reschedule and deferrable mode:

    - A look that fails because the vendor cannot be reached, answers with a server error or asks to wait is made again:
      after ``poke_interval``, then after twice and at most four times as long (but not more than five minutes, unless
      ``poke_interval`` is), and not before a ``Retry-After``. More than ``max_poll_failures`` in a row fail the task,
      which Airflow may retry.
    - A refusal (unknown campaign, 403, credentials) fails it at once. When credentials are not (or no longer) taken,
      the sensor signs in again, looks the connection up again, and asks once more.
    - A status that the vendor does not document is logged once and waited for.
    - ``timeout`` is counted from the first look, across pokes, retries and restarts of the triggerer; what the task has
      to remember is in its task state store (Airflow 3.3 and later) or in an Airflow Variable ``campaigns_ledger_…``
      until it is over.
    - ``soft_fail`` skips the task when the campaign failed or did not end in time; an error of the look still fails it.

    ``exponential_backoff``, ``silent_fail`` and ``never_fail`` are Airflow's own and count in poke and reschedule mode.

    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``.
    :param max_poll_failures: looks in a row that may fail before the task does; default 10.
    :param poke_interval: seconds between two looks; default 60.
    :param timeout: seconds after which the sensor fails, in every mode; default 7 days.
    :return: ``{"status": <the vendor's word>, ...}`` with the vendor's counts.
    :raises InputError: a parameter is wrong.
    :raises CampaignFailed: the campaign ended in a failed state.
    :raises AirflowSensorTimeout: it did not end in time.
    :raises VendorError: the vendor refused the look, or too many failed in a row; its HTTP status, code and message
        are told.
    """

    poll_method: ClassVar[str]
    """Name of the dialect's conversation that returns a ``PollResult``."""

    template_fields: Sequence[str] = ()
    ui_color = "#f3ecfb"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_poll_failures: int = MAX_POLL_FAILURES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(max_poll_failures, int) or max_poll_failures < 0:
            raise InputError("max_poll_failures", "a whole number from 0", repr(max_poll_failures))
        self.deferrable = deferrable
        self.max_poll_failures = max_poll_failures
        self._record: PollState | None = None

    @cached_property
    def hook(self) -> CampaignHook:
        """The vendor's hook."""
        raise TypeError("a vendor's sensor names its hook")

    def arguments(self) -> Mapping[str, Any]:
        """
        Return the arguments of the watching conversation: JSON-safe, no secret, no recipient.

        :raises InputError: a parameter is wrong.
        """
        raise TypeError("a vendor's sensor gives the arguments of its conversation")

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        ending = self._poll(self._begun(context))
        return PokeReturnValue(ending is not None, ending and self._conclude(context, ending))

    def execute(self, context: Context) -> Any:
        """Wait for the campaign's end."""
        self._record = None
        if not self.deferrable:
            return super().execute(context)
        record = self._begun(context)
        ending = self._poll(record)
        return self._conclude(context, ending) if ending else self._defer(record.poller)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """
        Take what the trigger saw.

        :raises CampaignError: the event is none that the trigger sends, or tells of an error.
        """
        return self._conclude(context, event or {})

    def trigger_class(self) -> type[CampaignStatusTrigger]:
        """Return the trigger that watches in deferrable mode."""
        from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

        return CampaignStatusTrigger

    def trigger(self, poller: Poller) -> CampaignStatusTrigger:
        """
        Return the trigger that goes on with a wait.

        :raises InputError: Airflow could not store it; the arguments are at fault.
        """
        hook = type(self.hook)
        return self.trigger_class()(
            hook=f"{hook.__module__}.{hook.__qualname__}",
            conn_id=self.hook.conn_id,
            poll_method=self.poll_method,
            arguments=dict(self.arguments()),
            poll_interval=self.poke_interval,
            deadline=poller.deadline,
            first_poll_at=time.time() + poller.pause(self.poke_interval),
            max_poll_failures=poller.max_failures,
            failures=poller.failures,
            unknown=sorted(poller.unknown),
        )

    def _begun(self, context: Context) -> PollState:
        """Return the wait that this process began or goes on with."""
        if self._record is None:
            self._record = self._recorded(context)
            self._record.begin(self.timeout, self.max_poll_failures)
        return self._record

    def _recorded(self, context: Context) -> PollState:
        from airflow_provider_campaigns.state.poll_state import PollState

        retries = self.retries or 0
        return PollState(context, retries=retries, needed=self.reschedule or retries > 0)

    def _poll(self, record: PollState) -> WaitResult | None:
        try:
            progress = self._progress(record.poller)
        except CampaignError as error:
            ending = record.poller.failed(error)
        else:
            ending = record.poller.record_result(progress)
        if ending is None:
            record.keep()
        return ending

    def _progress(self, poller: Poller) -> PollResult:
        try:
            return self._ask(poller)
        except CallRefusedError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self.log.warning("The credentials are not taken; looking the connection up again")
        self.__dict__.pop("hook")
        return self._ask(poller)

    def _ask(self, poller: Poller) -> PollResult:
        progress: PollResult = self.hook.run(poller.poll(self.hook.dialect, self.poll_method, self.arguments()))
        return progress

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        regular: float = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        return self._record.poller.pause(regular) if self._record else regular

    def _defer(self, poller: Poller) -> NoReturn:
        self.defer(
            trigger=self.trigger(poller),
            method_name="execute_complete",
            timeout=timedelta(seconds=poller.left()) + TRIGGERER_GRACE,
        )

    def _conclude(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a wait that ended well; raise what any other came to."""
        state, status, details = event.get("state"), str(event.get("status")), event.get("details") or {}
        if state not in {"done", "failed", "timeout"}:
            raise error_from_event(event)
        self._recorded(context).forget()
        if state == "done":
            return {**details, "status": status}
        ended = self._failed(status, details) if state == "failed" else self._timed_out(status, details)
        if self.soft_fail:
            raise AirflowSkipException(str(ended))
        raise ended

    def _failed(self, status: str, details: Mapping[str, Any]) -> CampaignFailed:
        # The reason first: messages are cut when they are long.
        ordered = sorted(details.items(), key=lambda item: item[0] != "reason")
        told = ", ".join(f"{name} {value}" for name, value in ordered)
        return CampaignFailed(self.hook.conn_type, f"ended as {status}" + (f" ({told})" if told else ""))

    def _timed_out(self, status: str, details: Mapping[str, Any]) -> AirflowSensorTimeout:
        failure = f"; the last look failed: {details['failure']}" if "failure" in details else ""
        return AirflowSensorTimeout(
            f"{self.task_id}: not over after {self.timeout} seconds; the last status was {status!r}{failure}"
        )
