"""Operator for Exotel that creates voice campaigns; imported from ``operators.exotel``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    conf,
)

from airflow_provider_campaigns.exceptions import CampaignError
from airflow_provider_campaigns.links.exotel import ExotelCampaignLink, ExotelReportLink, store_links
from airflow_provider_campaigns.operators.base.choices import TIMING, check_frequency_cap
from airflow_provider_campaigns.operators.base.contacts import check_on_empty
from airflow_provider_campaigns.operators.base.delivery_parameters import DEFAULT_MAX_OUTAGE
from airflow_provider_campaigns.operators.base.outlets import publish_receipt, push_receipt
from airflow_provider_campaigns.parameters import (
    LedgerPlace,
    check_country,
    only_one,
    parse_bool,
    parse_count,
    parse_positive_int,
)
from airflow_provider_campaigns.protocol.polling import MAX_POLL_FAILURES
from airflow_provider_campaigns.sensors.wait import (
    CampaignWait,
    Reschedulable,
    check_max_poll_failures,
    check_mode,
    check_seconds,
)
from airflow_provider_campaigns.state.cleared import OnCleared, check_on_cleared
from airflow_provider_campaigns.templating.hidden_field import HiddenField
from airflow_provider_campaigns.templating.literals import Check, given_literals
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import WithHook

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.exotel import ExotelHook
    from airflow_provider_campaigns.operators.base.contacts import OnEmpty
    from airflow_provider_campaigns.operators.base.timing import OutsideWindow
    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger

# What Airflow calls when the triggerer failed, or did not come to an end in time.
FAILED_IN_TRIGGERER = "__fail__"


class CreateExotelCampaignOperator(Reschedulable, WithHook["ExotelHook"], TemplatedOperator):
    """
    Create a voice campaign that calls phone numbers, or the contacts of up to 5 lists; at most once, whatever crashes.

    Without ``send_at`` Exotel starts to dial within about a minute. One number that cannot be called fails the whole
    campaign, so all are checked before anything is sent. More than 5,000 numbers (up to 500,000) are put into contact
    lists first, which stay at Exotel. A retry or a cleared task never creates a second campaign, not even for one that
    failed: it returns the first. If the recipients have changed since, the task fails.

    .. seealso:: https://developer.exotel.com/api/campaigns

    :param name: name of the campaign, more than 3 characters; 8 characters that identify this task instance and its
        recipients are appended, so that the campaign can be looked up (templated)
    :param caller_id: the ExoPhone that calls (templated)
    :param url: of a call flow: ``http://my.exotel.com/<account sid>/exoml/start_voice/<app id>``; this or
        ``read_via_text`` (templated)
    :param read_via_text: a text that is read to whoever answers (templated)
    :param numbers: a list of phone numbers to call (also an upstream task's output, or JSON text), sent as given;
        exactly one of ``numbers``, ``lists`` and ``contacts`` (templated)
    :param lists: ids of contact lists at Exotel (templated)
    :param contacts: a list of dicts with ``number``, or anything else that the delivering operators take (files,
        folders, tables), with a column ``number``; other columns are not sent (templated)
    :param encoding: of text files in ``contacts`` that are not UTF-8 and have no byte order mark, e.g. ``"cp1252"``
        (templated)
    :param delimiter: character between the columns of text files in ``contacts``; default: detected (templated)
    :param on_empty: no contacts, or no numbers, at all: ``"fail"`` (default), or ``"skip"`` the task (templated)
    :param region: country of numbers without ``+``, two letters, e.g. ``IN``; default the connection's ``region``.
        Without either they are only checked for 6 to 15 digits (templated)
    :param call_retries: when to call again: ``{"number_of_retries": 0 to 3, "interval_mins": minutes, "mechanism":
        "Linear" or "Exponential", "on_status": ["busy", "no-answer", "failed"]}`` (templated)
    :param send_at: when to start, a datetime with a time zone or ISO text with an offset; default: at once (templated)
    :param end_at: when to stop, likewise; default: 30 days later, as Exotel decides (templated)
    :param call_duplicate_numbers: call a number as often as it is given; default False: once, in whatever spelling.
    :param throttle: calls per minute, below the account's own limit; default: Exotel decides (templated)
    :param status_callback: URL that Exotel calls at the campaign's end (templated)
    :param call_status_callback: URL that Exotel calls after each call (templated)
    :param call_schedule_callback: URL that Exotel calls for each number, after its last call (templated)
    :param custom_field: handed to the call flow; a dict is sent as JSON text (templated)
    :param overrides: other fields of the request, e.g. ``{"campaign_type": "dynamic"}`` (templated)
    :param wait_for_completion: wait until the campaign is over, as ``ExotelCampaignSensor`` does; default False.
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``.
    :param poke_interval: seconds (or a ``timedelta``) between two polls; default 60.
    :param timeout: seconds (or a ``timedelta``) after which the wait fails; default 7 days.
    :param mode: ``"poke"`` (default) occupies the worker slot while it waits, ``"reschedule"`` releases it between two
        polls.
    :param soft_fail: skip the task if the campaign failed or did not end in time; default False.
    :param max_poll_failures: consecutive polls that may fail before the task does; default 10.
    :param pause_on_kill: pause the campaign when the waiting task is killed (marked, cleared, ``execution_timeout``);
        default False. Deferred tasks need Airflow 3.3 for it.
    :param on_cleared: a cleared task: ``"resume"`` (default) returns the campaign that its earlier tries created;
        ``"resend"`` creates another, and calls everybody again (templated)
    :param send_window: hours at which calls may start: ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``,
        ``end``, ``timezone`` and optionally ``days`` (``["mon-fri"]``). Outside it nothing is created; a ``send_at`` in
        the future must be within it, and the campaign is then created at any hour. A campaign that is running when it
        closes continues; ``end_at`` stops it. Default: at any hour (templated)
    :param outside_window: outside ``send_window`` the task waits in the triggerer (``"wait"``, default), or is skipped
        (``"skip"``) (templated)
    :param max_age: refuse to create a campaign for a run whose data interval ended longer ago (a ``timedelta``), so
        that catchup or a backfill does not call everybody again; default no limit. A task that waited for its window is
        not checked again.
    :param max_outage: seconds that the task waits if Airflow (its API server; on Airflow 2 its database) or the history
        database cannot be reached; default 120.
    :param frequency_cap: how often a person may be contacted, over all deliveries with the same history:
        ``"1 per 7 days"``, or a list of such; also ``"3 per 30 days per campaign"`` (``vendor``, ``channel``). Numbers
        over it are not called. Not with ``lists``, whose numbers only Exotel knows. Default:
        ``[campaigns] frequency_cap``; ``""`` for none (templated)
    :param history_conn_id: id of the Airflow connection to the history database. Default:
        ``[campaigns] history_conn_id``; ``""`` for none (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    :return: the campaign as Exotel returns it (``id``, ``name``, ``status``, ``uri``, ``stats`` …), with a count in
        place of the numbers (``from``), and, except for ``lists``, how many numbers were left out: ``capped``, and
        ``invalid`` (on the suppression list). The XCom ``campaign_id`` (``operator.output["campaign_id"]``) is pushed
        as soon as the campaign exists. Its receipt is the ``extra`` of the outlet assets' events.
    :raises InputError: bad input; nothing was created.
    :raises CampaignFailed: the campaign that was waited for ended in a failed state.
    :raises AirflowSensorTimeout: it did not end in time.
    :raises AirflowFailException: it is not known whether the campaign was created, or an earlier try created it for
        other recipients; the message says what to do.
    :raises AirflowSkipException: all numbers are over a cap or on the suppression list; nothing was created.
    :raises LedgerError: the record of an earlier try is missing or damaged, or another process of this task has begun.
    """

    hook_class = "airflow_provider_campaigns.hooks.exotel.ExotelHook"
    poll_method: ClassVar[str] = "poll_campaign"
    ledger: LedgerPlace | None = "airflow"
    """The record of its tries is in Airflow's state of the task."""
    ui_color = "#e8f1fb"
    operator_extra_links = (ExotelCampaignLink(), ExotelReportLink())
    template_fields: Sequence[str] = (
        "name",
        "caller_id",
        "url",
        "read_via_text",
        "numbers",
        "lists",
        "contacts",
        "encoding",
        "delimiter",
        "on_empty",
        "region",
        "call_retries",
        "send_at",
        "end_at",
        "throttle",
        "status_callback",
        "call_status_callback",
        "call_schedule_callback",
        "custom_field",
        "overrides",
        "on_cleared",
        "send_window",
        "outside_window",
        "frequency_cap",
        "history_conn_id",
        "exotel_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("lists", "call_retries", "custom_field", "overrides"), "json"
    )

    numbers = HiddenField("numbers")
    lists = HiddenField("lists", personal=False)
    contacts = HiddenField("contacts")

    def __init__(
        self,
        *,
        name: str,
        caller_id: str,
        url: str | None = None,
        read_via_text: str | None = None,
        numbers: Any = None,
        lists: Any = None,
        contacts: Any = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        on_empty: OnEmpty = "fail",
        region: str | None = None,
        call_retries: Mapping[str, Any] | None = None,
        send_at: datetime | str | None = None,
        end_at: datetime | str | None = None,
        call_duplicate_numbers: bool = False,
        throttle: int | str | None = None,
        status_callback: str | None = None,
        call_status_callback: str | None = None,
        call_schedule_callback: str | None = None,
        custom_field: str | Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: float | timedelta = 60,
        timeout: float | timedelta | None = None,
        mode: str = "poke",
        soft_fail: bool = False,
        max_poll_failures: int = MAX_POLL_FAILURES,
        pause_on_kill: bool = False,
        on_cleared: OnCleared = "resume",
        send_window: str | Mapping[str, Any] | None = None,
        outside_window: OutsideWindow = "wait",
        max_age: timedelta | None = None,
        max_outage: int = DEFAULT_MAX_OUTAGE,
        frequency_cap: str | Sequence[str] | None = None,
        history_conn_id: str | None = None,
        exotel_conn_id: str = "exotel_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.caller_id = caller_id
        self.url = url
        self.read_via_text = read_via_text
        self.numbers = numbers
        self.lists = lists
        self.contacts = contacts
        self.encoding = encoding
        self.delimiter = delimiter
        self.on_empty = on_empty
        self.region = region
        self.call_retries = call_retries
        self.send_at = send_at
        self.end_at = end_at
        self.call_duplicate_numbers = call_duplicate_numbers
        self.throttle = throttle
        self.status_callback = status_callback
        self.call_status_callback = call_status_callback
        self.call_schedule_callback = call_schedule_callback
        self.custom_field = custom_field
        self.overrides = overrides
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poke_interval = check_seconds("poke_interval", poke_interval)
        default_timeout = conf.getfloat("sensors", "default_timeout")
        self.timeout = check_seconds("timeout", default_timeout if timeout is None else timeout)
        self.mode = check_mode(mode)
        self.soft_fail = soft_fail
        self.max_poll_failures = check_max_poll_failures(max_poll_failures)
        self.pause_on_kill = pause_on_kill
        self.on_cleared = on_cleared
        self.send_window = send_window
        self.outside_window = outside_window
        self.max_age = max_age
        self.max_outage = max_outage
        self.frequency_cap = frequency_cap
        self.history_conn_id = history_conn_id
        self.exotel_conn_id = exotel_conn_id
        self._killed = False
        self._campaign_id: str | None = None
        self.check_literals()
        given = given_literals(self, ("numbers", "lists", "contacts"))
        if given and not self._given:
            only_one(given)

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.exotel import checks

        return {
            **TIMING,
            "name": checks.check_name,
            "overrides": checks.check_overrides,
            "region": partial(check_country, "region"),
            "send_at": partial(checks.check_time, "send_at"),
            "end_at": partial(checks.check_time, "end_at"),
            "throttle": partial(parse_positive_int, "throttle"),
            "call_duplicate_numbers": partial(parse_bool, "call_duplicate_numbers"),
            "on_cleared": check_on_cleared,
            "on_empty": check_on_empty,
            "max_outage": partial(parse_count, "max_outage", default=0),
            "frequency_cap": check_frequency_cap,
        }

    def execute(self, context: Context) -> Any:
        """Create the campaign, unless an earlier try did, and wait for its end if that is asked for."""
        return self._execute(context)

    def execute_when_open(self, context: Context, event: Any) -> Any:
        """Create the campaign, after a wait for ``send_window``."""
        return self._execute(context, waited=True)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Continue after a wait in the triggerer.

        :raises AirflowSensorTimeout: the triggerer did not report the campaign's end in time; with ``soft_fail`` it is
            a skip.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowException as error:
            if next_method != FAILED_IN_TRIGGERER or "timeout" not in str(error).lower():
                raise
            if self.soft_fail:
                raise AirflowSkipException("the campaign did not end in time") from error
            raise AirflowSensorTimeout(*error.args) from error

    def _execute(self, context: Context, *, waited: bool = False) -> Any:
        from airflow_provider_campaigns.operators._exotel.creation import CampaignCreation

        creation = CampaignCreation(self, context, waited=waited, killed=lambda: self._killed)
        campaign, record = creation.run()
        self._campaign_id = str(campaign["id"])
        if ti := context.get("ti"):
            creation.patience.run(partial(ti.xcom_push, key="campaign_id", value=self._campaign_id))
        store_links(context, self.hook, campaign)
        if self._killed:
            # While it was being created, so that there was nothing to pause yet.
            self.on_kill()
        if not self.wait_for_completion:
            return self._report(context, campaign, record.values)
        # While it waits, people see what was delivered.
        self._push_receipt(context, campaign, record.values)
        wait = CampaignWait(self, context).begin()
        wait.in_triggerer() if self.deferrable else wait.in_worker()
        return self._report(context, self.hook.get_campaign(self._campaign_id), record.values)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """
        Return the campaign, or raise what the trigger's event reports.

        :raises CampaignError: the event is none that the trigger sends, or reports an error.
        """
        from airflow_provider_campaigns.operators._exotel.creation import CampaignCreation

        result = CampaignWait(self, context).conclude(event or {})
        campaign = self.hook.get_campaign(result["campaign_id"])
        creation = CampaignCreation(self, context, waited=True, killed=lambda: self._killed)
        return self._report(context, campaign, creation.stored)

    def on_kill(self) -> None:
        """Let no campaign be created any more; pause the one that is waited for, if ``pause_on_kill``."""
        self._killed = True
        if not (self.pause_on_kill and self.wait_for_completion and self._campaign_id):
            return
        from airflow_provider_campaigns.transports.blocking import BlockingTransport

        # A transport of its own: a signal may have come in the middle of the other's request.
        with BlockingTransport(self.hook.dialect, self.hook.fields.settings) as transport:
            try:
                transport.run(self.hook.dialect.update_campaign(self._campaign_id, "pause"))
                self.log.info("Paused campaign %s", self._campaign_id)
            except CampaignError as error:
                self.log.warning("Campaign %s could not be paused: %s", self._campaign_id, error)

    def arguments(self) -> Mapping[str, Any]:
        """Return the campaign's id."""
        return {"campaign_id": self._campaign_id}

    def trigger_class(self) -> type[CampaignStatusTrigger]:
        """Return the trigger that polls in deferrable mode."""
        from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
        from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger

        return PausingCampaignTrigger if self.pause_on_kill else CampaignStatusTrigger

    def _report(self, context: Context, campaign: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_provider_campaigns.vendors.exotel.status import with_count

        store_links(context, self.hook, campaign)
        publish_receipt(context, self.outlets, self._push_receipt(context, campaign, stored))
        counts = stored.get("counts")
        held_back = {name: counts.get(name, 0) for name in ("capped", "invalid")} if counts else {}
        return {**with_count(campaign), **held_back}

    def _push_receipt(
        self, context: Context, campaign: Mapping[str, Any], stored: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        from airflow_provider_campaigns.operators._exotel.creation import receipt_of

        receipt = receipt_of(campaign, stored.get("counts"))
        push_receipt(context, receipt)
        return receipt
