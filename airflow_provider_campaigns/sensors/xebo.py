"""Sensor for the responses to a Xebo survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from math import ceil
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_campaigns.parameters import parse_count_or_share, parse_list, parse_positive_int
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.receipts import accepted_in

if TYPE_CHECKING:
    from airflow_provider_campaigns.hooks.xebo import XeboHook


class XeboResponsesSensor(CampaignSensor["XeboHook"]):
    """
    Wait until a survey has enough complete responses, whoever gave them.

    Each poll exports the responses page by page (250 each) and stops when there are enough: for a survey with many
    responses, set ``since`` and a ``poke_interval`` of some minutes.

    .. seealso:: https://developer-api.xebo.ai/get-responses-json-format

    :param survey_id: UUID of the survey (templated)
    :param minimum_responses: how many complete responses are enough: a number, or with ``receipt`` a share (float) of
        its accepted contacts; required without ``receipt`` (templated)
    :param receipt: what ``TriggerSurveyOperator`` returned (``send.output``): waits for as many responses as there are
        accepted contacts, or for the share given by ``minimum_responses``; skips the task if there are none
        (templated)
    :param collector_ids: count only the responses to these collectors: their UUIDs, not the 24-hex ids of
        ``TriggerSurveyOperator``; default all (templated)
    :param since: first day that counts, a date, a datetime with a time zone or ISO text; hours are ignored, and Xebo
        does not document its time zone. Default: every response (templated)
    :param xebo_conn_id: id of the Airflow connection (templated)
    :return: ``{"responses": number, "status": …}``.
    """

    hook_class = "airflow_provider_campaigns.hooks.xebo.XeboHook"
    poll_method = "count_responses"
    template_fields: Sequence[str] = (
        "survey_id",
        "minimum_responses",
        "receipt",
        "collector_ids",
        "since",
        "xebo_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"receipt": "json", "collector_ids": "json"}

    def __init__(
        self,
        *,
        survey_id: str,
        minimum_responses: float | str | None = None,
        receipt: Any = None,
        collector_ids: Sequence[str] | None = None,
        since: date | str | None = None,
        xebo_conn_id: str = "xebo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.survey_id = survey_id
        self.minimum_responses = minimum_responses
        self.receipt = receipt
        self.collector_ids = collector_ids
        self.since = since
        self.xebo_conn_id = xebo_conn_id

    def arguments(self) -> Mapping[str, Any]:
        """Return what is counted."""
        return {
            "survey_id": self.survey_id,
            "minimum": self._minimum(),
            "collector_ids": parse_list("collector_ids", self.collector_ids) if self.collector_ids else None,
            "since": self.since.isoformat() if isinstance(self.since, date) else self.since,
        }

    def _minimum(self) -> int | None:
        if not self.receipt:
            return parse_positive_int("minimum_responses", str(self.minimum_responses or "nothing"))
        accepted = accepted_in(self.receipt, self.hook.conn_type)
        minimum = parse_count_or_share("minimum_responses", self.minimum_responses)
        if minimum is None:
            return accepted
        return max(1, ceil(minimum * accepted) if isinstance(minimum, float) else int(minimum))
