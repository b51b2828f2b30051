"""Operators for Collect: requests sent to contacts, changes to a request, and what became of the requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_campaigns.exceptions import OutcomeUnknownError
from airflow_provider_campaigns.links.collect import CollectPortalLink
from airflow_provider_campaigns.operators.base.delivery_operator import CampaignDeliveryOperator
from airflow_provider_campaigns.operators.base.results import CampaignResultsOperator
from airflow_provider_campaigns.parameters import parse_bool, parse_list
from airflow_provider_campaigns.templating.hidden_field import HiddenField, unwrap
from airflow_provider_campaigns.templating.literals import Check
from airflow_provider_campaigns.templating.operator import TemplatedOperator
from airflow_provider_campaigns.vendor_hook import WithHook

if TYPE_CHECKING:
    from datetime import date, datetime

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_campaigns.delivery.record.outcomes import Outcomes
    from airflow_provider_campaigns.delivery.record.receipt import Receipt
    from airflow_provider_campaigns.hooks.collect import CollectHook
    from airflow_provider_campaigns.protocol.send import Send
    from airflow_provider_campaigns.vendors.common.results import ContactResult, NameKind


class SendCollectRequestOperator(CampaignDeliveryOperator["CollectHook"]):
    """
    Send a request for documents or forms to each contact, up to 50 per call.

    Row fields: ``email`` (required), ``firstName``, ``lastName``, ``company``, ``data`` (an object); other columns go
    into the contact's ``data``. A row with only ``contact`` (also ``contactId``, ``_id``) is the id of a contact that
    Collect already has. The URL of each contact's portal is the ``url`` of its outcome, the request's id its
    ``vendor_id``. A task with one contact links to its portal.

    .. seealso:: https://developers.usecollect.com/operation/operation-send-multiple-requests

    :param campaign_id: id of the campaign (templated)
    :param items: ids of the elements to ask for; default: all of the campaign (templated)
    :param data: custom data of the requests; contacts are then sent one per call. Shown as it is in the Rendered
        Templates view, so no place for personal data (templated)
    :param samples: samples of document elements, each ``{"itemId": …, "url": …}``; only one together with ``data`` or
        ``created_by`` (templated)
    :param due_date: a date, a datetime with a time zone, or ISO 8601 text (templated)
    :param created_by: id of the user who sends; contacts are then sent one per call (templated)
    :param assigned_to: id or e-mail address of the team member the requests are assigned to (templated)
    :param send_message: False: make the requests, but do not send the campaign's messages; default True.
    :param send_completion_message: whether a request that becomes completed sends the campaign's message; default: as
        the campaign says. Contacts are then sent one per call, likewise with the next four.
    :param send_rejection_message: likewise for going back to pending with a rejected element.
    :param send_reopen_message: likewise for being opened again.
    :param esign_docs: the vendor's ``esignDocs``, an object or a list (templated)
    :param esign_triggers: the vendor's ``esignTriggers``, an object or a list (templated)
    :param overrides: any other fields of the call, by the vendor's names, for what the vendor adds (templated)
    :param collect_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.collect.CollectHook"
    operator_extra_links = (*CampaignDeliveryOperator.operator_extra_links, CollectPortalLink())
    template_fields: Sequence[str] = (
        *CampaignDeliveryOperator.template_fields,
        "campaign_id",
        "items",
        "data",
        "samples",
        "due_date",
        "created_by",
        "assigned_to",
        "esign_docs",
        "esign_triggers",
        "overrides",
        "collect_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CampaignDeliveryOperator.template_fields_renderers,
        "items": "json",
        "data": "json",
        "samples": "json",
        "esign_docs": "json",
        "esign_triggers": "json",
        "overrides": "json",
    }

    assigned_to = HiddenField("team members")

    def __init__(
        self,
        *,
        campaign_id: str,
        items: Sequence[str] | None = None,
        data: Mapping[str, Any] | None = None,
        samples: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        due_date: date | str | None = None,
        created_by: str | None = None,
        assigned_to: str | None = None,
        send_message: bool = True,
        send_completion_message: bool | None = None,
        send_rejection_message: bool | None = None,
        send_reopen_message: bool | None = None,
        esign_docs: Mapping[str, Any] | Sequence[Any] | None = None,
        esign_triggers: Mapping[str, Any] | Sequence[Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        collect_conn_id: str = "collect_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.campaign_id = campaign_id
        self.items = items
        self.data = data
        self.samples = samples
        self.due_date = due_date
        self.created_by = created_by
        self.assigned_to = assigned_to
        self.send_message = send_message
        self.send_completion_message = send_completion_message
        self.send_rejection_message = send_rejection_message
        self.send_reopen_message = send_reopen_message
        self.esign_docs = esign_docs
        self.esign_triggers = esign_triggers
        self.overrides = overrides
        self.collect_conn_id = collect_conn_id
        self.check_literals()

    def literal_checks(self) -> Mapping[str, Check]:
        """Return what checks parameters that need no connection, by their names."""
        from airflow_provider_campaigns.vendors.collect import checks
        from airflow_provider_campaigns.vendors.collect.changes import due_text

        flags = ("send_completion_message", "send_rejection_message", "send_reopen_message")
        return {
            **super().literal_checks(),
            **{name: partial(_flag, name) for name in flags},
            "campaign_id": checks.check_campaign_id,
            "data": checks.check_data,
            "samples": checks.samples_in,
            "due_date": due_text,
            "send_message": partial(parse_bool, "send_message"),
            "esign_docs": partial(checks.check_object_or_list, "esign_docs"),
            "esign_triggers": partial(checks.check_object_or_list, "esign_triggers"),
            "overrides": checks.check_overrides,
        }

    def make_send(self) -> Send:
        """Return the send of requests."""
        from airflow_provider_campaigns.vendors.collect.send import SendCollectRequest

        return SendCollectRequest(
            self.hook.dialect,
            self.campaign_id,
            items=None if self.items is None else parse_list("items", self.items),
            data=self.data,
            samples=self.samples,
            due_date=self.due_date,
            created_by=self.created_by,
            assigned_to=unwrap(self.assigned_to),
            send_message=parse_bool("send_message", self.send_message),
            send_completion_message=_flag("send_completion_message", self.send_completion_message),
            send_rejection_message=_flag("send_rejection_message", self.send_rejection_message),
            send_reopen_message=_flag("send_reopen_message", self.send_reopen_message),
            esign_docs=self.esign_docs,
            esign_triggers=self.esign_triggers,
            overrides=self.overrides,
        )

    def store_links(self, receipt: Receipt, outcomes: Outcomes, context: Context) -> None:
        """Link to the portal, if there is one only."""
        if receipt["contacts"] == 1:
            for outcome in outcomes.read():
                CollectPortalLink.store(context, outcome["url"])


class UpdateCollectRequestOperator(WithHook["CollectHook"], TemplatedOperator):
    """
    Modify a request; parameters that are not given change nothing.

    A change of ``status`` may send the contact a message. If it is unknown whether it was carried out (a time-out, a
    cut reply), the task fails without a retry, which could send that message twice; other changes are repeated by the
    task's retries. A retry after the worker died always repeats the change.

    .. seealso:: https://developers.usecollect.com/operation/operation-modify-a-request

    :param request_id: id of the request: ``vendor_id`` of an outcome (templated)
    :param status: ``pending``, ``completed``, ``waiting``, ``canceled``, ``archived``, or a custom status
        of the account (templated)
    :param due_date: a date, a datetime with a time zone, or ISO 8601 text (templated)
    :param data: custom data of the request. Shown as it is in the Rendered Templates view (templated)
    :param assigned_to: id or e-mail address of a team member; ``"unset"`` removes the assignment (templated)
    :param send_completion_message: whether becoming completed sends the message; default: as the campaign says.
    :param send_rejection_message: likewise for going back to pending with a rejected element.
    :param send_reopen_message: likewise for being opened again.
    :param collect_conn_id: id of the Airflow connection (templated)
    :return: ``{"request_id", "status", "due_date"}`` as the vendor gives them.
    :raises InputError: nothing to change, or a due date without a time zone.
    :raises AirflowFailException: it is unknown whether the status was changed.
    :raises VendorError: the vendor refused, or could not be reached.
    """

    hook_class = "airflow_provider_campaigns.hooks.collect.CollectHook"
    operator_extra_links = (CollectPortalLink(),)
    template_fields: Sequence[str] = ("request_id", "status", "due_date", "data", "assigned_to", "collect_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"data": "json"}
    ui_color = "#e8f1fb"

    assigned_to = HiddenField("team members")

    def __init__(
        self,
        *,
        request_id: str,
        status: str | None = None,
        due_date: date | str | None = None,
        data: Mapping[str, Any] | None = None,
        assigned_to: str | None = None,
        send_completion_message: bool | None = None,
        send_rejection_message: bool | None = None,
        send_reopen_message: bool | None = None,
        collect_conn_id: str = "collect_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.status = status
        self.due_date = due_date
        self.data = data
        self.assigned_to = assigned_to
        self.send_completion_message = send_completion_message
        self.send_rejection_message = send_rejection_message
        self.send_reopen_message = send_reopen_message
        self.collect_conn_id = collect_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Modify the request."""
        try:
            request = self.hook.update_request(
                self.request_id,
                status=self.status,
                due_date=self.due_date,
                data=self.data,
                assigned_to=unwrap(self.assigned_to),
                send_completion_message=self.send_completion_message,
                send_rejection_message=self.send_rejection_message,
                send_reopen_message=self.send_reopen_message,
            )
        except OutcomeUnknownError as error:
            if self.status is None:
                raise
            raise AirflowFailException(
                f"{error}. Request {self.request_id} may have become {self.status}, and its contact may have got a "
                f"message; check it in Collect, and clear this task if it has to be changed again"
            ) from error
        CollectPortalLink.store(context, request.get("portalUrl"))
        # Not the whole request: it names the contact.
        return {"request_id": self.request_id, "status": request.get("status"), "due_date": request.get("dueDate")}


class CollectResultsOperator(CampaignResultsOperator["CollectHook"]):
    """
    Write what became of each request: ``completed``, ``responded`` (handed in, to be checked), ``failed`` (sending
    failed, cancelled or archived) or ``pending``.

    The campaign's requests are listed, 100 at a time. An accepted contact's request is known by its id; for a contact
    whose outcome is unknown, a request to its address that was created since the delivery began is taken as its own.
    Collect does not report when a request was completed.

    .. seealso:: https://developers.usecollect.com/operation/operation-list-all-the-requests-of-a-campaign

    :param collect_conn_id: id of the Airflow connection (templated)
    """

    hook_class = "airflow_provider_campaigns.hooks.collect.CollectHook"
    template_fields: Sequence[str] = (*CampaignResultsOperator.template_fields, "collect_conn_id")
    kinds: ClassVar[tuple[NameKind, ...]] = ("vendor_id", "email", "id")

    def __init__(self, *, collect_conn_id: str = "collect_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.collect_conn_id = collect_conn_id

    def items(self, campaign: str, since: datetime | None) -> Iterator[Any]:
        """Yield the campaign's requests, and those that its list leaves out by itself."""
        from airflow_provider_campaigns.vendors.collect.results import HIDDEN

        for status in (None, *HIDDEN):
            yield from self.hook.list_requests(campaign, status=status)

    def read(self, item: Mapping[str, Any], since: datetime | None) -> ContactResult:
        """Return what a request says of its contact."""
        from airflow_provider_campaigns.vendors.collect.results import read_request

        return read_request(item, since)


def _flag(name: str, value: bool | str | None) -> bool | None:
    return None if value is None else parse_bool(name, value)
