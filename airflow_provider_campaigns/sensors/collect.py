"""Sensor for Collect's requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import only_one, parse_list
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.receipts import read_receipts, request_ids_in

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.collect import CollectHook


class CollectRequestSensor(CampaignSensor["CollectHook"]):
    """
    Wait until requests are completed.

    Fails as soon as one ends as ``error`` (sending failed), ``cancelled`` or ``archived``. A request past its due date
    (``due``) can still be completed and is waited for, as is one in a custom status of the account.

    With a receipt each poll reads the campaign's list, 100 requests at a time, as long as that takes fewer calls than
    one per request. Otherwise it makes one call per request: for hundreds set a ``poke_interval`` of some minutes.

    .. seealso:: https://developers.usecollect.com/operation/operation-get-a-specific-request

    :param receipt: what ``SendCollectRequestOperator`` returned (``send.output``): waits for the requests of all
        accepted contacts, and skips the task if there are none; this, ``request_id`` or ``request_ids`` (templated)
    :param request_id: id of one request (templated)
    :param request_ids: ids of requests: ``request_ids`` of a receipt, or ``vendor_id`` of outcomes (templated)
    :param collect_conn_id: id of the Airflow connection (templated)
    :return: ``{"status": …, "counts": {status: requests}, "requests": {id: status}}``, the latter for the first 100.
    """

    hook_class = "airflow_provider_campaigns.hooks.collect.CollectHook"
    poll_method = "poll_requests"
    template_fields: Sequence[str] = ("receipt", "request_id", "request_ids", "collect_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json", "request_ids": "json"}

    def __init__(
        self,
        *,
        receipt: Any = None,
        request_id: str | None = None,
        request_ids: Iterable[str] | None = None,
        collect_conn_id: str = "collect_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.receipt = receipt
        self.request_id = request_id
        self.request_ids = request_ids
        self.collect_conn_id = collect_conn_id
        self.check_one_given("receipt", "request_id", "request_ids")

    def arguments(self) -> Mapping[str, Any]:
        """Return the requests' ids, and the campaign that they are of if a receipt says so."""
        found: dict[str, Any] = {"request_ids": self._ids}
        if self.receipt:
            receipts = read_receipts(self.receipt, self.hook.conn_type)
            campaigns = {receipt.get("campaign") for receipt in receipts}
            if len(campaigns) == 1 and (campaign := campaigns.pop()):
                found["campaign_id"] = str(campaign)
        return found

    @cached_property
    def _ids(self) -> list[Any]:
        names = ("receipt", "request_id", "request_ids")
        given = only_one({name: getattr(self, name) for name in names})
        if given == "receipt":
            return request_ids_in(self.receipt, self.hook.conn_type)
        ids = [self.request_id] if given == "request_id" else parse_list("request_ids", self.request_ids)
        if not ids:
            raise InputError("request_ids", "at least one id", "none")
        return ids
