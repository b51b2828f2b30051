"""What the sensors share: one look at the vendor, in poke, reschedule and deferrable mode."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_campaigns.exceptions import CampaignError, CampaignFailedError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.base import CampaignHook
    from airflow_provider_campaigns.protocol.messages import Conversation
    from airflow_provider_campaigns.protocol.watching import Progress
    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger


class CampaignFailed(CampaignFailedError, AirflowFailException):  # noqa: N818 - named after AirflowFailException
    """The campaign ended in a failed state, which no retry changes."""


class CampaignSensor(BaseSensorOperator):
    """
    Base of the vendors' sensors.

    Subclasses name their hook, the dialect's watching conversation and its arguments.

    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``.
    :param poke_interval: seconds between two looks; default 60.
    :param timeout: seconds after which the sensor fails, in every mode; default 7 days.
    :return: ``{"status": <the vendor's word>, ...}`` with the vendor's counts.
    :raises CampaignFailed: the campaign ended in a failed state.
    :raises AirflowSensorTimeout: it did not end in time.
    """

    watch: ClassVar[str]
    """Name of the dialect's conversation that returns a ``Progress``."""

    template_fields: Sequence[str] = ()
    ui_color = "#f3ecfb"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable

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
        """Look once."""
        progress = self._look()
        return PokeReturnValue(progress.state == "done", self._result(progress.status, progress.details))

    def execute(self, context: Context) -> Any:
        """Wait for the campaign's end."""
        if not self.deferrable:
            return super().execute(context)
        progress = self._look()
        if progress.state == "done":
            return self._result(progress.status, progress.details)
        return self._defer()

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """
        Take what the trigger saw.

        :raises CampaignError: the event is none that the trigger sends, or tells of an error.
        """
        event = event or {}
        state, status, details = event.get("state"), str(event.get("status")), event.get("details") or {}
        if state == "done":
            return self._result(status, details)
        if state == "failed":
            raise self._failed(status, details)
        if state == "timeout":
            message = f"{self.task_id}: not over after {self.timeout} seconds; the last status was {status!r}"
            raise (AirflowSkipException if self.soft_fail else AirflowSensorTimeout)(message)
        raise CampaignError(
            event.get("message") or f"the trigger sent an event that is not understood: state {state!r}"
        )

    def _look(self) -> Progress:
        conversation: Conversation[Progress] = getattr(self.hook.dialect, self.watch)(**self.arguments())
        progress = self.hook.run(conversation)
        self.log.info("%s: %s (%s)", self.task_id, progress.status, progress.state.replace("_", " "))
        if progress.state == "failed":
            raise self._failed(progress.status, progress.details)
        return progress

    def trigger_class(self) -> type[CampaignStatusTrigger]:
        """Return the trigger that watches in deferrable mode."""
        from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

        return CampaignStatusTrigger

    def _defer(self) -> None:
        hook = type(self.hook)
        self.defer(
            trigger=self.trigger_class()(
                hook=f"{hook.__module__}.{hook.__qualname__}",
                conn_id=self.hook.conn_id,
                watch=self.watch,
                arguments=dict(self.arguments()),
                poll_interval=self.poke_interval,
                deadline=time.time() + self.timeout,
            ),
            method_name="execute_complete",
        )

    def _result(self, status: str, details: Mapping[str, Any]) -> dict[str, Any]:
        return {**details, "status": status}

    def _failed(self, status: str, details: Mapping[str, Any]) -> CampaignFailed:
        # The reason first: messages are cut when they are long.
        ordered = sorted(details.items(), key=lambda item: item[0] != "reason")
        told = ", ".join(f"{name} {value}" for name, value in ordered)
        return CampaignFailed(self.hook.conn_type, f"ended as {status}" + (f" ({told})" if told else ""))
