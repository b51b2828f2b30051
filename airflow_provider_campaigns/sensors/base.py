"""Base of the sensors: one poll of the vendor, in poke, reschedule and deferrable mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.links.campaign import CampaignLink
from airflow_provider_campaigns.parameters import only_one
from airflow_provider_campaigns.protocol.polling import MAX_POLL_FAILURES
from airflow_provider_campaigns.sensors.wait import CampaignFailed, CampaignWait, check_max_poll_failures
from airflow_provider_campaigns.templating.literals import given_literals
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import Hook_co, WithHook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

__all__ = ["CampaignFailed", "CampaignSensor"]

# Arguments of polls that name what is waited for.
CAMPAIGNS = ("campaign_id", "campaign_name", "survey_id")


class CampaignSensor(WithHook[Hook_co], TemplatedOperator, BaseSensorOperator):
    """
    Base of the vendors' sensors.

    Subclasses name their hook, the dialect's polling conversation and its arguments. They behave alike in poke,
    reschedule and deferrable mode:

    - A poll that fails because the vendor cannot be reached, replies with a server error or throttles is repeated:
      after ``poke_interval``, then after twice and at most four times as long (but not more than five minutes, unless
      ``poke_interval`` is), and not before a ``Retry-After``. More than ``max_poll_failures`` consecutive failures fail
      the task, which Airflow may retry.
    - A refusal (unknown campaign, 403, credentials) fails it at once. If credentials are not (or no longer) accepted,
      the sensor signs in again, then gets the connection again and polls once more.
    - A status that the vendor does not document is logged once; the sensor continues to wait.
    - ``timeout`` counts from the first poll, across pokes, retries and restarts of the triggerer. If several processes
      share the wait, the deadline is stored in the task state store (Airflow 3.3 and later) or in an Airflow Variable
      ``campaigns_ledger_…`` until the wait is over.
    - ``soft_fail`` skips the task if the campaign failed or did not end in time; an error of a poll still fails it.

    Airflow's ``exponential_backoff``, ``silent_fail`` and ``never_fail`` apply in poke and reschedule mode.

    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``.
    :param max_poll_failures: consecutive polls that may fail before the task does; default 10.
    :param poke_interval: seconds between two polls; default 60.
    :param timeout: seconds after which the sensor fails, in every mode; default 7 days.
    :return: ``{"status": <the vendor's word>, ...}`` with the vendor's counts.
    :raises InputError: a parameter is wrong.
    :raises CampaignFailed: the campaign ended in a failed state.
    :raises AirflowSensorTimeout: it did not end in time.
    :raises VendorError: the vendor refused the poll, or too many failed in a row; it has the vendor's HTTP status, code
        and message.
    """

    poll_method: ClassVar[str]
    """Name of the dialect's conversation that returns a ``PollResult``."""

    template_fields: Sequence[str] = ()
    ui_color = "#f3ecfb"
    operator_extra_links = (CampaignLink(),)

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_poll_failures: int = MAX_POLL_FAILURES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.max_poll_failures = check_max_poll_failures(max_poll_failures)
        self._wait: CampaignWait | None = None

    def check_one_given(self, *names: str) -> None:
        """
        Refuse another number of parameters than one, as far as the DAG says.

        :raises InputError: it is another.
        """
        given = given_literals(self, names)
        if given and not self._given:
            only_one(given)

    def arguments(self) -> Mapping[str, Any]:
        """
        Return the arguments of the polling conversation: JSON-safe, no secret, no recipient.

        :raises InputError: a parameter is wrong.
        """
        raise TypeError("a vendor's sensor gives the arguments of its conversation")

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        if self._wait is None:
            self._wait = CampaignWait(self, context).begin()
        ending = self._wait.poll()
        return PokeReturnValue(ending is not None, ending and self._wait.conclude(ending))

    def execute(self, context: Context) -> Any:
        """Wait for the campaign's end."""
        self._wait = None
        self._store_link(context)
        if self.deferrable:
            return CampaignWait(self, context).begin().in_triggerer()
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """
        Return or raise what the trigger's event reports.

        :raises CampaignError: the event is none that the trigger sends, or reports an error.
        """
        return CampaignWait(self, context).conclude(event or {})

    def _store_link(self, context: Context) -> None:
        """Link to what is waited for, if the connection names its page; what is wrong shows when it is polled."""
        with suppress(CampaignError):
            arguments = self.arguments()
            campaign = next((arguments[name] for name in CAMPAIGNS if arguments.get(name)), None)
            CampaignLink.store(context, self.hook.campaign_url(str(campaign)) if campaign else "")

    def trigger_class(self) -> type[CampaignStatusTrigger]:
        """Return the trigger that polls in deferrable mode."""
        from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

        return CampaignStatusTrigger

    def _get_next_poke_interval(
        self, started_at: datetime | float, run_duration: Callable[[], float], poke_count: int
    ) -> float:
        regular: float = super()._get_next_poke_interval(started_at, run_duration, poke_count)
        return self._wait.poller.pause(regular) if self._wait else regular
