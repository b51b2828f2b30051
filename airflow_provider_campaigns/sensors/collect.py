"""Sensor for Collect's requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.parameters import parse_list
from airflow_provider_campaigns.sensors.base import CampaignSensor

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.collect import CollectHook


class CollectRequestSensor(CampaignSensor["CollectHook"]):
    """
    Wait until requests are completed.

    Fails as soon as one ends as ``error`` (sending failed), ``cancelled`` or ``archived``. A request past its due date
    (``due``) can still be completed and is waited for, as is one in a status of the account's own.

    Each poll asks for every request by itself: for hundreds of requests give a ``poke_interval`` of some minutes.

    .. seealso:: https://developers.usecollect.com/operation/operation-get-a-specific-request

    :param request_id: id of one request; this or ``request_ids`` (templated)
    :param request_ids: ids of requests: ``vendor_id`` of the outcomes of ``SendCollectRequestOperator`` (templated)
    :param collect_conn_id: id of the Airflow connection (templated)
    :return: ``{"status": …, "counts": {status: requests}, "requests": {id: status}}``, the latter for the first 100.
    """

    hook_class = "airflow_provider_campaigns.hooks.collect.CollectHook"
    poll_method = "poll_requests"
    template_fields: Sequence[str] = ("request_id", "request_ids", "collect_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request_ids": "json"}

    def __init__(
        self,
        *,
        request_id: str | None = None,
        request_ids: Iterable[str] | None = None,
        collect_conn_id: str = "collect_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.request_ids = request_ids
        self.collect_conn_id = collect_conn_id

    def arguments(self) -> Mapping[str, Any]:
        """Return the requests' ids."""
        if bool(self.request_id) == bool(self.request_ids):
            raise InputError("request_id", "either request_id or request_ids", "both" if self.request_id else "neither")
        return {"request_ids": [self.request_id] if self.request_id else parse_list("request_ids", self.request_ids)}
