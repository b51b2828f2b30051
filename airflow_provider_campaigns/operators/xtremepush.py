"""Operators for Xtremepush: API-triggered campaigns, executed for a list of users, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator
from airflow_provider_campaigns.parameters import parse_datetime
from airflow_provider_campaigns.templating.literals import Check

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_campaigns.hooks.xtremepush import XtremepushHook
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind


class ExecuteXtremepushCampaignOperator(CampaignDeliveryOperator["XtremepushHook"]):
    """
    Execute an API-triggered campaign for each contact, up to 1,000 per call.

    Row fields: the column that ``target_by`` names; every other column is a template variable of that contact.
    ``accepted`` means what the vendor says of a success: all validations have passed. It does not mean delivered, and
    contacts are not reported one by one: a call is accepted or refused as a whole.

    .. seealso:: https://docs.xtremepush.com/reference/campaign-execute

    :param campaign_id: id of the campaign, which must be live (templated)
    :param target_by: what the targets are, and the column that holds them: ``user_id`` (default), ``external_id``,
        ``email``, ``token`` (push token) or ``id`` (device id). Always sent (templated)
    :param template_params: template variables, the same for everybody (templated)
    :param send_at: when to send, a datetime with a time zone or ISO text with an offset, to the minute; refused when
        it is in the past or outside ``send_window``. Default: now (templated)
    :param overrides: further fields of the campaign model, e.g. ``messages``, ``payload_add``, ``retry_for``
        (templated)
    :param xtremepush_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.xtremepush.XtremepushHook"
    template_fields: Sequence[str] = (
        *CampaignDeliveryOperator.template_fields,
        "campaign_id",
        "target_by",
        "template_params",
        "send_at",
        "overrides",
        "xtremepush_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CampaignDeliveryOperator.template_fields_renderers,
        "template_params": "json",
        "overrides": "json",
    }

    def __init__(
        self,
        *,
        campaign_id: str | int,
        target_by: str = "user_id",
        template_params: Mapping[str, Any] | None = None,
        send_at: datetime | str | None = None,
        overrides: Mapping[str, Any] | None = None,
        xtremepush_conn_id: str = "xtremepush_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.target_by = target_by
        self.template_params = template_params
        self.send_at = send_at
        self.overrides = overrides
        self.xtremepush_conn_id = xtremepush_conn_id
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.xtremepush import checks

        return {
            **super().literal_checks(),
            "campaign_id": checks.check_campaign_id,
            "target_by": checks.check_target_by,
            "template_params": checks.check_template_params,
            "send_at": checks.check_send_at,
            "overrides": checks.check_overrides,
        }

    def make_send(self) -> Send:
        """Return the send of executions."""
        from airflow_provider_campaigns.vendors.xtremepush.send import ExecuteCampaign

        return ExecuteCampaign(
            self.hook.dialect,
            self.campaign_id,
            target_by=self.target_by,
            template_params=self.template_params,
            send_at=self.send_at,
            overrides=self.overrides,
        )

    def sends_at(self) -> datetime | None:
        """Return ``send_at``."""
        return parse_datetime("send_at", self.send_at) if self.send_at else None


class XtremepushResultsOperator(CampaignResultsOperator["XtremepushHook"]):
    """
    Write what became of each contact: ``delivered`` (sent without an error), ``opened``, ``failed``, ``bounced``,
    ``opted_out`` or ``pending``.

    The list has a row per device, and names it by ``device_id``; whether it also names users as ``user_id``,
    ``external_id``, ``email`` or ``token`` is not documented. A contact whose target is in none of these fields stays
    ``pending``. Of several devices of a contact, one that was reached counts.

    .. seealso:: https://docs.xtremepush.com/reference/push-list-device

    :param xtremepush_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.xtremepush.XtremepushHook"
    template_fields: Sequence[str] = (*CampaignResultsOperator.template_fields, "xtremepush_conn_id")
    kinds: ClassVar[tuple[NameKind, ...]] = ("id", "email")

    def __init__(self, *, xtremepush_conn_id: str = "xtremepush_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.xtremepush_conn_id = xtremepush_conn_id

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """Yield what became of a campaign's messages."""
        return self.hook.push_devices(campaign)

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what a row says of whom the message was for."""
        from airflow_provider_campaigns.vendors.xtremepush.results import read_push

        return read_push(item)
