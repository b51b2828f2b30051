"""Operators for Ozonetel CloudAgent: leads into dialler campaigns, campaigns started and stopped, calls exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.base.exports import write_lines
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator
from airflow_provider_campaigns.parameters import check_country, parse_bool, parse_date
from airflow_provider_campaigns.templating.literals import Check
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import WithHook

if TYPE_CHECKING:
    from datetime import date

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.ozonetel import OzonetelHook
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind


class AddCampaignLeadOperator(CampaignDeliveryOperator["OzonetelHook"]):
    """
    Add leads to an outbound campaign, one per call, or up to 500 per call with ``bulk``.

    Row fields: ``phoneNumber`` (3 to 16 digits, optional leading +), and optionally ``Name``, ``skill``, ``priority``,
    ``agentId``, ``expiryDate``. Nothing is dialled by default: ``action="START"`` starts the campaign.

    The action is carried out once: with the first lead that is added. A campaign that somebody stops meanwhile stays
    stopped, and the receipt has a ``warning``; one that has dialled all leads before the last ones came is started once
    more at the end. This takes up to two more requests (campaign status).

    .. seealso:: https://docs.ozonetel.com/reference/post_ca-apis-addcampaigndata

    :param campaign_name: name of an outbound campaign (templated)
    :param action: ``"START"`` also starts the campaign, ``"STOP"`` also stops it, once; default None: neither
        (templated)
    :param check_duplicate: do not add a number that the campaign already has; default True. False makes the calls
        unsafe to resend: leads without a reply end as ``unknown``.
    :param skill: skill of rows without one, for skillwise campaigns (templated)
    :param priority: priority of rows without one, 1 to 99; the higher, the sooner dialled (templated)
    :param agent_id: agent of rows without one, for agentwise campaigns (templated)
    :param expiry_date: last day the number is valid, a date or ``YYYY-MM-DD``, for rows without one (templated)
    :param region: country of phone numbers without ``+``, two letters, e.g. ``IN``, to know who is the same person;
        default the connection's ``region`` (templated)
    :param bulk: use the bulk call (V4): 500 leads per request, queued by the vendor, so ``accepted`` is not yet added.
    :param ozonetel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.ozonetel.OzonetelHook"
    template_fields: Sequence[str] = (
        *CampaignDeliveryOperator.template_fields,
        "campaign_name",
        "action",
        "skill",
        "priority",
        "agent_id",
        "expiry_date",
        "region",
        "ozonetel_conn_id",
    )

    def __init__(
        self,
        *,
        campaign_name: str,
        action: str | None = None,
        check_duplicate: bool = True,
        skill: str | None = None,
        priority: int | str | None = None,
        agent_id: str | None = None,
        expiry_date: str | date | None = None,
        region: str | None = None,
        bulk: bool = False,
        ozonetel_conn_id: str = "ozonetel_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_name = campaign_name
        self.action = action
        self.check_duplicate = check_duplicate
        self.skill = skill
        self.priority = priority
        self.agent_id = agent_id
        self.expiry_date = expiry_date
        self.region = region
        self.bulk = bulk
        self.ozonetel_conn_id = ozonetel_conn_id
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.ozonetel import checks

        return {
            **super().literal_checks(),
            "campaign_name": checks.check_campaign_name,
            "action": checks.check_lead_action,
            "check_duplicate": partial(parse_bool, "check_duplicate"),
            "priority": checks.check_priority,
            "expiry_date": checks.check_expiry_date,
            "region": partial(check_country, "region"),
            "bulk": partial(parse_bool, "bulk"),
        }

    def make_send(self) -> Send:
        """Return the send of single leads or of bulk rows."""
        from airflow_provider_campaigns.identity import known_region
        from airflow_provider_campaigns.vendors.ozonetel.send import AddCampaignBulkData, AddCampaignLead

        self.hook.check_action(self.action)
        return (AddCampaignBulkData if parse_bool("bulk", self.bulk) else AddCampaignLead)(
            self.hook.dialect,
            self.campaign_name,
            action=self.action,
            check_duplicate=parse_bool("check_duplicate", self.check_duplicate),
            skill=self.skill,
            priority=self.priority,
            agent_id=self.agent_id,
            expiry_date=self.expiry_date,
            region=known_region(self.region) or self.hook.region,
        )


class _OzonetelOperator(WithHook["OzonetelHook"], TemplatedOperator):
    """Base of the operators that deliver nothing."""

    hook_class = "airflow_provider_campaigns.hooks.ozonetel.OzonetelHook"
    ui_color = "#e8f1fb"

    def __init__(self, *, ozonetel_conn_id: str = "ozonetel_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ozonetel_conn_id = ozonetel_conn_id


class SetOzonetelCampaignStatusOperator(_OzonetelOperator):
    """
    Start or stop a campaign; starting makes it dial its leads.

    .. seealso:: https://docs.ozonetel.com/reference/put_ca-apis-setcampaignstatus

    :param campaign_name: name of the campaign (templated)
    :param action: ``"Start"`` or ``"Stop"``, in any case (templated)
    :param ozonetel_conn_id: id of the Airflow connection (templated)
    :return: the vendor's message.
    :raises InputError: another action; or a start, and the connection has ``only_recipients``.
    :raises VendorError: the vendor refused, or could not be reached.
    """

    template_fields: Sequence[str] = ("campaign_name", "action", "ozonetel_conn_id")

    def __init__(self, *, campaign_name: str, action: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_name = campaign_name
        self.action = action
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.ozonetel import checks

        return {"action": checks.check_status_action}

    def execute(self, context: Context) -> str:
        """Set the campaign's status."""
        return self.hook.set_campaign_status(self.campaign_name, self.action)


class ExportOzonetelCallDetailsOperator(_OzonetelOperator):
    """
    Write the calls of a campaign on one day to a file, one JSON object per line, as Ozonetel returns them.

    Pages of 500 calls are read every half a minute: the limit is two a minute for all tasks of the account, so use a
    pool of one slot. A day's last calls are available from 03:00 Indian time of the next day.

    .. seealso:: https://docs.ozonetel.com/reference/get_ca-reports-fetchcdrbypagination

    :param campaign_name: name of the campaign; None: the calls of all campaigns (templated)
    :param day: a date or ``YYYY-MM-DD`` in Indian time, at most 15 days back (templated)
    :param output_path: path or URL of a .jsonl file; replaced as a whole if it exists (templated)
    :param ozonetel_conn_id: id of the Airflow connection (templated)
    :return: ``{"path", "count"}``, and ``"kept": True`` if a file with rows was not replaced by an empty result.
    :raises InputError: no day, one too long ago, or in the future; nothing was requested.
    :raises VendorError: the vendor refused, or could not be reached; an earlier file is not changed.
    """

    template_fields: Sequence[str] = ("campaign_name", "day", "output_path", "ozonetel_conn_id")

    def __init__(self, *, campaign_name: str | None, day: date | str, output_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_name = campaign_name
        self.day = day
        self.output_path = output_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the calls."""
        calls = self.hook.call_records(parse_date("day", self.day), self.campaign_name or None)
        return write_lines(calls, self.output_path)


class OzonetelResultsOperator(CampaignResultsOperator["OzonetelHook"]):
    """
    Write what became of each lead: ``answered``, ``no_answer``, ``busy``, ``failed`` or ``pending`` (not dialled).

    The latest call of a number by the campaign counts. Call records are read day by day, 500 at a time, twice a minute
    for all tasks of the account: use a pool of one slot. Ozonetel keeps them for 15 days.

    .. seealso:: https://docs.ozonetel.com/reference/get_ca-reports-fetchcdrbypagination

    :param region: country of numbers without ``+``, two letters, e.g. ``IN``; default the connection's (templated)
    :param ozonetel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.ozonetel.OzonetelHook"
    template_fields: Sequence[str] = (*CampaignResultsOperator.template_fields, "region", "ozonetel_conn_id")
    kinds: ClassVar[tuple[NameKind, ...]] = ("phone",)
    # Of Indian days, as the vendor's are: +05:30.
    zone = timezone(timedelta(hours=5, minutes=30))

    def __init__(self, *, region: str | None = None, ozonetel_conn_id: str = "ozonetel_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.ozonetel_conn_id = ozonetel_conn_id

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """Yield the calls of a campaign, of each day since the delivery that the vendor still has."""
        for day in self._days(since):
            yield from self.hook.call_records(day, campaign)

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what a call record says of the number that was dialled."""
        from airflow_provider_campaigns.vendors.ozonetel.results import read_call

        return read_call(item)

    def _today(self) -> date:
        return datetime.now(self.zone).date()

    def _days(self, since: datetime | None) -> Iterator[date]:
        from airflow_provider_campaigns.vendors.ozonetel.dialect import CALL_RECORD_DAYS, check_call_day

        today = self._today()
        first = since.astimezone(self.zone).date() if since else today - timedelta(days=CALL_RECORD_DAYS)
        if self.since:
            check_call_day(first)
        day = max(first, today - timedelta(days=CALL_RECORD_DAYS))
        while day <= today:
            yield day
            day += timedelta(days=1)
