"""A sensor that is given the receipt of the task that sent waits for what was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_campaigns.delivery.record.outcome import outcome
from airflow_provider_campaigns.delivery.record.outcomes import OutcomeFolder
from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sensors.base import CampaignSensor
from airflow_provider_campaigns.sensors.collect import CollectRequestSensor
from airflow_provider_campaigns.sensors.exotel import ExotelCampaignSensor
from airflow_provider_campaigns.sensors.ozonetel import OzonetelCampaignSensor
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from airflow_provider_campaigns.sensors.xtremepush import XtremepushCampaignSensor

MakeSensor = Callable[..., CampaignSensor[Any]]

COLLECT: MakeSensor = lambda **given: CollectRequestSensor(task_id="wait", **given)  # noqa: E731
EXOTEL: MakeSensor = lambda **given: ExotelCampaignSensor(task_id="wait", **given)  # noqa: E731
OZONETEL: MakeSensor = lambda **given: OzonetelCampaignSensor(task_id="wait", **given)  # noqa: E731
XEBO: MakeSensor = lambda **given: XeboResponsesSensor(task_id="wait", survey_id="s-1", **given)  # noqa: E731
XTREMEPUSH: MakeSensor = lambda **given: XtremepushCampaignSensor(task_id="wait", **given)  # noqa: E731


def receipt(vendor: str, **changes: Any) -> dict[str, Any]:
    return {"vendor": vendor, "campaign": "Spring", "contacts": 3, "accepted": 3, "outcomes_path": None, **changes}


@pytest.mark.parametrize(
    ("make", "given", "expected"),
    [
        (
            COLLECT,
            {"receipt": receipt("collect", request_ids=["r-1", "r-2"])},
            {"request_ids": ["r-1", "r-2"], "campaign_id": "Spring"},
        ),
        (
            COLLECT,
            {"receipt": [receipt("collect", request_ids=["r-1"]), receipt("collect", request_ids=["r-2"])]},
            {"request_ids": ["r-1", "r-2"], "campaign_id": "Spring"},
        ),
        (OZONETEL, {"receipt": receipt("ozonetel")}, {"campaign_name": "Spring"}),
        (OZONETEL, {"receipt": json.dumps(receipt("ozonetel"))}, {"campaign_name": "Spring"}),
        (OZONETEL, {"receipt": [receipt("ozonetel")] * 2}, {"campaign_name": "Spring"}),
        (XTREMEPUSH, {"receipt": receipt("xtremepush", campaign="7")}, {"campaign_id": "7"}),
        (EXOTEL, {"receipt": {"id": "c-1", "name": "Spring", "status": "Created"}}, {"campaign_id": "c-1"}),
        (EXOTEL, {"receipt": receipt("exotel", campaign_id="c-1")}, {"campaign_id": "c-1"}),
        (XEBO, {"receipt": receipt("xebo", accepted=10)}, {"minimum": 10}),
        (XEBO, {"receipt": receipt("xebo", accepted=10), "minimum_responses": 0.25}, {"minimum": 3}),
        (XEBO, {"receipt": receipt("xebo", accepted=10), "minimum_responses": "0.01"}, {"minimum": 1}),
        (XEBO, {"receipt": receipt("xebo", accepted=10), "minimum_responses": 4}, {"minimum": 4}),
        (XEBO, {"receipt": [receipt("xebo", accepted=10)] * 2, "minimum_responses": 0.5}, {"minimum": 10}),
    ],
)
def test_what_is_waited_for_is_in_the_receipt(
    make: MakeSensor, given: Mapping[str, Any], expected: Mapping[str, Any]
) -> None:
    arguments = make(**given).arguments()

    assert {name: arguments[name] for name in expected} == expected


def test_more_requests_than_a_receipt_has_are_read_from_the_outcomes(tmp_path: Path) -> None:
    lines = [{**outcome(row, f"jo{row}@example.com", "accepted"), "vendor_id": f"r-{row}"} for row in range(1, 701)]
    folder = OutcomeFolder(tmp_path, 1)
    folder.write([*lines, outcome(701, "nobody", "invalid", "no address")])  # type: ignore[list-item]

    sensor = COLLECT(receipt=receipt("collect", contacts=701, accepted=700, outcomes_path=str(tmp_path)))

    assert sensor.arguments() == {"request_ids": [f"r-{row}" for row in range(1, 701)], "campaign_id": "Spring"}


@pytest.mark.parametrize(
    ("make", "sent"),
    [(COLLECT, receipt("collect", accepted=0)), (XEBO, receipt("xebo", accepted=0))],
)
def test_if_nobody_was_accepted_there_is_nothing_to_wait_for(make: MakeSensor, sent: Mapping[str, Any]) -> None:
    with pytest.raises(AirflowSkipException, match="no accepted contact: there is nothing to wait for"):
        make(receipt=sent).arguments()


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (OZONETEL, {}, "receipt, campaign_name: expected exactly one of them, got none"),
        (OZONETEL, {"receipt": receipt("ozonetel"), "campaign_name": "A"}, "got receipt and campaign_name"),
        (EXOTEL, {}, "receipt, campaign_id: expected exactly one of them, got none"),
        (XTREMEPUSH, {"campaign_id": ""}, "receipt, campaign_id: expected exactly one of them, got none"),
        (OZONETEL, {"receipt": receipt("xebo")}, "receipt: expected a receipt of ozonetel, got one of xebo"),
        (
            OZONETEL,
            {"receipt": "Spring"},
            r"receipt: expected the receipt of the task that sent \(`send.output`\), .*text",
        ),
        (OZONETEL, {"receipt": 7}, "receipt: expected the receipt of the task that sent .*, got int"),
        (OZONETEL, {"receipt": ["Spring"]}, "got a list with str"),
        (OZONETEL, {"receipt": []}, "receipt, campaign_name: expected exactly one of them, got none"),
        (OZONETEL, {"receipt": {"status": "RUNNING"}}, "receipts of one campaign, with campaign, got fields status"),
        (
            OZONETEL,
            {"receipt": [receipt("ozonetel"), receipt("ozonetel", campaign="Autumn")]},
            "receipts of one campaign, with campaign, got Autumn and Spring",
        ),
        (XEBO, {"receipt": {"vendor": "xebo"}}, "receipt: expected a receipt with `accepted`, got fields vendor"),
        (COLLECT, {"receipt": receipt("collect")}, "one with outcomes_path or outcomes_xcom, got fields vendor"),
        (XEBO, {}, "minimum_responses: expected a whole number from 1, got 'nothing'"),
    ],
)
def test_what_is_no_receipt_is_refused(make: MakeSensor, given: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(**given).arguments()


def test_an_accepted_contact_without_an_id_is_an_error(tmp_path: Path) -> None:
    OutcomeFolder(tmp_path, 1).write([outcome(1, "jo@example.com", "accepted")])

    sensor = COLLECT(receipt=receipt("collect", contacts=1, accepted=1, outcomes_path=str(tmp_path)))

    with pytest.raises(InputError, match="a vendor_id for each accepted contact, got none in row 1"):
        sensor.arguments()
