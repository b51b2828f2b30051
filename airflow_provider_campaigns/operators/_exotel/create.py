"""Operator for Exotel that creates voice campaigns; imported from ``operators.exotel``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowException, BaseSensorOperator

from airflow_provider_campaigns.exceptions import CampaignError, InputError
from airflow_provider_campaigns.links.exotel import ExotelCampaignLink, ExotelReportLink, store_links
from airflow_provider_campaigns.operators._exotel.described import described, receipt_of
from airflow_provider_campaigns.operators.base.idempotent_create import CreationRecord, IdempotentCreate, task_digest
from airflow_provider_campaigns.operators.base.outlets import publish_receipt
from airflow_provider_campaigns.parameters import parse_bool, parse_positive_int
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.state.cleared import OnCleared, check_on_cleared, clearing
from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.exotel import ExotelHook
    from airflow_provider_campaigns.operators.base.timing import OutsideWindow
    from airflow_provider_campaigns.triggers.campaign import CampaignStatusTrigger
    from airflow_provider_campaigns.vendors.exotel.campaign import CreateCampaign

# What ``overrides`` must not change: the recipients are checked, and by its name a campaign is found again.
FIXED = frozenset({"from", "lists", "name"})
# What is created: start of the keys of its record.
NOUN = "campaign"


class CreateExotelCampaignOperator(CampaignSensor):
    """
    Create a voice campaign that rings phone numbers, or the contacts of up to 5 lists; once, whatever crashes.

    Without ``send_at`` Exotel starts to dial within about a minute. One number that cannot be rung fails the whole
    campaign, so all are checked before anything is sent. More than 5,000 numbers (up to 500,000) are put into contact
    lists first, which stay at Exotel. A retry or a cleared task never creates a second campaign, not even for one that
    failed: it returns the first.

    .. seealso:: https://developer.exotel.com/api/campaigns

    :param name: name of the campaign, more than 3 characters; 8 characters that stand for this task instance are
        added to it, so that the campaign can be found again (templated)
    :param caller_id: the ExoPhone that rings (templated)
    :param url: of a call flow: ``http://my.exotel.com/<account sid>/exoml/start_voice/<app id>``; this or
        ``read_via_text`` (templated)
    :param read_via_text: a text that is read to whoever answers (templated)
    :param numbers: who is rung: a list of phone numbers (also an upstream task's output, or JSON text); this,
        ``lists`` or ``contacts``; sent as given (templated)
    :param lists: ids of contact lists at Exotel (templated)
    :param contacts: a list of dicts with ``number``, or the path or URL of a .csv, .jsonl, .json or .parquet file with
        a column ``number``; other columns are not sent (templated)
    :param region: country of numbers without ``+``, two letters, e.g. ``IN``; default the connection's ``region``.
        Without either they are only checked for 6 to 15 digits (templated)
    :param call_retries: when to ring again: ``{"number_of_retries": 0 to 3, "interval_mins": minutes, "mechanism":
        "Linear" or "Exponential", "on_status": ["busy", "no-answer", "failed"]}`` (templated)
    :param send_at: when to start, a datetime with a time zone or ISO text with an offset; default: at once (templated)
    :param end_at: when to stop, likewise; default: 30 days later, as Exotel decides (templated)
    :param call_duplicate_numbers: ring a number as often as it is given; default False: once.
    :param throttle: calls per minute, below the account's own limit; default: Exotel decides (templated)
    :param status_callback: URL that Exotel tells of the campaign's end (templated)
    :param call_status_callback: URL that Exotel tells of each call (templated)
    :param call_schedule_callback: URL that Exotel tells of each number, after its last call (templated)
    :param custom_field: handed to the call flow; a dict is sent as JSON text (templated)
    :param overrides: further fields of the call, e.g. ``{"campaign_type": "dynamic"}`` (templated)
    :param wait_for_completion: wait until the campaign is over, as ``ExotelCampaignSensor`` does; default False.
        ``deferrable``, ``poke_interval``, ``timeout`` and ``mode`` are the sensor's.
    :param pause_on_kill: pause the campaign when the waiting task is killed (marked, cleared, ``execution_timeout``);
        default False. Deferred tasks need Airflow 3.3 for it.
    :param on_cleared: a cleared task: ``"resume"`` (default) returns the campaign that its earlier tries created;
        ``"resend"`` creates another, and rings everybody again (templated)
    :param send_window: hours at which calls may start: ``"09:00-20:00 Asia/Kolkata"``, or a dict with ``start``,
        ``end``, ``timezone`` and perhaps ``days`` (``["mon", "tue"]``). Outside it nothing is created, unless
        ``send_at`` is still to come: that must be within it. Calls that are under way when it closes go on; ``end_at``
        stops them. Default: at any hour (templated)
    :param outside_window: outside ``send_window`` the task waits in the triggerer (``"wait"``, default), or is skipped
        (``"skip"``) (templated)
    :param max_age: refuse to create a campaign for a run whose data interval ended longer ago (a ``timedelta``), so
        that a catch-up or backfill cannot ring everybody again; default no limit. A task that waited for its window is
        not looked at again.
    :param exotel_conn_id: id of the Airflow connection (templated)
    :return: the campaign as Exotel describes it (``id``, ``name``, ``status``, ``uri``, ``stats`` …), with a count in
        place of the numbers (``from``). The XCom ``campaign_id`` (``operator.output["campaign_id"]``) is there as soon
        as the campaign is. Its receipt becomes the ``extra`` of the outlet assets' events.
    :raises InputError: bad input; nothing was created.
    :raises CampaignFailed: the campaign that was waited for ended in a failed state.
    :raises AirflowFailException: nobody knows whether the campaign was created; the message says what to do.
    """

    poll_method = "poll_campaign"
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
        pause_on_kill: bool = False,
        on_cleared: OnCleared = "resume",
        send_window: str | Mapping[str, Any] | None = None,
        outside_window: OutsideWindow = "wait",
        max_age: timedelta | None = None,
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
        self.pause_on_kill = pause_on_kill
        self.on_cleared = on_cleared
        self.send_window = send_window
        self.outside_window = outside_window
        self.max_age = max_age
        self.exotel_conn_id = exotel_conn_id
        self._killed = False
        self._campaign_id: str | None = None

    @cached_property
    def hook(self) -> ExotelHook:
        """The vendor's hook."""
        from airflow_provider_campaigns.hooks.exotel import ExotelHook

        return ExotelHook(self.exotel_conn_id)

    def execute(self, context: Context) -> Any:
        """Create the campaign, unless an earlier try did, and wait for its end if that is asked for."""
        return self._execute(context)

    def execute_when_open(self, context: Context, event: Any) -> Any:
        """Create the campaign, after a wait for ``send_window``."""
        return self._execute(context, waited=True)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait in the triggerer."""
        if next_method == self.execute_when_open.__name__:
            # Not the sensor's way, which skips at any error if ``soft_fail``: nobody may know whether it was created.
            return super(BaseSensorOperator, self).resume_execution(next_method, next_kwargs, context)
        return super().resume_execution(next_method, next_kwargs, context)

    def _execute(self, context: Context, *, waited: bool = False) -> Any:
        from airflow_provider_campaigns.state.task_state import task_state

        ti = context.get("ti")
        once = IdempotentCreate(
            noun=NOUN,
            store=task_state(context),
            prepare=partial(self._prepare, context, waited),
            get=self.hook.get_campaign,
            find=self.hook.find_campaigns,
            timeout=self.hook.fields.settings.timeout,
        )
        cleared = clearing(ti, self.retries, self.on_cleared)
        campaign, record = once.run(lambda generation: f"{self.name} {task_digest(ti, generation)}", cleared)
        self._campaign_id = str(campaign["id"])
        if ti:
            ti.xcom_push(key="campaign_id", value=self._campaign_id)
        store_links(context, self.hook, campaign)
        if self._killed:
            # While it was being created, so that there was nothing to pause yet.
            self.on_kill()
        if not self.wait_for_completion:
            return self._report(context, campaign, record)
        super().execute(context)
        return self._report(context, self.hook.get_campaign(self._campaign_id), record)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Take what the trigger saw."""
        from airflow_provider_campaigns.state.task_state import task_state

        result = super().execute_complete(context, event)
        return self._report(
            context, self.hook.get_campaign(result["campaign_id"]), CreationRecord(task_state(context), NOUN)
        )

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
        """Return the trigger that watches in deferrable mode."""
        from airflow_provider_campaigns.triggers.exotel import PausingCampaignTrigger

        return PausingCampaignTrigger if self.pause_on_kill else super().trigger_class()

    def _report(self, context: Context, campaign: Mapping[str, Any], record: CreationRecord) -> dict[str, Any]:
        store_links(context, self.hook, campaign)
        publish_receipt(context, self.outlets, receipt_of(campaign, record.values.get("counts")))
        return described(campaign)

    def _prepare(
        self, context: Context, waited: bool, name: str, record: CreationRecord
    ) -> Callable[[], dict[str, Any]]:
        """
        Return what creates the campaign under ``name``; its contact lists are made now, if it needs any.

        :param waited: the task waited for ``send_window``.
        :raises InputError: it cannot be created as given.
        """
        from airflow_provider_campaigns.operators._exotel.lists import ContactLists
        from airflow_provider_campaigns.operators._exotel.recipients import recipients
        from airflow_provider_campaigns.protocol.polling import Poller
        from airflow_provider_campaigns.vendors.exotel.campaign import MOST_NUMBERS

        check_on_cleared(self.on_cleared)
        if self.wait_for_completion and self.deferrable:
            # What Airflow could not store must come out before there is a campaign.
            self.trigger(Poller(deadline=0.0))
        whom = recipients(
            self.hook,
            numbers=unwrap(self.numbers),
            lists=unwrap(self.lists),
            contacts=unwrap(self.contacts),
            region=self.region,
        )
        many = whom.count > MOST_NUMBERS
        campaign = self._campaign(name, ["made below"] if many else whom.lists, () if many else [*whom.numbers()])
        body = campaign.body()
        repeat = body["call_duplicate_numbers"] is True
        self._keep_to_window(context, (body.get("schedule") or {}).get("send_at"), waited=waited)
        if whom.count:
            record.save(counts=whom.counts(repeat=repeat))
        if many:
            lists = ContactLists(self.hook, record, name).make(whom, repeat=repeat)
            campaign = replace(campaign, lists=lists)
        if self._killed:
            raise AirflowException("the task was killed; no campaign was created")
        return partial(self.hook.create_campaign, campaign)

    def _keep_to_window(self, context: Context, send_at: str | None, *, waited: bool) -> None:
        """Leave the worker when calls must not start now, or at ``send_at`` if that is still to come."""
        from airflow_provider_campaigns.operators.base.timing import wait_or_skip, window_of
        from airflow_provider_campaigns.parameters import parse_datetime

        window = window_of(self, context, waited=waited)
        if window is None:
            return
        start = parse_datetime("send_at", send_at) if send_at else window.now()
        if start > window.now():
            if not window.closes(start):
                raise InputError("send_at", f"a time within send_window ({window})", start.isoformat())
        elif window.closes_in() <= 0:
            wait_or_skip(self, window)

    def _campaign(self, name: str, lists: Sequence[str], numbers: Sequence[str]) -> CreateCampaign:
        from airflow_provider_campaigns.parameters import parse_object
        from airflow_provider_campaigns.vendors.exotel.campaign import NAME_LONGER_THAN, CreateCampaign

        if not isinstance(self.name, str) or len(self.name.strip()) <= NAME_LONGER_THAN:
            raise InputError("name", f"more than {NAME_LONGER_THAN} characters", self.name)
        overrides = parse_object("overrides", self.overrides or None)
        if taken := FIXED & overrides.keys():
            raise InputError("overrides", "fields that have no parameter of their own", ", ".join(sorted(taken)))
        return CreateCampaign(
            name=name,
            caller_id=self.caller_id,
            url=self.url,
            read_via_text=self.read_via_text,
            numbers=numbers,
            lists=lists,
            call_retries=self.call_retries,
            send_at=self.send_at,
            end_at=self.end_at,
            call_duplicate_numbers=parse_bool("call_duplicate_numbers", self.call_duplicate_numbers),
            throttle=parse_positive_int("throttle", self.throttle),
            status_callback=self.status_callback,
            call_status_callback=self.call_status_callback,
            call_schedule_callback=self.call_schedule_callback,
            custom_field=self.custom_field,
            overrides=overrides,
            region=self.region or self.hook.region,
        )
