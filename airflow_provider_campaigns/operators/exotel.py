"""Operators for Exotel: voice campaigns created, listed, updated, and their calls exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_campaigns.exceptions import OutcomeUnknownError, RequestRejectedError
from airflow_provider_campaigns.operators._exotel.create import CreateExotelCampaignOperator
from airflow_provider_campaigns.operators.base.exports import write_lines
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator, short
from airflow_provider_campaigns.parameters import parse_positive_int
from airflow_provider_campaigns.templating.literals import Check
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import WithHook

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.exotel import ExotelHook
    from airflow_provider_campaigns.operators.base.result_join import ResultJoin
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind, Result

__all__ = [
    "CreateExotelCampaignOperator",
    "ExotelResultsOperator",
    "ExportExotelCallDetailsOperator",
    "ListExotelCampaignsOperator",
    "UpdateExotelCampaignOperator",
]

Action = Literal["pause", "resume", "complete", "archive"]

# "Update campaign", in one spelling: the statuses of a campaign that can be paused, and those an action leads to.
RUNNING = {"created", "inprogress"}
LEADS_TO = {
    "pause": {"paused"},
    "resume": RUNNING,
    "complete": {"completed", "archived"},
    "archive": {"archived"},
}


class _ExotelOperator(WithHook["ExotelHook"], TemplatedOperator):
    """Base of the operators that make one call."""

    hook_class = "airflow_provider_campaigns.hooks.exotel.ExotelHook"
    ui_color = "#e8f1fb"

    def __init__(self, *, exotel_conn_id: str = "exotel_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.exotel_conn_id = exotel_conn_id


class ListExotelCampaignsOperator(_ExotelOperator):
    """
    List campaigns, oldest first unless ``sort_by`` says otherwise.

    .. seealso:: developer.exotel.com/api, "bulk campaign details"

    :param status: one status or a list of them, sent as it is, e.g. ``"Created,Completed"``; whether the case matters
        is not documented; default all (templated)
    :param name: search by name; whether whole or in part is not documented (templated)
    :param sort_by: ``date_created:asc``, ``date_created:desc``, ``name:asc`` or ``name:desc`` (templated)
    :param limit: campaigns in all; default every one (templated)
    :param output_path: path or URL of a .jsonl file that gets the campaigns, their numbers included; replaced as a
        whole if it exists, but not by an empty list if it has rows (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    :return: a list of campaigns, each with a count in place of its numbers (``from``); with ``output_path``:
        ``{"path", "count"}``, and ``"kept": True`` when the file that was there is kept.
    """

    template_fields: Sequence[str] = ("status", "name", "sort_by", "limit", "output_path", "exotel_conn_id")

    def __init__(
        self,
        *,
        status: str | Sequence[str] | None = None,
        name: str | None = None,
        sort_by: str | None = None,
        limit: int | str | None = None,
        output_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.status = status
        self.name = name
        self.sort_by = sort_by
        self.limit = limit
        self.output_path = output_path

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any]:
        """List the campaigns."""
        campaigns = self.hook.list_campaigns(
            self.status, self.name, self.sort_by, parse_positive_int("limit", self.limit)
        )
        if self.output_path:
            return write_lines(campaigns, self.output_path)
        from airflow_provider_campaigns.vendors.exotel.status import with_count

        return [with_count(campaign) for campaign in campaigns]


class UpdateExotelCampaignOperator(_ExotelOperator):
    """
    Pause, resume, complete or archive a campaign; succeeds also when it is in the action's status already.

    ``complete`` ends a campaign for good: its remaining calls count as failed. Exotel completes paused campaigns only,
    so one that is running is paused first; a retry after a crash between the two completes it. ``archive`` needs a
    completed campaign.

    .. seealso:: https://developer.exotel.com/api/update-campaign

    :param campaign_id: id of the campaign (templated)
    :param action: ``"pause"``, ``"resume"``, ``"complete"`` or ``"archive"`` (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    :return: the campaign as the reply shows it, with a count in place of its numbers.
    :raises InputError: another action.
    :raises VendorError: the vendor refused, or could not be reached.
    """

    template_fields: Sequence[str] = ("campaign_id", "action", "exotel_conn_id")

    def __init__(self, *, campaign_id: str, action: Action, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.action = action
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.exotel import checks

        return {"action": checks.check_action}

    def execute(self, context: Context) -> dict[str, Any]:
        """Update the campaign."""
        from airflow_provider_campaigns.vendors.exotel.status import with_count

        if self.action == "complete" and _status(self.hook.get_campaign(self.campaign_id)) in RUNNING:
            # It may come to its end by itself meanwhile.
            self._act("pause", LEADS_TO["pause"] | LEADS_TO["complete"])
        return with_count(self._act(self.action, LEADS_TO.get(self.action, set())))

    def _act(self, action: str, wanted: set[str]) -> dict[str, Any]:
        """Do one action, unless the campaign is as ``wanted`` already."""
        try:
            return self.hook.update_campaign(self.campaign_id, action)
        except (RequestRejectedError, OutcomeUnknownError) as error:
            campaign = self.hook.get_campaign(self.campaign_id)
            if _status(campaign) not in wanted:
                raise
            self.log.info("The campaign is %s already (%s)", campaign["status"], error)
            return campaign


class ExportExotelCallDetailsOperator(_ExotelOperator):
    """
    Write the calls of a campaign to a file: number, status, duration, times, one JSON object per line.

    .. seealso:: https://developer.exotel.com/api/call-details-of-a-single-campaign

    :param campaign_id: id of the campaign (templated)
    :param output_path: path or URL of a .jsonl file; replaced as a whole if it exists, but not by an empty list if it
        has rows (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    :return: ``{"path", "count"}``, and ``"kept": True`` when the file that was there is kept.
    """

    template_fields: Sequence[str] = ("campaign_id", "output_path", "exotel_conn_id")

    def __init__(self, *, campaign_id: str, output_path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.output_path = output_path

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the calls."""
        return write_lines(self.hook.call_details(self.campaign_id), self.output_path)


class ExotelResultsOperator(CampaignResultsOperator["ExotelHook"]):
    """
    Write what became of each number of a campaign: ``answered``, ``no_answer``, ``busy``, ``failed`` or ``pending``.

    The latest call of a number counts. A number that was not called when the campaign ended is ``failed``, as Exotel
    counts it. Rows are the campaign's numbers in their order, without repeats; for a campaign with contact lists, whose
    numbers the campaign does not show, those that were called, in the order of their first calls.

    .. seealso:: https://developer.exotel.com/api/call-details-of-a-single-campaign

    :param receipt: what ``CreateExotelCampaignOperator`` returned (``call.output``), or the ``extra`` of its outlet
        asset's event (templated)
    :param region: country of numbers without ``+``, two letters, e.g. ``IN``; default the connection's (templated)
    :param exotel_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.exotel.ExotelHook"
    template_fields: Sequence[str] = (*CampaignResultsOperator.template_fields, "region", "exotel_conn_id")
    kinds: ClassVar[tuple[NameKind, ...]] = ("phone",)
    campaign_fields = ("campaign_id", "id")

    def __init__(self, *, region: str | None = None, exotel_conn_id: str = "exotel_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.exotel_conn_id = exotel_conn_id

    def add_contacts(self, join: ResultJoin, campaign: str, receipt: Mapping[str, Any]) -> None:
        """Add the numbers of a campaign, or of one for contact lists those that it rang."""
        from airflow_provider_campaigns.operators.base.result_join import Contacted
        from airflow_provider_campaigns.vendors.exotel.results import is_over, numbers_of

        found = self.hook.get_campaign(campaign)
        otherwise: Result = "failed" if is_over(found) else "pending"
        numbers = enumerate(numbers_of(found), 1)
        contacts = [Contacted(row, number, "accepted", otherwise=otherwise) for row, number in numbers]
        if contacts:
            join.add_contacts(campaign, short(campaign), contacts)
        else:
            join.add_contacts_with_results(campaign, short(campaign))

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """Yield the calls of a campaign."""
        return self.hook.call_details(campaign)

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what a call says of the number that it rang."""
        from airflow_provider_campaigns.vendors.exotel.results import read_call

        return read_call(item)


def _status(campaign: Mapping[str, Any]) -> str:
    from airflow_provider_campaigns.vendors.exotel.status import normalise

    return normalise(str(campaign.get("status")))
