"""XeboResponsesSensor against the sandbox: what is not in the shared table of behaviours."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_campaigns.exceptions import InputError
from airflow_provider_campaigns.sandbox.testing import SandboxClient
from airflow_provider_campaigns.sandbox.xebo import export_id
from airflow_provider_campaigns.sensors.xebo import XeboResponsesSensor
from tests.connections import calls, connect

COLLECTOR = "66c70e71f57bd9efe12d691d"
SURVEY = "0b5bd1a1-6d4c-4c41-8a5f-2f0f6f7a9b10"


@pytest.fixture(autouse=True)
def connection(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxClient) -> None:
    connect(monkeypatch, sandbox, "xebo")


def responses(**changes: Any) -> XeboResponsesSensor:
    parameters = {"task_id": "wait", "survey_id": SURVEY, "minimum_responses": 2, "poke_interval": 0.02, **changes}
    return XeboResponsesSensor(**parameters)


def test_it_counts_complete_responses_to_the_collectors_since_the_day(sandbox: SandboxClient) -> None:
    sandbox.control("xebo", answers=2, collector=COLLECTOR)
    sandbox.control("xebo", answers=2, collector=COLLECTOR, status=0)
    sandbox.control("xebo", answers=2, collector="another")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    sensor = responses(collector_ids=[export_id(COLLECTOR)], since=yesterday)
    assert sensor.execute({})["responses"] == 2
    late = responses(since=(yesterday + timedelta(days=3)).date(), timeout=0)
    with pytest.raises(AirflowSensorTimeout):
        late.execute({})


def test_it_counts_no_further_than_it_needs(sandbox: SandboxClient) -> None:
    sandbox.control("xebo", answers=501, collector=COLLECTOR)
    assert responses(minimum_responses=251).execute({})["responses"] == 500
    assert calls(sandbox, "xebo") == ["responses", "responses"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (datetime(2026, 3, 1, 9, tzinfo=UTC), "2026-03-01T09:00:00+00:00"),
        (date(2026, 3, 1), "2026-03-01"),
        ("2026-03-01", "2026-03-01"),
        (None, None),
    ],
)
def test_what_the_trigger_gets_is_json(given: Any, sent: str | None) -> None:
    sensor = responses(since=given, minimum_responses="20", collector_ids='["c-1"]')
    assert json.loads(json.dumps(sensor.arguments())) == {
        "survey_id": SURVEY,
        "minimum": 20,
        "collector_ids": ["c-1"],
        "since": sent,
    }


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"minimum_responses": 0}, "minimum_responses: expected a whole number from 1"),
        ({"minimum_responses": ""}, "minimum_responses: expected a whole number from 1"),
        ({"minimum_responses": "some"}, "minimum_responses: expected a whole number from 1"),
        ({"collector_ids": "c-1"}, "collector_ids: expected a list"),
        ({"since": "yesterday"}, "since: expected a date and time"),
    ],
)
def test_a_wrong_parameter_is_refused_before_the_first_poll(
    sandbox: SandboxClient, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        responses(**parameters).execute({})
    assert sandbox.received()["requests"] == []


def test_its_fields_are_templates() -> None:
    sensor = responses(
        survey_id="{{ survey }}",
        minimum_responses="{{ number }}",
        collector_ids=["{{ collector }}"],
        since="{{ ds }}",
        xebo_conn_id="xebo_{{ country }}",
    )
    sensor.render_template_fields(
        cast("Any", {"survey": SURVEY, "number": 5, "collector": "c-1", "ds": "2026-03-01", "country": "in"})
    )
    assert sensor.arguments() == {
        "survey_id": SURVEY,
        "minimum": 5,
        "collector_ids": ["c-1"],
        "since": "2026-03-01",
    }
    assert sensor.hook.conn_id == "xebo_in"
