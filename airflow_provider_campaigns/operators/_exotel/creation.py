"""Creates the campaign of ``CreateExotelCampaignOperator``, with its contact lists if it needs any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

from airflow_provider_campaigns.delivery.plan.sources.options import parse_options
from airflow_provider_campaigns.delivery.record.receipt import make_receipt
from airflow_provider_campaigns.exceptions import RESEND_ALL
from airflow_provider_campaigns.operators._exotel.lists import ContactLists
from airflow_provider_campaigns.operators._exotel.recipients import CampaignRecipients, recipients
from airflow_provider_campaigns.operators._exotel.reservation import Reservation
from airflow_provider_campaigns.operators.base.contacts import check_on_empty, skips_when_empty
from airflow_provider_campaigns.operators.base.creation_record import CreationRecord
from airflow_provider_campaigns.operators.base.delivery_parameters import DEFAULT_MAX_OUTAGE
from airflow_provider_campaigns.operators.base.idempotent_create import IdempotentCreate, task_digest
from airflow_provider_campaigns.operators.base.metrics import count_contacts
from airflow_provider_campaigns.operators.base.timing import check_send_at, wait_or_skip, window_of
from airflow_provider_campaigns.parameters import (
    parse_bool,
    parse_count,
    parse_datetime,
    parse_object,
    parse_positive_int,
)
from airflow_provider_campaigns.protocol.polling import Poller
from airflow_provider_campaigns.sensors.wait import make_trigger
from airflow_provider_campaigns.state import task_state
from airflow_provider_campaigns.state.cleared import check_on_cleared, clearing
from airflow_provider_campaigns.state.overrides import instructions, with_override
from airflow_provider_campaigns.state.patience import Patience, PatientStore
from airflow_provider_campaigns.templating.hidden_field import unwrap
from airflow_provider_campaigns.vendors.exotel.campaign import MOST_NUMBERS, CreateCampaign
from airflow_provider_campaigns.vendors.exotel.checks import check_name, check_overrides
from airflow_provider_campaigns.vendors.exotel.status import created_at

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.operators._exotel.create import CreateExotelCampaignOperator
    from airflow_provider_campaigns.protocol.store import Store

# What is created: start of the keys of its record.
NOUN = "campaign"


@dataclass
class CampaignCreation:
    """
    The creation of one campaign by one try.

    :param operator: whose parameters say what is created.
    :param waited: the task waited for ``send_window``.
    :param killed: returns whether the task was killed, so that nothing may be created any more.
    """

    operator: CreateExotelCampaignOperator
    context: Context
    waited: bool
    killed: Callable[[], bool]

    def run(self) -> tuple[dict[str, Any], CreationRecord]:
        """
        Return the campaign, created now or by an earlier try, and its record.

        :raises AirflowFailException: it is not known whether it was created, or it was made for other recipients.
        :raises LedgerError: the record of an earlier try is missing or damaged, or another process has begun.
        :raises InputError: it cannot be created as given.
        """
        with self._reservation as reservation:
            campaign, record = self._create_once()
            reservation.settle(campaign, record, receipt_of(campaign, record.values.get("counts")))
        return campaign, record

    def _create_once(self) -> tuple[dict[str, Any], CreationRecord]:
        operator, hook = self.operator, self.operator.hook
        ti = self.context.get("ti")
        consumed = self.stored.get("consumed", ())
        cleared, consumed = with_override(ti, clearing(ti, operator.retries, operator.on_cleared), consumed)
        once = IdempotentCreate(
            noun=NOUN,
            store=self._store,
            prepare=self._prepare,
            get=hook.get_campaign,
            find=hook.find_campaigns,
            timeout=hook.fields.settings.timeout,
            made_for=lambda: self._recipients.made_for,
            created_at=created_at,
            try_number=ti.try_number if ti else 0,
            consumed=consumed,
        )
        try:
            return once.run(
                lambda generation: f"{operator.name} {task_digest(ti, generation, self._recipients.made_for)}", cleared
            )
        except AirflowFailException as error:
            raise AirflowFailException(f"{error}. {instructions(ti, RESEND_ALL)}" if ti else str(error)) from error

    @cached_property
    def patience(self) -> Patience:
        """
        How long Airflow, and the history database, are waited for.

        :raises InputError: ``max_outage`` is no number of seconds.
        """
        patience = Patience(parse_count("max_outage", self.operator.max_outage, DEFAULT_MAX_OUTAGE))
        patience.ended = self.killed
        return patience

    @cached_property
    def _reservation(self) -> Reservation:
        return Reservation(self.operator, self.context, self.patience)

    @cached_property
    def _store(self) -> Store:
        return PatientStore(task_state.task_state(self.context), self.patience)

    @property
    def stored(self) -> Mapping[str, Any]:
        """
        What the tries of this task know of its campaign by now.

        :raises LedgerError: a record is missing or damaged.
        """
        return CreationRecord(self._store, NOUN).values

    @cached_property
    def _recipients(self) -> CampaignRecipients:
        given = {name: unwrap(getattr(self.operator, name)) for name in ("numbers", "lists", "contacts")}
        operator = self.operator
        options = parse_options(operator.encoding, operator.delimiter)
        values = self.stored
        with skips_when_empty(operator.on_empty, sent=bool(values.get("id") or values.get("intended"))):
            return recipients(operator.hook, **given, region=operator.region, options=options)

    def _prepare(self, name: str, record: CreationRecord) -> Callable[[], dict[str, Any]]:
        """
        Return what creates the campaign under ``name``; its contact lists are made now, if it needs any.

        :raises InputError: it cannot be created as given.
        """
        operator, whom = self.operator, self._recipients
        check_on_cleared(operator.on_cleared)
        check_on_empty(operator.on_empty)
        if operator.wait_for_completion and operator.deferrable:
            # What Airflow could not store must come out before there is a campaign.
            make_trigger(operator, Poller(deadline=0.0))
        overrides = parse_object("overrides", operator.overrides or None)
        repeat = parse_bool(
            "call_duplicate_numbers", overrides.get("call_duplicate_numbers", operator.call_duplicate_numbers)
        )
        campaign = self._campaign(name, whom.lists or ["named below"], overrides)
        send_at = (campaign.body().get("schedule") or {}).get("send_at")
        self._keep_to_window(send_at)
        whom = self._reserve(record, send_at, repeat=repeat)
        many = whom.count_rung(repeat=repeat) > MOST_NUMBERS
        if many:
            campaign = replace(campaign, lists=ContactLists(operator.hook, record, name).make(whom, repeat=repeat))
        elif whom.count:
            campaign = replace(campaign, lists=(), numbers=[*whom.numbers(repeat=repeat)])
        if self.killed():
            raise AirflowException("the task was killed; no campaign was created")
        # Lists cannot be checked any more; the numbers on them were.
        create = partial(operator.hook.create_campaign, campaign, **({"checked": True} if many else {}))

        def create_and_count() -> dict[str, Any]:
            created = create()
            if whom.count:
                count_contacts(operator.hook.conn_type, whom.counts(repeat=repeat))
            return created

        return create_and_count

    def _reserve(self, record: CreationRecord, send_at: str | None, *, repeat: bool) -> CampaignRecipients:
        """
        Return whom the contact history allows to be rung, and note that they are about to be.

        :raises AirflowSkipException: that is nobody.
        """
        at = parse_datetime("send_at", send_at) if send_at else None
        whom = self._reservation.take(self._recipients, record, at, repeat=repeat)
        if not whom.count:
            return whom
        counts = whom.counts(repeat=repeat)
        record.save(counts=counts)
        if not counts["accepted"]:
            count_contacts(self.operator.hook.conn_type, counts)
            raise AirflowSkipException(
                f"Nobody is left to ring: {counts['capped']:,} numbers are over a frequency cap, {counts['invalid']:,} "
                f"on the suppression list. No campaign was created"
            )
        return whom

    def _keep_to_window(self, send_at: str | None) -> None:
        """Defer or skip when calls must not start now, or refuse ``send_at`` when they must not start then."""
        window = window_of(self.operator, self.context, waited=self.waited)
        if window is None:
            return
        now = window.now()
        start = parse_datetime("send_at", send_at) if send_at else now
        if start > now:
            check_send_at(start, window, now)
        elif window.closes_in() <= 0:
            wait_or_skip(self.operator, window)

    def _campaign(self, name: str, lists: Sequence[str], overrides: Mapping[str, Any]) -> CreateCampaign:
        operator = self.operator
        check_name(operator.name)
        check_overrides(overrides)
        return CreateCampaign(
            name=name,
            caller_id=operator.caller_id,
            url=operator.url,
            read_via_text=operator.read_via_text,
            lists=lists,
            call_retries=operator.call_retries,
            send_at=operator.send_at,
            end_at=operator.end_at,
            call_duplicate_numbers=parse_bool("call_duplicate_numbers", operator.call_duplicate_numbers),
            throttle=parse_positive_int("throttle", operator.throttle),
            status_callback=operator.status_callback,
            call_status_callback=operator.call_status_callback,
            call_schedule_callback=operator.call_schedule_callback,
            custom_field=operator.custom_field,
            overrides=overrides,
            region=operator.region or operator.hook.region,
        )


def receipt_of(campaign: Mapping[str, Any], counts: Mapping[str, int] | None) -> dict[str, Any]:
    """
    Return the receipt of a campaign: as the delivering operators', and ``campaign_id``.

    :param campaign: as the vendor describes it; it takes all numbers or none.
    :param counts: numbers by status, None when they are not known (lists that Exotel had already): then the receipt
        has none.
    """
    about = {"vendor": "exotel", "campaign": campaign.get("name"), "campaign_id": campaign["id"]}
    if counts is None:
        return about
    normalised = counts.get("normalised", 0)
    name = str(campaign.get("name"))
    return {**make_receipt("exotel", name, counts, counts["requests"], None, normalised=normalised), **about}
