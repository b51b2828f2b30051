"""Operators for Xebo: survey links, surveys sent by SMS, e-mail or WhatsApp, and responses exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.compat import mask_secret
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.base.exports import write_lines
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator
from airflow_provider_campaigns.parameters import check_country, parse_list
from airflow_provider_campaigns.templating.literals import Check
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import WithHook

if TYPE_CHECKING:
    from datetime import date, datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.hooks.xebo import XeboHook
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind
    from airflow_provider_campaigns.vendors.xebo.send import Medium


class TriggerSurveyOperator(CampaignDeliveryOperator["XeboHook"]):
    """
    Generate a survey link for each contact, or make Xebo send the survey, up to 500 contacts per call.

    Without a ``medium`` nobody is contacted: each contact's link is the ``url`` of its outcome, and the text to deliver
    its ``message``. With one, Xebo sends; ``accepted`` then means that Xebo accepted the contact, not that it was
    reached.

    Row fields: ``extUniqueId``, ``email``, ``mobile`` (6 to 15 digits, optional leading +); every other column goes
    along as the respondent's custom data. ``"email"`` needs ``email``, ``"sms"`` and ``"whatsapp"`` need ``mobile``,
    links need any of the three. Xebo's reply identifies links by ``extUniqueId``: for a row without one the address is
    sent as one.

    .. seealso:: https://developer-api.xebo.ai/?p=3205 (links), https://developer-api.xebo.ai/send-surveys

    :param collector_id: the collector's 24-hex id (templated)
    :param collector_token: ``collectortoken``, copied from the platform; left out of the call when empty (templated)
    :param medium: ``"sms"``, ``"email"`` or ``"whatsapp"``: Xebo sends; default None: links only (templated)
    :param region: country of phone numbers without ``+``, two letters, e.g. ``IN``, to know who is the same person;
        default the connection's ``region`` (templated)
    :param xebo_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.xebo.XeboHook"
    template_fields: Sequence[str] = (
        *CampaignDeliveryOperator.template_fields,
        "collector_id",
        "collector_token",
        "medium",
        "region",
        "xebo_conn_id",
    )

    def __init__(
        self,
        *,
        collector_id: str,
        collector_token: str,
        medium: Medium | None = None,
        region: str | None = None,
        xebo_conn_id: str = "xebo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.collector_id = collector_id
        self.collector_token = collector_token
        self.medium = medium
        self.region = region
        self.xebo_conn_id = xebo_conn_id
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.xebo import checks

        return {
            **super().literal_checks(),
            "collector_id": checks.check_collector_id,
            "collector_token": checks.check_collector_token,
            "medium": checks.check_medium,
            "region": partial(check_country, "region"),
        }

    def make_send(self) -> Send:
        """Return the send of links or of surveys."""
        from airflow_provider_campaigns.identity import known_region
        from airflow_provider_campaigns.vendors.xebo.send import TriggerSurvey

        if self.collector_token:
            mask_secret(self.collector_token)
        region = known_region(self.region) or self.hook.region
        return TriggerSurvey(self.hook.dialect, self.collector_id, self.collector_token, self.medium, region)


class ExportXeboResponsesOperator(WithHook["XeboHook"], TemplatedOperator):
    """
    Write the responses to a survey to a file, one JSON object per line, as Xebo returns them.

    .. seealso:: https://developer-api.xebo.ai/get-responses-json-format

    :param survey_id: UUID of the survey (templated)
    :param since: first day, a date or ISO text; hours are ignored, and Xebo does not document its time zone.
        Default: from the first response on (templated)
    :param until: last day, likewise; default tomorrow. Needs ``since`` (templated)
    :param output_path: path or URL of a .jsonl file; replaced as a whole if it exists (templated)
    :param collector_ids: UUIDs of collectors, not the ``collector_id`` of ``TriggerSurveyOperator``; default all
        (templated)
    :param response_status: 0 partial, 1 complete, 2 disqualified; default ``(1,)`` (templated)
    :param xebo_conn_id: id of the Airflow connection (templated)
    :return: ``{"path", "count"}``, and ``"kept": True`` if a file with rows was not replaced by an empty result.
    :raises InputError: bad input; nothing was requested.
    :raises VendorError: the vendor refused, or could not be reached; an earlier file is not changed.
    """

    hook_class = "airflow_provider_campaigns.hooks.xebo.XeboHook"
    template_fields: Sequence[str] = (
        "survey_id",
        "since",
        "until",
        "output_path",
        "collector_ids",
        "response_status",
        "xebo_conn_id",
    )
    ui_color = "#e8f1fb"

    def __init__(
        self,
        *,
        survey_id: str,
        output_path: str,
        since: date | str | None = None,
        until: date | str | None = None,
        collector_ids: Sequence[str] | str | None = None,
        response_status: Sequence[int] | str = (1,),
        xebo_conn_id: str = "xebo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.survey_id = survey_id
        self.output_path = output_path
        self.since = since
        self.until = until
        self.collector_ids = collector_ids
        self.response_status = response_status
        self.xebo_conn_id = xebo_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Export the responses."""
        statuses = parse_list("response_status", self.response_status)
        responses = self.hook.responses(
            self.survey_id,
            collector_ids=parse_list("collector_ids", self.collector_ids) if self.collector_ids else None,
            since=self.since,
            until=self.until,
            # A template renders to text.
            response_status=[int(status) if str(status).isdecimal() else status for status in statuses],
        )
        return write_lines(responses, self.output_path)


class XeboResultsOperator(CampaignResultsOperator["XeboHook"]):
    """
    Write what became of each contact: ``completed``, ``responded`` (in part, or disqualified) or ``pending``.

    A response belongs to the contact whose ``extUniqueId``, ``email`` or ``mobile`` it has. Xebo does not document the
    time zone of ``since``.

    .. seealso:: https://developer-api.xebo.ai/get-responses-json-format

    :param survey_id: UUID of the survey (templated)
    :param collector_ids: only the responses to these collectors: their UUIDs, not the 24-hex id that sends; default all
        (templated)
    :param region: country of numbers without ``+``, two letters, e.g. ``IN``; default the connection's (templated)
    :param xebo_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.xebo.XeboHook"
    template_fields: Sequence[str] = (
        *CampaignResultsOperator.template_fields,
        "survey_id",
        "collector_ids",
        "region",
        "xebo_conn_id",
    )
    kinds: ClassVar[tuple[NameKind, ...]] = ("id", "email", "phone")

    def __init__(
        self,
        *,
        survey_id: str,
        collector_ids: Sequence[str] | str | None = None,
        region: str | None = None,
        xebo_conn_id: str = "xebo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.survey_id = survey_id
        self.collector_ids = collector_ids
        self.region = region
        self.xebo_conn_id = xebo_conn_id

    def campaign_of(self, receipt: Mapping[str, Any]) -> str:
        """Return the survey: responses do not name the collector as a receipt does."""
        return self.survey_id

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """Yield the responses to the survey, whatever their status."""
        from airflow_provider_campaigns.vendors.xebo.results import ALL_STATUSES

        return self.hook.responses(
            campaign,
            collector_ids=parse_list("collector_ids", self.collector_ids) if self.collector_ids else None,
            since=since,
            response_status=ALL_STATUSES,
        )

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what a response says of its contact."""
        from airflow_provider_campaigns.vendors.xebo.results import read_response

        return read_response(item)
